"""``synergy run``: the three stages in one go."""

from __future__ import annotations

from synergy.cli.options import (
    DEFAULT_WORKSPACE,
    AsJson,
    Config,
    Depths,
    ExecutorName,
    FinalEpochs,
    MaxAr,
    Seed,
    Seeds,
    SolverName,
    Tasks,
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
    solver: SolverName = "recursive",
    final_epochs: FinalEpochs = None,
    config: Config = None,
    workspace: WorkspaceFolder = DEFAULT_WORKSPACE,
    seed: Seed = None,
    seeds: Seeds = None,
    workers: Workers = None,
    executor: ExecutorName = "process",
    as_json: AsJson = False,
) -> None:
    """All three stages: baseline, pairwise and synthesize.

    Exit code 1 when --max-ar is given and the AR of the trained tree, measured on validation,
    exceeds it; where the threshold comes from the configuration, that is a note and the exit
    code is 0. Everything is written in either case.

    \b
    Example:
      synergy run
      synergy run --config examples/real_speech.yaml --workspace runs/real --max-ar 5
    """
    from synergy.synthesis import SOLVERS

    check_name("--solver", solver, list(SOLVERS))
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
    chosen = setup.config.only(names or setup.config.tasks)
    from synergy.stages.pairwise import check_pairable

    check_pairable(chosen)
    with training(setup) as (session, _):
        from synergy.stages.deliver import complete
        from synergy.stages.pairwise import pairwise as second_stage

        pairs = second_stage(session, chosen, setup.config.depths)
        if not as_json:
            write(pairs_text(pairs) + "\n")
        found = complete(session, pairs.table, solver, final_epochs)  # pyright: ignore[reportArgumentType]
    if as_json:
        both = {"pairwise": pairs.to_json(), "synthesize": found.to_json()}
        write_json({"workspace": str(setup.workspace), **both})
    else:
        write(delivery_text(found, chosen))
        write(f"\nIn {setup.workspace}:\n{_WHERE}")
    if found.shortfall and max_ar is not None:
        raise ShortfallError(found.shortfall)
    if found.shortfall:
        say(f"note: {found.shortfall}")


_WHERE = """\
  config.yaml   every setting, defaults included
  ar_table.csv  accuracy reduction of every pair at every shared depth
  tree.json     the sharing tree
  summary.json  scores, sizes and notes on the data
  model/        the trained network: model.py, weights.safetensors, spec.json, README.md
  trials/       one folder for each training"""
