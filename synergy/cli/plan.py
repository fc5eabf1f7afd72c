"""``synergy plan``: how many trainings, and how long, before anything starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synergy.cli.options import Options
from synergy.cli.output import document, say, write
from synergy.cli.reporter import Reporter
from synergy.cli.setup import asked_of_pairs, device_asked, executor_of, existing, prepared
from synergy.cli.tables import Table, rendered
from synergy.wording import NOT_FINAL, counted, duration

if TYPE_CHECKING:
    from synergy.stages.plan import Plan


def plan(options: Options) -> None:
    """Tell how much there is to train, and how long it takes.

    Counts what `run` would do, with every sweep of the pairs.

    Trains nothing and writes nothing into the workspace; features that are missing are computed.
    The time comes from finished trainings of the workspace, else from a probe of a few seconds.

    \b
    Example:
      synergy plan --config examples/real_speech.yaml --seeds 3
    """
    config, tasks, question = asked_of_pairs(options)
    existing(options.workspace)
    from synergy.stages.plan import plan as stage

    device = device_asked(options)
    with executor_of(options) as executor, Reporter() as reporter:
        experiment = prepared(config, options, executor, reporter)
        workers = executor.workers
    found = stage(experiment, options.workspace, tasks, config.depths, workers, question, device)
    if options.json:
        write(document(found.to_json()))
        return
    write(rendered(_stages(found), _sweeps(found)))
    say(
        f"note: at most --rounds further trees are trained and the best one with fresh seeds, "
        f"each {counted(found.round_trainings, 'training')}, {duration(found.round_seconds)}; what "
        "`synergy compare` trains on top is not counted"
    )
    say(
        f"note: every training has {found.epochs} epochs of {found.steps_per_epoch} steps "
        f"(schedule: {config.schedule}); the largest task has {found.most_clips:,} training clips"
    )
    if config.schedule == "quick":
        say(f"note: {NOT_FINAL}")
    say(f"note: {found.basis}")


def _stages(found: Plan) -> Table:
    """What each stage still has to train."""
    rows: list[list[str | None] | None] = []
    for name, part in [*((stage.name, stage) for stage in found.stages), ("all", found)]:
        rows += [None] if part is found else []
        counts = map(str, (part.trainings, part.done, part.trainings - part.done))
        rows.append([name, *counts, duration(part.seconds) if part.seconds else None])
    columns = ["stage", "trainings", "done", "to do", "time"]
    return Table(f"Plan, {found.workers} at the same time", columns, rows)


def _sweeps(found: Plan) -> Table:
    """What stage 2 still costs with each sweep."""
    rows: list[list[str | None]] = []
    for sweep in found.sweeps:
        time = duration(sweep.seconds) if sweep.most else None
        rows.append([sweep.name, *map(str, (round(sweep.expected), sweep.least, sweep.most)), time])
    columns = ["sweep", "expected", "at least", "at most", "time"]
    return Table("Pairs to train, by sweep", columns, rows)
