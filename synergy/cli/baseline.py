"""``synergy baseline``: stage 1."""

from __future__ import annotations

from synergy.cli.options import (
    DEFAULT_WORKSPACE,
    AsJson,
    Config,
    ExecutorName,
    Seed,
    Seeds,
    Tasks,
    Workers,
    WorkspaceFolder,
    parse_tasks,
)
from synergy.cli.output import write, write_json
from synergy.cli.session import set_up, training


def baseline(
    tasks: Tasks = None,
    config: Config = None,
    workspace: WorkspaceFolder = DEFAULT_WORKSPACE,
    seed: Seed = None,
    seeds: Seeds = None,
    workers: Workers = None,
    executor: ExecutorName = "process",
    as_json: AsJson = False,
) -> None:
    """Stage 1: train a model for each task alone.

    Their scores are what every shared model is compared with.

    \b
    Example:
      synergy baseline --tasks gc,ac --seeds 3
    """
    names = parse_tasks(tasks)
    setup = set_up("synergy baseline", config, workspace, executor, workers, seed=seed, seeds=seeds)
    chosen = setup.config.only(names or setup.config.tasks)
    with training(setup) as (session, _):
        from synergy.cli.tables import baseline_table, rendered
        from synergy.stages.baseline import baseline as stage

        found = stage(session, chosen)
    if as_json:
        write_json(found.to_json())
    else:
        write(rendered(baseline_table(found)))
