"""Write the pages of this folder that are made from something else.

``api.md`` comes from the docstrings, ``cli.md`` from the help texts, ``configuration.md`` from the
models of the settings, ``comparisons.md`` from what `synergy compare` wrote, as kept below
``results/``.

``python docs/generate.py`` writes them; ``--check`` writes nothing, shows what would change and
exits with 1 when a page is stale.
"""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import stdev
from typing import Literal, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.core import TyperCommand, TyperGroup

from synergy.records import ComparedRow, ComparisonsFile
from synergy.wording import REPORTED

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
    waiting = [(name, typer.Context(root, info_name=name, **root.context_settings))]
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


SETTINGS_HEAD = """\
<!-- Written by docs/generate.py from the models of the settings; do not edit. -->

# Configuration

One YAML file. A key that does not exist is an error, and so is a value outside its range; every
problem is named at once. Without `--config` a command uses the `config.yaml` of its workspace, else
the embedded corpus.

Numbers are decimal, such as 10, 0.005 or 5e-3; `010`, `0x10`, `1_0`, dates, `no` and `off` are
words. Tags, repeated keys and `<<` are refused, and more than 1 MiB, 32 levels or 50,000 values.
A task is called by a letter and then letters, digits, `_` and `-`; names that differ in `-` and `_`
alone are one name. A corpus may be called by any text without a slash. Both have at most 64
characters; classes, columns and other labels of data have at most 200, and a task at most 10,000
classes. All of them are printable text on one line without spaces around it.

The resolved configuration, every default written out, is kept as `config.yaml` in the workspace.
Options such as `--max-ar`, `--seeds` and `--depths` replace a setting there, so later commands on
the same workspace use them too; `--set KEY=VALUE` replaces any other, `--set training.epochs=5`,
say. Its value is read as in the file and takes the place of all that stood at the key; a relative
folder is taken from the working folder.

A setting that decides a result is part of a training's identity: change it, and what was trained
before stays, but other trainings take its place. The threshold, the depths, `decide_by` and the
number of seeds only choose among trainings, but with `--distill` the models of all seeds, with
folds those of the same fold, are the teachers.

```yaml
corpora:
  mine: {format: manifest, folder: recordings}
tasks:
  command:
    kind: clip_classification
    corpora:
      mine: {column: word}
training: {epochs: 20, precision: bfloat16}
seeds: 3
```
"""


def settings_page() -> str:
    """The page on all settings, in Markdown."""
    from synergy.config import RunConfig, TaskConfig
    from synergy.datasets import DATASETS
    from synergy.encoders import ENCODERS
    from synergy.tasks.task_source import TaskSource

    fields = RunConfig.model_fields
    formats = {name: model for name, (model, _) in DATASETS.items()}
    sections: list[tuple[str, type[BaseModel]]] = [
        ("Top level", RunConfig),
        *((f"`corpora.NAME` with `format: {name}`", formats[name]) for name in formats),
        ("`tasks.NAME`", TaskConfig),
        ("`tasks.NAME.corpora.CORPUS`", TaskSource),
        ("`features`", type(fields["features"].default)),
        *((f"`encoder` with `name: {name}`", model) for name, model in ENCODERS.items()),
        ("`training`", type(fields["training"].default)),
        ("`distillation`", type(fields["distillation"].default)),
        ("`evaluation`", type(fields["evaluation"].default)),
    ]
    return "\n".join([SETTINGS_HEAD, *(settings_section(*section) for section in sections)])


def settings_section(title: str, model: type[BaseModel]) -> str:
    """A table of the fields of a model; those that its docstring describes together are a row."""
    told = inspect.cleandoc(model.__doc__ or "").split("\n\nAttributes\n", 1)
    groups = _described(told[1]) if len(told) > 1 else {}
    named = {name for names in groups for name in names}
    for name, field in model.model_fields.items():
        if name not in named:
            groups[(name,)] = field.description or ""
    order = list(model.model_fields)
    rows = [
        [
            ", ".join(f"`{name}`" for name in names),
            _joined(_range(model.model_fields[name]) for name in names),
            _joined(_default(model.model_fields[name]) for name in names),
            text.replace("|", "\\|"),
        ]
        for names, text in sorted(groups.items(), key=lambda group: order.index(group[0][0]))
        if len(get_args(model.model_fields[names[0]].annotation)) != 1  # its heading says which
        or get_origin(model.model_fields[names[0]].annotation) is not Literal
    ]
    intro = " ".join(told[0].split()).replace("``", "`")
    return f"## {title}\n\n{intro}\n\n" + _markdown(["key", "values", "default", "what"], rows)


