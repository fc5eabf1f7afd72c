"""What a workspace tells of losses: those of pairs, and those of the trees that were trained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from synergy.errors import TableError, TreeError, WorkspaceError
from synergy.experiment import Recipe
from synergy.losses.groups import from_tree
from synergy.losses.outlook import Measured, Variant
from synergy.losses.pair_losses import PairLosses
from synergy.losses.pooling import MOST_SEEN, posterior
from synergy.measuring.bench import Bench
from synergy.measuring.pairs import PairTrainer
from synergy.records import ComparisonsFile, FrontierFile
from synergy.rows import Row
from synergy.synthesis import ARTable
from synergy.synthesis.question import TableKind
from synergy.tree import SharingTree
from synergy.workspace import PairTable

_DRAWS = 1000


def pair_losses(bench: Bench, found: PairTable, ways: Iterable[bool]) -> dict[bool, PairLosses]:
    """What pairs lose, plain (False) and distilled (True), as far as it is wanted and known.

    Of a table that was not made in this workspace with its present settings, AR alone is known.
    """
    tables: dict[bool, PairLosses] = {}
    for distilled in dict.fromkeys((found.kind == "distilled", *ways)):
        kind: TableKind = "distilled" if distilled else "plain"
        own = found if found.kind in (kind, None) else _other(bench, kind)
        if own is None or own.table.tasks != found.table.tasks:
            continue
        if (losses := _of_trainings(bench, own)) is not None:
            tables[distilled] = losses
    return tables or {found.kind == "distilled": _of_cells(found.table)}


def measured(bench: Bench, rows: Sequence[Row]) -> Measured:
    """Scores of a network on validation, over the seeds of its rows."""
    scores: list[float] = []
    speakers: list[float] = []
    digests = [digest for row in rows for digest in row.digests]
    for task in bench.tasks:
        means, weights = zip(*((r.mean_scores["valid"][task], r.seeds) for r in rows), strict=True)
        scores.append(float(np.average(means, weights=weights)))
        alone = [run.digest for run in bench.singles.runs[task].values()]
        each = (bench.resampler.scores(some, "valid", task) for some in (alone, digests))
        scale = bench.singles.mean("valid", task)
        lost = np.subtract(*each)
        speakers.append(float(np.var(100.0 / scale * lost)) if scale else 0.0)
    return Measured(np.array(scores), sum(row.seeds for row in rows), np.array(speakers))


def trained_before(bench: Bench, table: ARTable) -> dict[Variant, Measured]:
    """Trees of ``frontier.json`` and ``comparisons.json`` that have all tasks of a table.

    Those that were trained with the present settings and share depths of the table.
    """
    found: dict[Variant, Measured] = {}
    for row in _rows(bench):
        variant = _variant(bench, row, table)
        if variant is not None and variant not in found:
            found[variant] = measured(bench, [row])
    return found


def _other(bench: Bench, kind: TableKind) -> PairTable | None:
    """The other table of the workspace; None where it is damaged or not there."""
    files = bench.session.workspace.table_files(kind)
    try:
        return files.read() if files.table.is_file() else None
    except TableError:  # `synergy pairwise` writes it anew
        return None


def _of_trainings(bench: Bench, found: PairTable) -> PairLosses | None:
    """From the scores behind a table, if they are here and not too many."""
    table = found.table
    if found.kind is None or (len(table.tasks) - 1) * len(table.depths) > MOST_SEEN:
        return None
    trainer = PairTrainer(bench.session, bench.singles, found.kind)
    done = {cell.key: {trial.digest for trial in trainer.done(cell.key)} for cell in table.cells}
    if not all(done[cell.key] >= set(cell.trials) for cell in table.cells):
        return None
    failed = [cell.key for cell in table.cells if cell.status == "failed"]
    evidence = trainer.evidence(table.tasks, table.depths, failed)
    return PairLosses.of(posterior(evidence, _DRAWS))


def _of_cells(table: ARTable) -> PairLosses:
    unknown = [cell.key for cell in table.cells if cell.ar_pct is None]
    ar = np.array([cell.ar_pct or 0.0 for cell in table.cells])
    return PairLosses.of_cells(table.tasks, table.depths, np.tile(ar, (_DRAWS, 1)), unknown)


def _rows(bench: Bench) -> Iterator[Row]:
    """Trees that earlier commands trained."""
    workspace = bench.session.workspace
    try:
        if frontier := FrontierFile.read(workspace.frontier):
            yield from (each.measured for each in frontier.frontier if each.measured)
        if comparisons := ComparisonsFile.read(workspace.comparisons):
            yield from comparisons.rows
    except WorkspaceError:  # the command that wrote it mends it
        return


def _variant(bench: Bench, row: Row, table: ARTable) -> Variant | None:
    """What a row is of, where it is a tree that was trained with the present settings."""
    experiment, store = bench.session.experiment, bench.session.workspace.trials
    if row.notation is None or not row.digests:
        return None
    try:
        tree = SharingTree.parse(row.notation, experiment.depth)
        from_tree(tree, table.tasks, table.depths)
    except (TreeError, TableError):
        return None
    recipe = Recipe(distilled=row.distilled, width=row.width)
    ours = {trial.digest for trial in experiment.trials([tree], recipe)}
    known = ours.issuperset(row.digests) and all(map(store.is_done, row.digests))
    return Variant(tree, row.width, row.distilled) if known else None
