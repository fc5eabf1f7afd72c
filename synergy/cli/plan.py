"""``synergy plan``: how many trainings, and how long, before anything starts."""

from __future__ import annotations

from synergy.cli.options import (
    DEFAULT_WORKSPACE,
    AsJson,
    Config,
    Depths,
    Distill,
    FinalEpochs,
    MaxAr,
    Seed,
    Seeds,
    SolverName,
    Strict,
    Tasks,
    Width,
    Workers,
    WorkspaceFolder,
    check_name,
    parse_depths,
    parse_tasks,
)
from synergy.cli.output import say, write, write_json
from synergy.cli.progress import Reporter
from synergy.cli.session import set_up


def plan(
    tasks: Tasks = None,
    depths: Depths = None,
    max_ar: MaxAr = None,
    solver: SolverName = "recursive",
    strict: Strict = False,
    distill: Distill = False,
    final_epochs: FinalEpochs = None,
    width: Width = 1.0,
    config: Config = None,
    workspace: WorkspaceFolder = DEFAULT_WORKSPACE,
    seed: Seed = None,
    seeds: Seeds = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Tell how much there is to train, and how long it takes.

    Counts what `run` would do, with every sweep of the pairs.

    Trains nothing and writes nothing into the workspace; features that are missing are computed.
    The time comes from finished trainings of the workspace, else from a probe of a few seconds.

    \b
    Example:
      synergy plan --config examples/real_speech.yaml --seeds 3
    """
    from synergy.synthesis import SOLVERS

    check_name("--solver", solver, list(SOLVERS))
    names, swept = parse_tasks(tasks), parse_depths(depths)
    setup = set_up(
        "synergy plan",
        config,
        workspace,
        "process",
        workers,
        seed=seed,
        seeds=seeds,
        depths=swept,
        max_ar=max_ar,
    )
    chosen = setup.config.only(names or setup.config.tasks)
    from synergy.stages.pairwise import check_pairable

    check_pairable(chosen)
    from synergy.experiment import prepare
    from synergy.stages.plan import plan as stage
    from synergy.stages.search import Wanted

    wanted = Wanted(
        solver=solver,  # pyright: ignore[reportArgumentType]  # checked above
        strict=strict,
        final_epochs=final_epochs,
        distilled=distill,
        width=width,
    )
    with Reporter() as reporter:
        experiment = prepare(setup.config, setup.workers, reporter.preparing)
    found = stage(experiment, setup.workspace, chosen, setup.config.depths, setup.workers, wanted)
    if as_json:
        write_json(found.to_json())
        return
    from synergy.cli.tables import plan_table, rendered, sweep_table
    from synergy.wording import duration

    write(rendered(plan_table(found), sweep_table(found)))
    say(
        f"note: a tree that misses the threshold is repaired at most --repair times, each "
        f"{found.repair_trainings} trainings, {duration(found.repair_seconds)}; what "
        "`synergy compare` trains on top is not counted"
    )
    say(f"note: {found.basis}")