def _described(text: str) -> dict[tuple[str, ...], str]:
    """Names and descriptions of a numpydoc section."""
    found: dict[tuple[str, ...], str] = {}
    names: tuple[str, ...] = ()
    for line in text.splitlines()[1:]:
        if line and not line.startswith(" "):
            names = tuple(name.strip() for name in line.partition(" : ")[0].split(","))
            found[names] = ""
        elif names:
            found[names] = f"{found[names]} {line.strip()}".strip().replace("``", "`")
    return found


def _joined(texts: Iterable[str]) -> str:
    different = list(dict.fromkeys(given := list(texts)))
    return different[0] if len(different) == 1 else "; ".join(given)


def _range(field: FieldInfo) -> str:
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    bounds = [
        f"{sign} {getattr(limit, name)}"
        for limit in field.metadata
        for name, sign in signs.items()
        if getattr(limit, name, None) is not None
    ]
    if get_origin(field.annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(field.annotation))
    if most := next((m.max_length for m in field.metadata if hasattr(m, "max_length")), None):
        bounds.append(f"at most {most:,}")
    return ", ".join(bounds) or "-"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if field.is_required():
        return "required"
    if isinstance(value, BaseModel):
        numbers = value.model_dump()
        if not all(isinstance(number, int) for number in numbers.values()):
            return "see below"
        return f"`{{{', '.join(f'{name}: {number}' for name, number in numbers.items())}}}`"
    if isinstance(value, tuple):
        return f"`{list(value)}`"
    return "-" if value in (None, {}, ()) else f"`{value}`"


COMPARED_HEAD = """\
<!-- Written by docs/generate.py from docs/results/; do not edit. -->

# The tree against others

What `synergy compare` measured: every method has the same data, steps, seeds and encoder (LTH and
LT4REC start from a wider one), and those that choose a size get at most the parameters of the tree
that the recursion finds. The lines are those of the day: today every model of all tasks has a
distilled line, the null control is a line, and `independent, other seeds`, the single-task models
trained again, is none. Scores are means over the seeds with their standard deviation, in percent;
AR, the accuracy reduction, is the largest relative loss of a task against the independent models,
with its 95 % bootstrap interval over seeds and speakers. The last two columns are the AR minus that
of the tree, plain and distilled, resampled in pairs. Intervals over a few seeds are too narrow, and
on validation the tree was chosen on the same clips: they describe, they are no test. Validation
decided, test is only reported. Masks save no MACs on dense hardware; the column with masks counts a
bit for each weight that they cover. Trainings counts all that a line needs when it is started from
nothing; hours are the sum of their durations, measured while two ran at a time. What follows from
the numbers stands in [results.md](results.md).
"""

CORPORA = {
    "real_speech": "Real speech",
    "embedded": "The embedded corpus",
}


def compared_page(folder: Path) -> str:
    """The page on all comparisons below ``folder``, in Markdown."""
    sections = [
        compared_section(title, found)
        for name, title in CORPORA.items()
        if (found := ComparisonsFile.read(folder / name / "comparisons.json"))
    ]
    return "\n".join([COMPARED_HEAD, *sections])


