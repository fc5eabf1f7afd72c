"""``synergy evaluate``: an exported model on labelled recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from synergy.cli.options import Options
from synergy.cli.output import document, say, write
from synergy.cli.reporter import Reporter
from synergy.cli.setup import device_asked
from synergy.cli.tables import Table, rendered
from synergy.errors import ConfigError, DataError
from synergy.wording import SPLITS, counted, quoted

if TYPE_CHECKING:
    from synergy.stages.evaluate import Evaluation, SplitScores, TaskScores
    from synergy.wording import Split

# Of more classes the matrix would be wider than a page: then it is told what each is taken for.
_WIDEST_MATRIX = 8


def evaluate(
    options: Options,
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="Folder of an exported model.", show_default=False),
    ],
    config: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG",
            help="Configuration (YAML) that says which recordings carry which labels.",
            show_default=False,
        ),
    ],
) -> None:
    """Measure an exported model on labelled recordings; trains nothing.

    The tasks of the configuration select the clips; they are called as in the model. Shows scores,
    how often which class is taken for which, recall and precision of each, the clips with the
    largest loss, and the time that a clip takes, features included. A recording that cannot be
    used is named at the end, with exit code 2; the others count all the same.

    \b
    Example:
      synergy evaluate runs/mine/model mine.yaml
      synergy evaluate runs/mine/model other.yaml --splits test --worst 20 --json
    """
    splits = _splits(options.splits)
    tasks = [name.strip() for name in options.tasks.split(",")] if options.tasks else []
    from synergy.config import load_config
    from synergy.settings import parse_settings

    settings = load_config(config).with_settings(parse_settings(options.set or ()))
    device = device_asked(options)
    from synergy.model import load_model
    from synergy.stages.evaluate import evaluate as stage
    from synergy.training.device import device_of

    loaded = load_model(model, device_of(device))
    with Reporter() as reporter:
        found = stage(loaded, settings, tasks, splits, options.worst, reporter.preparing)
    for note in found.notes:
        say(f"note: {note}")
    write(document(found.to_json()) if options.json else evaluation_text(found))
    if found.problems:
        raise DataError("\n".join(found.problems))


def evaluation_text(found: Evaluation) -> str:
    """Scores, classes, worst clips and times, for people."""
    tables = [_scores(found)]
    for name, task in found.tasks.items():
        for split, scores in task.splits.items():
            if scores.clips:
                tables.append(_classes(f"{name} on {split}", task, scores))
                tables += [_worst(f"{name} on {split}", scores)] if scores.worst else []
    took = found.latency
    cores = f" with {counted(took.threads, 'thread')}" if took.device == "cpu" else ""
    time = (
        f"time of a clip on {took.device}{cores}: {took.median_ms:.1f} ms, one in twenty takes "
        f"{took.p95_ms:.1f} ms or more; {100 * took.share_of_audio:.2g} % of its duration"
    )
    return "\n\n".join([rendered(*tables), time])


def _splits(text: str) -> list[Split]:
    chosen = [part.strip() for part in text.split(",")]
    found: list[Split] = [split for split in SPLITS if split in chosen]
    if len(found) != len(chosen):
        raise ConfigError(f"--splits: expected some of train,valid,test, found {quoted(text)}")
    return found


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.1f}"


def _scores(found: Evaluation) -> Table:
    rows: list[list[str | int | None]] = []
    for name, task in found.tasks.items():
        for split, scores in task.splits.items():
            others = ", ".join(
                f"{metric.replace('_', ' ')} {_percent(value)}"
                for metric, value in scores.metrics.items()
                if metric != task.metric
            )
            score = _percent(scores.metrics.get(task.metric))
            rows.append([name, split, scores.clips, task.metric.replace("_", " "), score, others])
    columns = ["task", "split", "clips", "metric", "score", "also"]
    return Table("Scores %", columns, rows, words=(0, 1, 3, 5), names=[*found.tasks])


def _classes(title: str, task: TaskScores, scores: SplitScores) -> Table:
    names, facts = [*scores.classes], scores.classes.items()
    told = [(n, f.count, _percent(f.recall), _percent(f.precision)) for n, f in facts]
    title = f"{title}: {task.counted} of each class, and what the model answers"
    if len(names) <= _WIDEST_MATRIX:
        columns = ["class", task.counted, "recall %", "precision %", *(f"-> {n}" for n in names)]
        rows = [
            [*row, *(fact.answers.get(name, 0) for name in names)]
            for row, (_, fact) in zip(told, facts, strict=True)
        ]
        return Table(title, columns, rows)
    columns = ["class", task.counted, "recall %", "precision %", "most taken for"]
    rows = [
        [*row, ", ".join(f"{o} {count}" for o, count in fact.answers.items() if o != name)[:60]]
        for row, (name, fact) in zip(told, facts, strict=True)
    ]
    return Table(title, columns, rows, words=(0, -1))


def _worst(title: str, scores: SplitScores) -> Table:
    rows = [
        [each.file, each.right, each.answer, _percent(each.wrong), f"{each.log_loss:.2f}"]
        for each in scores.worst
    ]
    columns = ["file", "right", "answer", "wrong %", "log-loss"]
    return Table(f"{title}: the worst clips", columns, rows, words=(0, 1, 2))
