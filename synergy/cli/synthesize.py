"""``synergy synthesize``: stage 3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synergy.cli.options import (
    DEFAULT_REPAIR,
    DEFAULT_WORKSPACE,
    AsJson,
    Config,
    Distill,
    ExecutorName,
    FinalEpochs,
    MaxAr,
    MaxMacs,
    MaxParams,
    Repair,
    Seed,
    Seeds,
    SolverName,
    Strict,
    Width,
    Workers,
    WorkspaceFolder,
    check_name,
    parse_numbers,
)
from synergy.cli.output import say, write, write_json
from synergy.cli.session import Setup, locked, set_up, training
from synergy.errors import ShortfallError

if TYPE_CHECKING:
    from synergy.config import RunConfig
    from synergy.stages.deliver import Delivery
    from synergy.stages.measure import Row
    from synergy.stages.search import FrontierRow, Wanted
    from synergy.synthesis import ARTable, Synthesis

TableFile = Annotated[
    Path | None,
    typer.Option(
        "--table",
        metavar="FILE",
        help="AR table to use instead of the workspace's: long (task_a, task_b, shared_depth, "
        "ar_pct) or wide (task_a, task_b, ar_4_pct, ...).",
    ),
]
NoTrain = Annotated[
    bool,
    typer.Option(
        "--no-train",
        help="Only find the tree and write tree.json. With --table this needs no workspace and no "
        "recordings and writes nothing; block sizes are those of --config's encoder, or of the "
        "default one.",
    ),
]
ShowFrontier = Annotated[
    bool,
    typer.Option(
        "--frontier",
        help="Show every tree that some threshold leads to, with its size; train nothing.",
    ),
]
TrainFrontier = Annotated[
    str | None,
    typer.Option(
        "--train-frontier",
        metavar="NUMBERS",
        help="Train and measure these trees of --frontier, such as 1,3-5, and nothing else.",
    ),
]


def synthesize(
    max_ar: MaxAr = None,
    solver: SolverName = "recursive",
    strict: Strict = False,
    max_params: MaxParams = None,
    max_macs: MaxMacs = None,
    table: TableFile = None,
    no_train: NoTrain = False,
    frontier: ShowFrontier = False,
    train_frontier: TrainFrontier = None,
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
    """Stage 3: find the sharing tree, train it, verify it and export it.

    The tree follows from the AR table: with --distill from ar_table_distilled.csv where it is
    there. It is compared with independent models and with a flat model of at least its size, all
    under the same budget. While its AR, measured on validation, exceeds --max-ar, the pair that
    binds its worst task may share less and another tree is trained, see --repair. Writes
    tree.json, summary.json and model/ into the workspace.

    Exit code 1 when no tree keeps --max-ar; the nearest miss is written all the same.

    \b
    Example:
      synergy synthesize --max-ar 2.0 --distill
      synergy synthesize --max-params 52600
      synergy synthesize --train-frontier 9 --distill --width 0.75
      synergy synthesize --frontier
      synergy synthesize --table ar_table.csv --max-ar 2.0 --no-train --json
    """
    from synergy.encoders import encoder_at
    from synergy.stages.search import Wanted
    from synergy.synthesis import SOLVERS, ARTable

    check_name("--solver", solver, list(SOLVERS))
    _check_choices(max_ar, max_params, max_macs)
    numbers = parse_numbers("--train-frontier", train_frontier)
    wanted = Wanted(
        solver=solver,  # pyright: ignore[reportArgumentType]  # checked above
        strict=strict,
        max_params=max_params,
        max_macs=max_macs,
        final_epochs=final_epochs,
        distilled=distill,
        repair=repair,
        width=width,
    )
    only_find = no_train or (frontier and numbers is None)
    if table is None:
        known, source = _table_of(workspace, distill)
    else:
        known, source = ARTable.from_csv(table), table
        if only_find:
            _without_workspace(known, config, max_ar, wanted, frontier, as_json)
            return
    setup = set_up(
        "synergy synthesize",
        config,
        workspace,
        executor,
        workers,
        max_ar=max_ar,
        seed=seed,
        seeds=seeds,
    )
    _check_tasks(setup.config, known, table)
    encoder_at(setup.config.encoder, width)  # refused before anything is trained
    if only_find:
        _only_find(setup, known, source, wanted, frontier, as_json)
        return
    with training(setup) as (session, _):
        if numbers is not None:
            from synergy.stages.frontier import train_frontier as train_chosen

            trained = train_chosen(session, known, wanted, numbers)
            if as_json:
                write_json(trained.to_json())
            else:
                write(frontier_text(trained.rows, known.tasks, trained.measured))
            return
        from synergy.stages.deliver import complete

        found = complete(session, known, wanted, source)
    if as_json:
        write_json(found.to_json())
    else:
        write(delivery_text(found, known.tasks))
    if found.shortfall:
        raise ShortfallError(found.shortfall)


def _check_choices(max_ar: float | None, max_params: int | None, max_macs: int | None) -> None:
    from synergy.errors import ConfigError

    budgets = [
        f"--{name}"
        for name, value in (("max-params", max_params), ("max-macs", max_macs))
        if value is not None
    ]
    if budgets and max_ar is not None:
        raise ConfigError(
            f"expected a threshold or a budget, found --max-ar and {' and '.join(budgets)}; "
            "leave one of them out"
        )


def delivery_text(found: Delivery, tasks: tuple[str, ...]) -> str:
    """What stage 3 found, trained and wrote, for people."""
    from synergy.cli.ar_tables import stability_text
    from synergy.cli.tables import attempts_table, interval_table, rendered, score_table, size_table

    attempts = found.final.attempts
    sure = [] if found.certainty is None else [stability_text(found.certainty)]
    tables = [score_table(found.final, tasks), interval_table(found.final), size_table(found.final)]
    if len(attempts) > 1:
        tables.insert(0, attempts_table(attempts, tasks))
    return "\n\n".join(
        [
            synthesis_text(found.synthesis, tasks, found.found),
            *sure,
            rendered(*tables),
            f"model: {found.model}",
        ]
    )


def synthesis_text(synthesis: Synthesis, tasks: tuple[str, ...], found: dict[str, Any]) -> str:
    """Task graph, tree and sizes, for people."""
    from synergy.cli.ar_tables import weights_table
    from synergy.cli.tables import rendered

    optimal = " (provably optimal: no tree under these weights is smaller)"
    exact = found["exact_params"]
    lines = [
        *([f"AR table: {found['table']}"] if found.get("table") else []),
        f"tree: {found['notation']}",
        f"encoder parameters: {found['encoder_params']:,}"
        + (optimal if synthesis.provably_optimal else ""),
        f"  solver recursive: {found['recursive_params']:,}",
        "  solver exact: " + (f"{exact:,}" if exact is not None else "too many tasks for it"),
        *([f"parameters with decoders: {found['params']:,}"] if "params" in found else []),
        f"predicted AR: {found['predicted_ar_pct']:.1f} % (threshold {found['max_ar']:g} %)",
    ]
    return "\n\n".join(
        [rendered(weights_table(synthesis)), synthesis.tree.ascii(tasks), "\n".join(lines)]
    )


def frontier_text(
    rows: Sequence[FrontierRow], tasks: tuple[str, ...], measured: Mapping[int, Row] | None = None
) -> str:
    """The frontier as a table; measured AR where trees were trained."""
    from synergy.cli.ar_tables import frontier_table
    from synergy.cli.tables import rendered

    return rendered(frontier_table(rows, tasks, measured or {}))


def _table_of(workspace: Path, distilled: bool) -> tuple[ARTable, Path]:
    """The table of a workspace and its file, before anything else is looked at."""
    from synergy.stages.synthesize import read_table
    from synergy.workspace import Workspace

    held = Workspace(workspace, create=False) if workspace.exists() else workspace
    return read_table(held, distilled)


def _check_tasks(config: RunConfig, table: ARTable, file: Path | None) -> None:
    from synergy.errors import TableError

    unknown = [task for task in table.tasks if task not in config.tasks]
    if unknown:
        way = "add --no-train to find the tree only" if file else "name it with --config"
        raise TableError(
            f"the AR table has the tasks {', '.join(unknown)}, which the configuration with the "
            f"tasks {', '.join(config.tasks)} lacks; use the configuration that the table was made "
            f"with, or {way}"
        )


def _without_workspace(
    table: ARTable,
    config: Path | None,
    max_ar: float | None,
    wanted: Wanted,
    frontier: bool,
    as_json: bool,
) -> None:
    """A tree, or all of them, from a table alone."""
    from synergy.config import load_config
    from synergy.stages.search import search_tree

    settings = load_config(config) if config is not None else None
    if settings is None:
        say("note: no --config: using the block sizes of the default encoder cnn8")
    elif max_ar is not None:
        settings = settings.with_options(max_ar=max_ar)
    if frontier:
        _show_frontier(table, settings, wanted, as_json)
        return
    synthesis, found = search_tree(table, settings, max_ar, wanted)
    _show(synthesis, table, found, as_json)
    if not wanted.has_budget:
        _refuse_nothing(table, synthesis)


def _only_find(
    setup: Setup, table: ARTable, source: Path, wanted: Wanted, frontier: bool, as_json: bool
) -> None:
    """The tree of a workspace's table, without reading any recording."""
    from synergy.cli.ar_tables import stability_text
    from synergy.files import write_json_atomically
    from synergy.stages.certainty import certainty
    from synergy.stages.search import search_tree

    if frontier:
        _show_frontier(table, setup.config, wanted, as_json)
        return
    with locked(setup) as held:
        synthesis, found = search_tree(table, setup.config, setup.config.max_ar, wanted)
        found["table"], found["width"] = str(source), wanted.width
        write_json_atomically(held.tree, found)
    sure = certainty(source, synthesis, setup.config, wanted.width)
    found["certainty"] = sure and sure.to_json()
    _show(synthesis, table, found, as_json)
    if sure is not None and not as_json:
        write("\n" + stability_text(sure))
    if not wanted.has_budget:
        _refuse_nothing(table, synthesis)


def _show_frontier(table: ARTable, config: RunConfig | None, wanted: Wanted, as_json: bool) -> None:
    from synergy.stages.search import costs_from_settings, frontier_rows

    known = costs_from_settings(config, table.tasks, wanted.width)
    rows = frontier_rows(known, table, wanted)
    if as_json:
        told = [row.to_json(table.tasks) for row in rows]
        write_json({"frontier": told, "decoders_counted": known.knows(table.tasks)})
        return
    write(frontier_text(rows, table.tasks))
    if not known.knows(table.tasks):
        say("note: sizes are of the encoder; with a --config that has all classes, of the network")


def _show(synthesis: Synthesis, table: ARTable, found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        write_json(found)
    else:
        write(synthesis_text(synthesis, table.tasks, found))
        for note in synthesis.notes:
            write(f"note: {note}")


def _refuse_nothing(table: ARTable, synthesis: Synthesis) -> None:
    from synergy.stages.search import nothing_shared

    if missed := nothing_shared(table, synthesis):
        raise ShortfallError(missed)