def compared_section(title: str, found: ComparisonsFile) -> str:
    """Tables of one comparison: scores on both splits, then costs."""
    rows = [row for row in found.rows if not row.error]
    parts = [
        f"## {title}\n",
        f"{len(found.seeds)} seeds; budget: the {found.max_params:,} parameters of "
        f"`{found.tree}`, the recursion's tree at a threshold of {found.max_ar:g} %.\n",
    ]
    if found.chance:
        known = [found.chance[split].told(split) for split in REPORTED if split in found.chance]
        parts.append("\n".join([*(f"- {sentence}" for sentence in known), ""]))
    for split, name in (("valid", "Validation"), ("test", "Test")):
        lines = [[row.name, *_scores(row, split, found.tasks)] for row in rows]
        columns = ["model", *found.tasks, "AR", "95 %", "above the tree", "above it distilled"]
        parts += [f"### {name}\n", _markdown(columns, lines)]
    columns = ["model", "parameters", "with masks", "share", "MACs/s", "trainings", "hours", "tree"]
    parts += ["### Costs\n", _markdown(columns, [[row.name, *_costs(row)] for row in rows])]
    failed = [f"- {row.name}: {row.error}" for row in found.rows if row.error]
    return "\n".join([*parts, *([*failed, ""] if failed else [])])


def _scores(row: ComparedRow, split: str, tasks: Sequence[str]) -> list[str]:
    scores = [row.scores[split][task] for task in tasks]
    spread = [f" ± {100 * stdev(values):.1f}" if len(values) > 1 else "" for values in scores]
    means = [100 * row.mean_scores[split][task] for task in tasks]
    return [
        *(f"{mean:.1f}{around}" for mean, around in zip(means, spread, strict=True)),
        f"{row.ar_pct[split]:.1f}",
        f"{row.ar_low[split]:.1f} to {row.ar_high[split]:.1f}",
        *(_above(row, name, split) for name in ("tree", "tree, distilled")),
    ]


def _above(row: ComparedRow, name: str, split: str) -> str:
    found = row.above.get(name, {}).get(split)
    if found is None:
        return "-"
    return f"{found.ar_pct:+.1f} ({found.ar_low:+.1f} to {found.ar_high:+.1f})"


def _costs(row: ComparedRow) -> list[str]:
    return [
        f"{row.params:,}",
        f"{row.stored_params:,}",
        f"{row.share_pct:.1f} %",
        f"{(row.macs or 0) / 1e6:.1f} M",
        str(row.trainings),
        f"{(row.seconds or 0.0) / 3600:.2f}",
        f"`{row.notation}`" if row.notation else "-",
    ]


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


API_HEAD = """\
<!-- Written by docs/generate.py from the docstrings; do not edit. -->

# Python

Every public name of `synergy`. [python.md](python.md) shows them at work; the options are those of
the commands, told in [cli.md](cli.md).
"""

# Functions and the command whose options they take.
COMMANDS = ("run", "baseline", "pairwise", "synthesize", "compare", "search")


def api_page() -> str:
    """The page on all public names, in Markdown."""
    import synergy
    from synergy import api

    sections = [API_HEAD, f"```text\n{inspect.getdoc(api)}\n```\n"]
    for name in synergy.__all__:
        if name.startswith("_"):
            continue
        thing = getattr(synergy, name)
        told = [f"{name}{_signature(thing)}\n\n{inspect.getdoc(thing)}"]
        own = vars(thing).items() if inspect.isclass(thing) else ()
        for key, method in own:
            method = getattr(method, "__func__", method)
            if inspect.isfunction(method) and not key.startswith("_") and method.__doc__:
                told.append(f"{name}.{key}{_signature(method)}\n\n{inspect.getdoc(method)}")
        sections.append("\n".join([f"## `{name}`\n", *(f"```text\n{t}\n```\n" for t in told)]))
        if name in COMMANDS:
            options = ", ".join(f"`{option}`" for option in api.names_of(name))
            sections.append(f"Options: {options}.\n")
    return "\n".join(sections)


def _signature(thing: Callable) -> str:
    """Parameters with their defaults; a docstring has the types."""
    if inspect.isclass(thing):
        return ""
    parameters = inspect.signature(thing).parameters.values()
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in parameters]
    return str(inspect.Signature([each for each in bare if each.name not in ("self", "cls")]))


def pages() -> dict[str, Callable[[], str]]:
    """File name in this folder, and what writes its text."""
    from synergy.cli.commands import app

    return {
        "api.md": api_page,
        "cli.md": lambda: cli_page(app),
        "configuration.md": settings_page,
        "comparisons.md": lambda: compared_page(FOLDER / "results"),
    }


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
