"""``synergy synthesize``: stage 3."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synergy.cli.options import (
    DEFAULT_WORKSPACE,
    AsJson,
    Config,
    ExecutorName,
    FinalEpochs,
    MaxAr,
    Seed,
    Seeds,
    SolverName,
    Workers,
    WorkspaceFolder,
    check_name,
)
from synergy.cli.output import say, write, write_json
from synergy.cli.session import Setup, locked, set_up, training
from synergy.errors import ShortfallError

if TYPE_CHECKING:
    from synergy.config import RunConfig
    from synergy.stages.deliver import Delivery
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
        help="Only find the tree. With --table this needs no workspace and no recordings; block "
        "sizes are those of --config's encoder, or of the default one.",
    ),
]


def synthesize(
    max_ar: MaxAr = None,
    solver: SolverName = "recursive",
    table: TableFile = None,
    no_train: NoTrain = False,
    final_epochs: FinalEpochs = None,
    config: Config = None,
    workspace: WorkspaceFolder = DEFAULT_WORKSPACE,
    seed: Seed = None,
    seeds: Seeds = None,
    workers: Workers = None,
    executor: ExecutorName = "process",
    as_json: AsJson = False,
) -> None:
    """Stage 3: find the sharing tree, train it and export it.

    The tree follows from the AR table. It is compared with independent models and with a flat
    model of at least its size, all under the same budget. Writes tree.json, summary.json and
    model/ into the workspace.

    Exit code 1 when the AR of the trained tree, measured on validation, exceeds --max-ar;
    everything is written all the same.

    \b
    Example:
      synergy synthesize --max-ar 2.0
      synergy synthesize --table ar_table.csv --max-ar 2.0 --no-train --json
    """
    from synergy.synthesis import SOLVERS, ARTable

    check_name("--solver", solver, list(SOLVERS))
    own = None if table is None else ARTable.from_csv(table)
    if no_train and own is not None:
        _from_table(own, config, max_ar, solver, as_json)
        return
    known = own or _table_of(workspace)
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
    if no_train:
        _only_find(setup, known, solver, as_json)
        return
    with training(setup) as (session, _):
        from synergy.stages.deliver import complete

        found = complete(session, known, solver, final_epochs)  # pyright: ignore[reportArgumentType]
    if as_json:
        write_json(found.to_json())
    else:
        write(delivery_text(found, known.tasks))
    if found.shortfall:
        raise ShortfallError(found.shortfall)


def delivery_text(found: Delivery, tasks: tuple[str, ...]) -> str:
    """What stage 3 found, trained and wrote, for people."""
    from synergy.cli.tables import rendered, score_table, size_table

    return "\n\n".join(
        [
            synthesis_text(found.synthesis, tasks, found.found),
            rendered(score_table(found.final, tasks), size_table(found.final)),
            f"model: {found.model}",
        ]
    )


def synthesis_text(synthesis: Synthesis, tasks: tuple[str, ...], found: dict[str, Any]) -> str:
    """Task graph, tree and sizes, for people."""
    from synergy.cli.tables import rendered, weights_table

    optimal = " (no tree under these weights is smaller)" if synthesis.provably_optimal else ""
    exact = found["exact_params"]
    lines = [
        f"tree: {found['notation']}",
        f"encoder parameters: {found['encoder_params']:,}{optimal}",
        f"  solver recursive: {found['recursive_params']:,}",
        "  solver exact: " + (f"{exact:,}" if exact is not None else "only up to 14 tasks"),
        *([f"parameters with decoders: {found['params']:,}"] if "params" in found else []),
        f"predicted AR: {found['predicted_ar_pct']:.1f} % (threshold {found['max_ar']:g} %)",
    ]
    return "\n\n".join(
        [rendered(weights_table(synthesis)), synthesis.tree.ascii(tasks), "\n".join(lines)]
    )


def _table_of(workspace: Path) -> ARTable:
    """The table of a workspace, before anything else is looked at."""
    from synergy.stages.synthesize import read_table
    from synergy.workspace import Workspace

    return read_table(Workspace(workspace, create=False) if workspace.exists() else workspace)


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


def _from_table(
    table: ARTable, config: Path | None, max_ar: float | None, solver: str, as_json: bool
) -> None:
    """A tree from a table alone."""
    from synergy.config import load_config
    from synergy.stages.search import search_tree

    settings = load_config(config) if config is not None else None
    if settings is None:
        say("note: no --config: using the block sizes of the default encoder cnn8")
    elif max_ar is not None:
        settings = settings.with_options(max_ar=max_ar)
    synthesis, found = search_tree(table, settings, max_ar, solver)
    _show(synthesis, table, found, as_json)


def _only_find(setup: Setup, table: ARTable, solver: str, as_json: bool) -> None:
    """The tree of a workspace's table, without reading any recording."""
    from synergy.atomic import write_json_atomically
    from synergy.stages.search import search_tree

    with locked(setup) as held:
        synthesis, found = search_tree(table, setup.config, setup.config.max_ar, solver)
        write_json_atomically(held.tree, found)
    _show(synthesis, table, found, as_json)


def _show(synthesis: Synthesis, table: ARTable, found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        write_json(found)
    else:
        write(synthesis_text(synthesis, table.tasks, found))
        for note in synthesis.notes:
            write(f"note: {note}")
