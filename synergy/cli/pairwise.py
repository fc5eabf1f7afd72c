"""``synergy pairwise``: stage 2."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from synergy.cli.output import write, write_json
from synergy.cli.session import set_up, training

if TYPE_CHECKING:
    from synergy.stages.pairwise import Pairs


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
    """Stage 2: train all pairs of tasks, into the AR table.

    Every pair is trained at every shared depth; single-task models that are missing are trained
    first. AR, the accuracy reduction, is the
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
    from synergy.stages.pairwise import check_pairable

    check_pairable(chosen)
    with training(setup) as (session, _):
        from synergy.stages.pairwise import pairwise as stage

        found = stage(session, chosen, setup.config.depths)
    if as_json:
        write_json(found.to_json())
    else:
        write(pairs_text(found))


def pairs_text(found: Pairs) -> str:
    """Tables of the single-task models and of the pairs; below them why cells are missing."""
    from synergy.cli.tables import ar_table, baseline_table, rendered

    failed = [
        f"failed: {cell.label}: {cell.reason}"
        for cell in found.table.cells
        if cell.status == "failed"
    ]
    if failed:
        failed.append("Run the same command again to try the failed trainings once more.")
    tables = rendered(baseline_table(found.baselines), ar_table(found.table))
    return "\n".join([tables, *([""] if failed else []), *failed])
