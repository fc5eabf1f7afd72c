"""``synergy init``: a configuration for recordings as they lie there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from synergy.cli.options import Options
from synergy.cli.output import document, say, write
from synergy.cli.reporter import Reporter
from synergy.cli.tables import Table, rendered
from synergy.errors import ConfigError
from synergy.wording import short_list

if TYPE_CHECKING:
    from synergy.stages.init import Understood

_ANSWERS = {"": True, "y": True, "yes": True, "n": False, "no": False}


def init(
    options: Options,
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="FOLDER", help="Folders of recordings.", show_default=False),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="DIR",
            help="Where synergy.yaml and the lists that it needs are written; the working folder "
            "by default.",
            rich_help_panel="Output",
            show_default=False,
        ),
    ] = None,
    yes: Annotated[
        bool,
        typer.Option("--yes", help="Take the likely answer to every question."),
    ] = False,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Replace what an earlier call wrote; splits that were made are kept.",
            rich_help_panel="Output",
        ),
    ] = False,
) -> None:
    """Look at folders of recordings and write a configuration for them.

    Knows folders of classes, CSV files, labels of Audacity, RTTM, TextGrid, ELAN and WebVTT beside
    the recordings, and Speech Commands. Asks what it cannot see, and shows what it understood and
    what to check. Several folders are several corpora.

    \b
    Example:
      synergy init recordings
      synergy data check --config synergy.yaml
    """
    from synergy.stages.init import init as stage

    def ask(question: str, likely: bool) -> bool:
        if yes:
            return likely
        way_out = f"take the likely answer ({'yes' if likely else 'no'}) with --yes"
        if not sys.stdin or not sys.stdin.isatty():
            raise ConfigError(f"{question} expected an answer, found no terminal; {way_out}")
        while True:
            say(f"{question} [{'Y/n' if likely else 'y/N'}]")
            answer = sys.stdin.readline()
            if not answer:
                raise ConfigError(f"{question} expected an answer, found none; {way_out}")
            if (word := answer.strip().lower()) in _ANSWERS:
                return _ANSWERS[word] if word else likely

    with Reporter() as reporter:
        found = stage(folders, output, replace, ask, reporter.preparing)
    write(document(found.to_json()) if options.json else _text(found))
    say(f"next: synergy data check --config {found.file}")


def _text(found: Understood) -> str:
    """What was understood, for people."""
    rows: list[list[str | int | None]] = []
    for row in found.tasks:
        splits = ", ".join(f"{split} {count:,}" for split, count in row.splits.items())
        classes = f"{len(row.classes)}: {short_list(row.classes, 4)}"
        numbers = [row.speakers or None, row.clips, f"{row.hours:.2f}"]
        rows.append([row.task, row.corpus, classes, *numbers, splits])
    columns = ["task", "corpus", "classes", "speakers", "clips", "hours", "splits"]
    table = Table("What was understood", columns, rows, words=(0, 1, 2, -1))
    layouts = [f"{name}: {layout}" for name, layout in found.layouts.items()]
    checks = [f"- {check}" for check in found.checks] or ["- nothing"]
    files = [f"written: {file}" for file in found.written]
    return "\n".join([*layouts, "", rendered(table), "", "To check:", *checks, "", *files])
