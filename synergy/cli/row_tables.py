"""What trained models score and cost: tables of `synergy.rows.Row`. Scores and AR in percent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from synergy.cli.tables import Table, in_millions
from synergy.wording import REPORTED, Split, duration, scaled

if TYPE_CHECKING:
    from synergy.records import ComparedRow, Difference
    from synergy.rows import Attempt, Row


def baseline_table(rows: Mapping[str, Row]) -> Table:
    """Table 1: the score of each task alone."""
    lines = [
        [task, *(_score(row.scores[split][task]) for split in REPORTED), row.params]
        for task, row in rows.items()
    ]
    columns = ["task", "validation", "test", "params"]
    return Table("Each task alone (score %)", columns, lines, names=[*rows])


def score_table(
    rows: Sequence[Row], tasks: Sequence[str], *, intervals: bool = False, sizes: bool = False
) -> Table:
    """Table 2: what each model scores, and its AR, on both splits.

    With ``sizes`` also its parameters; scores are the means alone then, to leave room for them.
    """
    lines: list[list[str | int | None] | None] = []
    for split in REPORTED:
        lines += [None] if lines else []
        for row in rows:
            means, each = row.mean_scores.get(split, {}), row.scores.get(split, {})
            known = {task: (mean,) for task, mean in means.items()} if sizes else each
            scores = [_score(known.get(task, ())) for task in tasks]
            params = [row.params] if sizes else []
            lines.append([row.name, split, *scores, _reduction(row, split, intervals), *params])
    columns = ["model", "split", *tasks, "AR %", *(["params"] if sizes else [])]
    return Table("Scores %", columns, lines, words=(0, 1), names=tasks)


def interval_table(rows: Sequence[Row]) -> Table:
    """AR with the bootstrap interval over seeds and speakers."""
    lines = [[row.name, *(_reduction(row, split, True) for split in REPORTED)] for row in rows]
    return Table("AR % with its 95 % interval", ["model", *REPORTED], lines)


def attempts_table(attempts: Sequence[Attempt]) -> Table:
    """All trees that were tried: what was predicted of them, and what was measured."""
    lines: list[list[str | int | None]] = []
    for number, each in enumerate(attempts):
        ar = [
            f"{found['valid']:.1f}" if "valid" in found else None
            for found in (each.ar_pct, each.fresh_ar_pct)
        ]
        chance = None if each.probability is None else f"{100 * each.probability:.0f}"
        lines.append([number, attempt_name(each), each.params, *ar, chance, each.why])
    names = sorted({task for each in attempts for task in each.predicted})
    columns = ["round", "tree", "params", "AR %", "fresh seeds", "P %", "why"]
    return Table("Trees trained, on validation", columns, lines, words=(0, 1, 6), names=names)


def predicted_table(attempts: Sequence[Attempt], tasks: Sequence[str]) -> Table:
    """Signed losses of every tree: predicted before it was trained, and measured."""
    lines: list[list[str | int | None]] = []
    for number, each in enumerate(attempts):
        for task in tasks:
            if task not in each.predicted:
                continue
            told, found = each.predicted[task], each.loss_pct.get(task)
            bounds = "" if told.low is None else f" [{told.low:.1f}, {told.high:.1f}]"
            seen = None if found is None else f"{found:+.1f}"
            lines.append([number, task, f"{told.loss_pct:+.1f}{bounds}", seen])
    columns = ["round", "task", "loss % predicted", "measured"]
    title = "Losses predicted and measured, on validation"
    return Table(title, columns, lines, words=(0, 1), names=tasks)


def attempt_name(attempt: Attempt) -> str:
    """Its tree, with width and training where these are not as configured."""
    taught = ", distilled" if attempt.distilled else ""
    return f"{attempt.notation}{scaled(attempt.width)}{taught}"


def size_table(rows: Sequence[Row]) -> Table:
    """What each model costs."""
    whole = rows[0].params or 1
    shares = [f"{100 * (row.params or 0) / whole:.0f} %" for row in rows]
    lines = [
        [row.name, row.params, share, in_millions(row.macs), str(row.epochs)]
        for row, share in zip(rows, shares, strict=True)
    ]
    return Table("Sizes", ["model", "params", "of independent", "MACs/s", "epochs"], lines)


def difference_table(rows: Sequence[ComparedRow]) -> Table | None:
    """How far the AR of each model lies above that of the tree; None where no tree is trained."""
    names = list(dict.fromkeys(name for row in rows for name in row.above))
    if not names:
        return None
    lines = [
        [row.name, *(_difference(row.above.get(n, {}).get(s)) for s in REPORTED for n in names)]
        for row in rows
    ]
    columns = ["model", *(f"{split}, {name}" for split in REPORTED for name in names)]
    return Table("AR above that of the tree, %", columns, lines)


def cost_table(rows: Sequence[ComparedRow]) -> Table:
    """What each model costs, and what it costs to come to it."""
    lines = [
        [
            *(row.name, row.params, row.stored_params, f"{row.share_pct or 0:.0f} %"),
            *(in_millions(row.macs), str(row.trainings), duration(row.seconds or 0)),
            row.notation or None,
        ]
        for row in rows
    ]
    columns = ["model", "params", "with masks", "of independent", "MACs/s", "trainings", "time"]
    names = sorted({task for row in rows for by in row.mean_scores.values() for task in by})
    return Table("Costs", [*columns, "tree"], lines, words=(0, -1), names=names)


def _score(values: Sequence[float]) -> str | None:
    """Mean over the seeds, with their standard deviation where there are several."""
    if not values:
        return None
    mean = f"{100 * fmean(values):.1f}"
    return mean if len(values) < 2 else f"{mean}±{100 * stdev(values):.1f}"


def _reduction(row: Row, split: Split, interval: bool = False) -> str | None:
    if split not in row.ar_pct:
        return None
    ar = f"{row.ar_pct[split]:.1f}"
    if not interval or not (split in row.ar_low and split in row.ar_high):
        return ar
    return f"{ar} [{row.ar_low[split]:.1f}, {row.ar_high[split]:.1f}]"


def _difference(lies: Difference | None) -> str | None:
    if lies is None or lies.ar_low is None or lies.ar_high is None:
        return lies and f"{lies.ar_pct:+.1f}"
    return f"{lies.ar_pct:+.1f} [{lies.ar_low:+.1f}, {lies.ar_high:+.1f}]"
