"""Write the pages of this folder that are made from code: so far ``cli.md``, from the help texts.

``python docs/generate.py`` writes them; ``--check`` writes nothing, shows what would change and
exits with 1 when a page is stale.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import typer
from typer.core import TyperCommand, TyperGroup

FOLDER = Path(__file__).resolve().parent
WIDTH = 100  # characters; fixed, so that the page does not depend on somebody's terminal

HEAD = """\
<!-- Written by docs/generate.py from the program's own help texts; do not edit. -->

# Command line

What `--help` says, command by command. Data goes to stdout, progress and notes to stderr.
"""


def commands(app: typer.Typer, name: str = "synergy") -> Iterator[tuple[str, typer.Context]]:
    """Every command of ``app`` that is not hidden, groups before what they hold.

    Yields
    ------
    (str, typer.Context)
        The words to type, for example ``synergy data check``, and a context of that command.
    """
    root = typer.main.get_command(app)
    waiting = [(name, typer.Context(root, info_name=name))]
    while waiting:
        words, context = waiting.pop(0)
        yield words, context
        if isinstance(context.command, TyperGroup):
            below = [
                (f"{words} {key}", typer.Context(command, info_name=key, parent=context))
                for key, command in context.command.commands.items()
                if not command.hidden
            ]
            waiting[:0] = below


def help_text(context: typer.Context) -> str:
    """What ``--help`` says, `WIDTH` characters wide, without colours, boxes or trailing spaces."""
    command = context.command
    if isinstance(command, TyperCommand | TyperGroup):
        command.rich_markup_mode = None
    context.terminal_width = context.max_content_width = WIDTH
    return "\n".join(line.rstrip() for line in command.get_help(context).splitlines())


def cli_page(app: typer.Typer) -> str:
    """The page on all commands, in Markdown."""
    sections = [
        f"## `{words}`\n\n```text\n{help_text(context)}\n```\n" for words, context in commands(app)
    ]
    return "\n".join([HEAD, *sections])


def pages() -> dict[str, Callable[[], str]]:
    """File name in this folder, and what writes its text."""
    from synergy.cli import app

    return {"cli.md": lambda: cli_page(app)}


def difference(file: Path, text: str) -> str:
    """Unified diff from what ``file`` holds to ``text``; empty when they agree."""
    old = file.read_text(encoding="utf-8") if file.exists() else ""
    lines = difflib.unified_diff(
        old.splitlines(keepends=True),
        text.splitlines(keepends=True),
        f"{file.name} (found)",
        f"{file.name} (expected)",
    )
    return "".join(lines)


def main(arguments: list[str]) -> int:
    """Write or check the pages; the exit code."""
    if arguments not in ([], ["--check"]):
        print(f"usage: generate.py [--check], found {' '.join(arguments)}", file=sys.stderr)
        return 2
    stale = 0
    for name, write in pages().items():
        file, text = FOLDER / name, write()
        changes = difference(file, text)
        if arguments:
            sys.stdout.write(changes)
            stale += bool(changes)
        elif changes:
            file.write_text(text, encoding="utf-8")
            print(f"written: {file.name}")
    if stale:
        print("stale pages; run: make docs", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
