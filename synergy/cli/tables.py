"""Results as tables, laid out like those of the paper. Scores and AR in percent."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from synergy.wording import duration

if TYPE_CHECKING:
    from synergy.stages.baseline import Baselines
    from synergy.stages.data_check import TaskFacts
    from synergy.stages.outcome import Outcome
    from synergy.stages.plan import Plan
    from synergy.stages.synthesize import Attempt, Final

SPLITS = ("valid", "test")


def rendered(*tables: Table) -> str:
    """Tables as text: as wide as the terminal, or as they need where there is none."""
    wide = shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 400
    console = Console(width=wide, file=sys.stdout, highlight=False)
    with console.capture() as capture:
        for number, table in enumerate(tables):
            title, table.title = table.title, None  # rich would wrap it to the table's width
            console.print("\n" * bool(number) + str(title), style="bold", soft_wrap=True)
            console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().rstrip("\n").splitlines())


# More classes than this are summed up in a table; JSON has them all.
_SPELLED_OUT = 4


def table_of(title: str, columns: Sequence[str], left: int = 1) -> Table:
    """An empty table whose first ``left`` columns hold words, the others numbers."""
    table = Table(title=title, box=box.SIMPLE_HEAD)
    table.show_edge = False
    for number, name in enumerate(columns):
        table.add_column(name, justify="left" if number < left else "right", overflow="fold")
    return table


def score(outcome: Outcome, split: str, task: str) -> str:
    """Mean over the seeds, with their standard deviation where there are several."""
    spread = outcome.spread(split, task)
    mean = f"{100 * outcome.mean(split, task):.1f}"
    return mean if spread is None else f"{mean}±{100 * spread:.1f}"


def baseline_table(found: Baselines) -> Table:
    """Table 1: the score of each task alone."""
    table = table_of("Each task alone (score %)", ["task", "validation", "test", "params"])
    for task, outcome in found.outcomes.items():
        table.add_row(
            task,
            score(outcome, "valid", task),
            score(outcome, "test", task),
            f"{found.params[task]:,}",
        )
    return table


def score_table(final: Final, tasks: Sequence[str]) -> Table:
    """Table 2: what each model scores, and its AR, on both splits."""
    table = table_of("Scores %", ["model", "split", *tasks, "AR %"], left=2)
    for number, split in enumerate(SPLITS):
        if number:
            table.add_section()
        for row in final.rows:
            scores = [score(row.outcome, split, task) for task in tasks]
            table.add_row(row.name, split, *scores, f"{row.ar_pct[split]:.1f}")
    return table


def interval_table(final: Final) -> Table:
    """AR with the bootstrap interval over seeds and speakers."""
    table = table_of("AR % with its 95 % interval", ["model", *SPLITS])
    for row in final.rows[1:]:
        bounds = [row.ar_interval[split] for split in SPLITS]
        shown = [f"{row.ar_pct[split]:.1f}" for split in SPLITS]
        table.add_row(
            row.name,
            *(f"{ar} [{lo:.1f}, {hi:.1f}]" for ar, (lo, hi) in zip(shown, bounds, strict=True)),
        )
    return table


def attempts_table(attempts: Sequence[Attempt], tasks: Sequence[str]) -> Table:
    """All trees that were tried, and what was changed after each."""
    columns = ["attempt", "tree", "params", "AR % valid", "then"]
    table = table_of("Attempts", columns, left=2)
    table.columns[-1].justify = "left"
    for number, attempt in enumerate(attempts, 1):
        then = "keeps the threshold" if attempt.keeps else "-"
        if attempt.lowered:
            then = "{}, {} share at most {}".format(*attempt.lowered)
        table.add_row(
            str(number),
            attempt.synthesis.tree.notation(tasks),
            f"{attempt.row.params:,}",
            f"{attempt.row.ar_pct['valid']:.1f}",
            then,
        )
    return table


def size_table(final: Final) -> Table:
    """What each model costs."""
    whole = final.rows[0].params
    table = table_of("Sizes", ["model", "params", "of independent", "MACs/s", "epochs"])
    for row in final.rows:
        table.add_row(
            row.name,
            f"{row.params:,}",
            f"{100 * row.params / whole:.0f} %",
            in_millions(row.macs),
            str(row.epochs),
        )
    return table


def in_millions(count: int) -> str:
    """``"12.3 M"``."""
    return f"{count / 1e6:.1f} M"


def data_table(found: TaskFacts) -> Table:
    """Clips of a task, split by split."""
    title = f"{found.task}: {found.kind} (classes counted in {found.counted})"
    columns = ["split", "clips", "speakers", "minutes", "majority", "classes"]
    table = table_of(title, columns)
    table.columns[-1].justify = "left"
    for split, facts in found.splits.items():
        numbers = facts.counts.values()
        if len(numbers) <= _SPELLED_OUT:
            counts = ", ".join(f"{name} {count:,}" for name, count in facts.counts.items())
        else:
            least, most = min(numbers), max(numbers)
            span = f"{least:,}" if least == most else f"{least:,} to {most:,}"
            counts = f"{len(numbers)} classes, {span} each"
        table.add_row(
            split,
            f"{facts.clips:,}",
            f"{facts.speakers:,}" if facts.speakers else "-",
            f"{facts.seconds / 60:.1f}",
            f"{100 * facts.majority:.0f} %",
            counts,
        )
    return table


def summary_table(summary: Mapping[str, Any]) -> Table:
    """Tables 2 and 4 from summary.json: the means over the seeds."""
    rows = summary["rows"]
    tasks = summary.get("tasks") or list(rows[0]["mean_scores"]["valid"])
    table = table_of("Scores %", ["model", "split", *tasks, "AR %", "params"], left=2)
    for number, split in enumerate(SPLITS):
        if number:
            table.add_section()
        for row in rows:
            scores = [f"{100 * row['mean_scores'][split][task]:.1f}" for task in tasks]
            ar = f"{row['ar_pct'][split]:.1f}"
            table.add_row(row["name"], split, *scores, ar, f"{row['params']:,}")
    return table


def plan_table(found: Plan) -> Table:
    """What each stage still has to train."""
    columns = ["stage", "trainings", "done", "to do", "time"]
    table = table_of(f"Plan, {found.workers} at the same time", columns)
    for stage in found.stages:
        table.add_row(
            stage.name,
            str(stage.trainings),
            str(stage.done),
            str(stage.trainings - stage.done),
            duration(stage.seconds) if stage.seconds else "-",
        )
    table.add_section()
    table.add_row(
        "all",
        *(str(n) for n in (found.trainings, found.done, found.trainings - found.done)),
        duration(found.seconds) if found.seconds else "-",
    )
    return table


def sweep_table(found: Plan) -> Table:
    """What stage 2 still costs with each sweep."""
    columns = ["sweep", "expected", "at least", "at most", "time"]
    table = table_of("Pairs to train, by sweep", columns)
    for sweep in found.sweeps:
        time = duration(sweep.seconds) if sweep.most else "-"
        expected = f"{sweep.expected:.0f}"
        table.add_row(sweep.name, expected, str(sweep.least), str(sweep.most), time)
    return table
