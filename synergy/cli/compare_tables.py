"""The comparison as tables. Scores and AR in percent."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from synergy.cli.tables import SPLITS, in_millions, table_of
from synergy.wording import duration

if TYPE_CHECKING:
    from rich.table import Table

    from synergy.stages.compared import ComparedRow, Measured


def compared_score_table(rows: Sequence[ComparedRow], tasks: Sequence[str]) -> Table:
    """What each model scores, and its AR with the interval, on both splits."""
    table = table_of("Scores %", ["model", "split", *tasks, "AR %"], left=2)
    for number, split in enumerate(SPLITS):
        if number:
            table.add_section()
        for row in rows:
            scores = [_score(row.measured.scores[split][task]) for task in tasks]
            table.add_row(row.name, split, *scores, _reduction(row.measured, split))
    return table


def compared_difference_table(rows: Sequence[ComparedRow]) -> Table | None:
    """How far the AR of each model lies above that of the tree; None where no tree is trained."""
    names = list(dict.fromkeys(name for row in rows for name in row.measured.above))
    if not names:
        return None
    columns = [f"{split}, {name}" for split in SPLITS for name in names]
    table = table_of("AR above that of the tree, %", ["model", *columns])
    for row in rows:
        cells = [_difference(row.measured, split, name) for split in SPLITS for name in names]
        table.add_row(row.name, *cells)
    return table


def compared_cost_table(rows: Sequence[ComparedRow]) -> Table:
    """What each model costs, and what it costs to come to it."""
    columns = ["model", "params", "with masks", "of independent", "MACs/s", "trainings", "time"]
    table = table_of("Costs", [*columns, "tree"])
    table.columns[-1].justify = "left"
    for row in rows:
        if row.contender is None:
            continue
        table.add_row(
            row.name,
            f"{row.contender.params:,}",
            f"{row.contender.stored_params:,}",
            f"{row.share_pct:.0f} %",
            in_millions(row.contender.macs),
            str(row.trainings),
            duration(row.seconds),
            row.notation or "-",
        )
    return table


def _score(values: Sequence[float]) -> str:
    """Mean over the seeds, with their standard deviation where there are several."""
    mean = f"{100 * fmean(values):.1f}"
    return mean if len(values) < 2 else f"{mean}±{100 * stdev(values):.1f}"


def _difference(measured: Measured, split: str, name: str) -> str:
    if name not in measured.above:
        return "-"
    found = measured.above[name][split]
    return f"{found.ar_pct:+.1f} [{found.low:+.1f}, {found.high:+.1f}]"


def _reduction(measured: Measured, split: str) -> str:
    low, high = measured.ar_interval[split]
    return f"{measured.ar_pct[split]:.1f} [{low:.1f}, {high:.1f}]"
