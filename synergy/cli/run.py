"""``synergy run``: the three stages in one go."""

from __future__ import annotations

from synergy.cli.options import (
    DEFAULT_REPAIR,
    DEFAULT_WORKSPACE,
    AsJson,
    Config,
    Depths,
    Distill,
    ExecutorName,
    FinalEpochs,
    MaxAr,
    Repair,
    Seed,
    Seeds,
    SolverName,
    Strict,
    SweepName,
    Tasks,
    Width,
    Workers,
    WorkspaceFolder,
    check_name,
    parse_depths,
    parse_tasks,
)
from synergy.cli.output import say, write, write_json
from synergy.cli.pairwise import pairs_text
from synergy.cli.session import set_up, training
from synergy.cli.synthesize import delivery_text
from synergy.errors import ShortfallError


def run(
    tasks: Tasks = None,
    depths: Depths = None,
    max_ar: MaxAr = None,
    sweep: SweepName = None,
    solver: SolverName = "recursive",
    strict: Strict = False,
    distill: Distill = False,
    repair: Repair = DEFAULT_REPAIR,
    final_epochs: FinalEpochs = None,
    width: Width = 1.0,
    config: Config = None,
    workspace: WorkspaceFolder = DEFAULT_WORKSPACE,
    seed: Seed = None,
    seeds: Seeds = None,
    workers: Workers = None,
    executor: ExecutorName = "process",
    as_json: AsJson = False,
) -> None:
    """All three stages: baseline, pairwise and synthesize.

    With --distill the pairs and the tree learn from the single-task models as well.

    Exit code 1 when --max-ar is given and the AR of the trained tree, measured on validation,
    exceeds it; where the threshold comes from the configuration, that is a note and the exit
    code is 0. Everything is written in either case.

    \b
    Example:
      synergy run
      synergy run --config examples/real_speech.yaml --workspace runs/real --max-ar 5
    """
    from synergy.encoders import encoder_at
    from synergy.stages.search import Wanted
    from synergy.synthesis import SOLVERS
    from synergy.synthesis.sweeps import SWEEPS

    check_name("--solver", solver, list(SOLVERS))
    if sweep is not None:
        check_name("--sweep", sweep, list(SWEEPS))
    names, swept = parse_tasks(tasks), parse_depths(depths)
    setup = set_up(
        "synergy run",
        config,
        workspace,
        executor,
        workers,
        seed=seed,
        seeds=seeds,
        depths=swept,
        max_ar=max_ar,
    )
    encoder_at(setup.config.encoder, width)  # refused before anything is trained
    chosen = setup.config.only(names or setup.config.tasks)
    from synergy.stages.pairwise import check_pairable

    check_pairable(chosen)
    with training(setup) as (session, _):
        from synergy.stages.deliver import complete
        from synergy.stages.pairwise import PairPlan
        from synergy.stages.pairwise import pairwise as second_stage

        plan = PairPlan(sweep, distilled=distill)
        pairs = second_stage(session, chosen, setup.config.depths, plan)
        if not as_json:
            write(pairs_text(pairs) + "\n")
        wanted = Wanted(
            solver=solver,  # pyright: ignore[reportArgumentType]  # checked above
            strict=strict,
            final_epochs=final_epochs,
            distilled=distill,
            repair=repair,
            width=width,
        )
        source, _ = session.workspace.table_files(distill)
        found = complete(session, pairs.table, wanted, source)
    if as_json:
        both = {"pairwise": pairs.to_json(), "synthesize": found.to_json()}
        write_json({"workspace": str(setup.workspace), **both})
    else:
        write(delivery_text(found, chosen))
        write(f"\nIn {setup.workspace}:\n{_WHERE.format(table=source.name)}")
    if found.shortfall and max_ar is not None:
        raise ShortfallError(found.shortfall)
    if found.shortfall:
        say(f"note: {found.shortfall}")


_WHERE = """\
  config.yaml   every setting, defaults included
  {table}  accuracy reduction of every pair at every shared depth, with intervals
  tree.json     the sharing tree
  summary.json  scores, sizes and notes on the data
  model/        the trained network: model.py, weights.safetensors, spec.json, README.md
  trials/       one folder for each training"""
