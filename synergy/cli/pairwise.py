"""``synergy pairwise``: stage 2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from synergy.cli.options import (
    DEFAULT_WORKSPACE,
    AsJson,
    Config,
    Depths,
    Distill,
    ExecutorName,
    MaxAr,
    Seed,
    Seeds,
    SweepName,
    Tasks,
    Workers,
    WorkspaceFolder,
    check_name,
    parse_depths,
    parse_tasks,
)
from synergy.cli.output import write, write_json
from synergy.cli.session import set_up, training

if TYPE_CHECKING:
    from synergy.stages.pairwise import Pairs


Refine = Annotated[
    int,
    typer.Option(
        "--refine",
        metavar="N",
        min=0,
        help="Spend N further trainings of pairs, one seed at a time, on the cells whose interval "
        "straddles --max-ar and whose outcome can change the tree. Needs a table; with --sweep, "
        "--tasks or --depths that is brought up to date first.",
    ),
]


def pairwise(
    tasks: Tasks = None,
    depths: Depths = None,
    max_ar: MaxAr = None,
    sweep: SweepName = None,
    refine: Refine = 0,
    distill: Distill = False,
    config: Config = None,
    workspace: WorkspaceFolder = DEFAULT_WORKSPACE,
    seed: Seed = None,
    seeds: Seeds = None,
    workers: Workers = None,
    executor: ExecutorName = "process",
    as_json: AsJson = False,
) -> None:
    """Stage 2: train pairs of tasks with shared blocks, into the AR table.

    Single-task models that are missing are trained first. AR, the accuracy reduction, is the
    largest relative loss of one of the two tasks against its single-task model, in percent; its
    95 % interval comes from a bootstrap over seeds and speakers. A sweep other than full trains
    only what the tree at --max-ar needs. Writes ar_table.csv and ar_samples.csv, with --distill
    ar_table_distilled.csv and ar_samples_distilled.csv.

    \b
    Example:
      synergy pairwise --tasks gc,ac,scr,vad --depths 4-8 --seeds 3
      synergy pairwise --sweep lazy --max-ar 2.0
      synergy pairwise --refine 6
    """
    from synergy.synthesis.sweeps import SWEEPS

    if sweep is not None:
        check_name("--sweep", sweep, list(SWEEPS))
    names, swept = parse_tasks(tasks), parse_depths(depths)
    if sweep is None and (names or swept):
        sweep = "full"
    setup = set_up(
        "synergy pairwise",
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
        from synergy.stages.pairwise import PairPlan
        from synergy.stages.pairwise import pairwise as stage

        plan = PairPlan(sweep, refine, distill)
        found = stage(session, chosen, setup.config.depths, plan)
    if as_json:
        write_json(found.to_json())
    else:
        write(pairs_text(found))


def pairs_text(found: Pairs) -> str:
    """Tables of the single-task models and of the pairs; below them why cells are missing."""
    from synergy.cli.ar_tables import ar_table, cell_notes
    from synergy.cli.tables import baseline_table, rendered

    notes = [*cell_notes(found.table), *(f"refined: {text}" for text in found.refined)]
    notes += [f"note: {text}" for text in found.notes]
    tables = rendered(baseline_table(found.baselines), ar_table(found.table))
    return "\n".join([tables, *([""] if notes else []), *notes])
