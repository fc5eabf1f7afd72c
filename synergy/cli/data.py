"""``synergy data``: what the recordings are like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synergy.cli.options import Options
from synergy.cli.output import document, write
from synergy.cli.reporter import Reporter
from synergy.cli.setup import configured, executor_of, prepared
from synergy.cli.tables import Table, rendered

if TYPE_CHECKING:
    from synergy.stages.data_check import TaskFacts

# More classes than this are summed up in a table; JSON has them all.
_SPELLED_OUT = 4


def check(options: Options) -> None:
    """Read every corpus and count the clips of each task.

    Names every problem at once; without one, shows clips, speakers, duration and classes of
    each task and split, what was left out and why. Features are computed and kept on the way.
    With --full every recording is read again, also where it seems to be the one that is known.

    \b
    Example:
      synergy data check --config mine.yaml
      synergy data check --config mine.yaml --full
    """
    config = configured(options)
    from synergy.stages.data_check import data_check

    with executor_of(options) as executor, Reporter() as reporter:
        found = data_check(prepared(config, options, executor, reporter))
    told = [rendered(*map(_clips, found.tasks, found.tasks.values())), "", *found.notes]
    write(document(found.to_json()) if options.json else "\n".join(told))


def _clips(task: str, found: TaskFacts) -> Table:
    """Clips of a task, split by split."""
    rows: list[list[str | int | None]] = []
    folds = {f"fold {number}": facts for number, facts in enumerate(found.folds, 1)}
    for split, facts in {**found.splits, **folds}.items():
        numbers = facts.counts.values()
        if len(numbers) <= _SPELLED_OUT:
            counts = ", ".join(f"{name} {count:,}" for name, count in facts.counts.items())
        else:
            least, most = min(numbers), max(numbers)
            span = f"{least:,}" if least == most else f"{least:,} to {most:,}"
            counts = f"{len(numbers)} classes, {span} each"
        minutes, majority = f"{facts.seconds / 60:.1f}", f"{100 * facts.majority:.0f} %"
        rows.append([split, facts.clips, facts.speakers or None, minutes, majority, counts])
    title = f"{task}: {found.kind} (classes counted in {found.counted})"
    columns = ["split", "clips", "speakers", "minutes", "majority", "classes"]
    return Table(title, columns, rows, words=(0, -1))
