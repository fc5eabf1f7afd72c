"""``synergy pairwise``: stage 2."""

from __future__ import annotations

from synergy.cli.options import (
    DEFAULT_WORKSPACE,
    AsJson,
    Config,
    Depths,
    ExecutorName,
    Seed,
    Seeds,
    Tasks,
    Workers,
    WorkspaceFolder,
    parse_depths,
    parse_tasks,
)
from synergy.cli.output import say, write, write_json
from synergy.cli.session import set_up, training


def pairwise(
    tasks: Tasks = None,
    depths: Depths = None,
    config: Config = None,
    workspace: WorkspaceFolder = DEFAULT_WORKSPACE,
    seed: Seed = None,
    seeds: Seeds = None,
    workers: Workers = None,
    executor: ExecutorName = "process",
    as_json: AsJson = False,
) -> None:
    """Stage 2: train every pair of tasks at every shared depth, into the AR table.

    Single-task models that are missing are trained first. AR, the accuracy reduction, is the
    largest relative loss of one of the two tasks against its single-task model, in percent.

    \b
    Example:
      synergy pairwise --tasks gc,ac,scr,vad --depths 4-8
    """
    names, swept = parse_tasks(tasks), parse_depths(depths)
    setup = set_up(
        "synergy pairwise",
        config,
        workspace,
        executor,
        workers,
        seed=seed,
        seeds=seeds,
        depths=swept,
    )
    chosen = setup.config.only(names or setup.config.tasks)
    with training(setup) as (session, _):
        from synergy.stages.pairwise import pairwise as stage

        found = stage(session, chosen, setup.config.depths)
    if as_json:
        write_json(found.to_json())
        return
    from synergy.cli.tables import ar_table, baseline_table, rendered

    write(rendered(baseline_table(found.baselines), ar_table(found.table)))
    failed = [cell for cell in found.table.cells if cell.status == "failed"]
    for cell in failed:
        write(f"failed: {cell.label}: {cell.reason}")
    if failed:
        say("note: run the same command again to try the failed trainings once more")
