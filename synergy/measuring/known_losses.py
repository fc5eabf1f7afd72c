"""What a workspace tells of losses: those of pairs, and those of the trees that were trained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from synergy.errors import SynergyError, TableError, WorkspaceError
from synergy.experiment import Recipe
from synergy.losses.groups import from_tree
from synergy.losses.outlook import Measured, Variant
from synergy.losses.pair_losses import PairLosses
from synergy.losses.pooling import MOST_SEEN, posterior
from synergy.measuring.bench import Bench
from synergy.measuring.bootstrap import below
from synergy.measuring.outcome import levelled
from synergy.measuring.pairs import PairTrainer
from synergy.null_file import NullFile
from synergy.records import ComparisonsFile, FrontierFile
from synergy.rows import Row
from synergy.synthesis import ARTable
from synergy.synthesis.question import TableKind
from synergy.tree import SharingTree
from synergy.workspace import PairTable

_DRAWS = 1000


@dataclass(frozen=True)
class KnownPairs:
    """What pairs lose.

    Attributes
    ----------
    tables : mapping of bool to PairLosses
        Of plain pairs (False), of distilled ones (True), or of both.
    trials : frozenset of str
        Digests of the trainings that they rest on, where these are known.
    """

    tables: Mapping[bool, PairLosses]
    trials: frozenset[str]


def known_pairs(bench: Bench, found: PairTable, ways: Iterable[bool]) -> KnownPairs:
    """What pairs lose, plain and distilled, as far as it is wanted and known.

    Of a table that was not made in this workspace with its present settings, AR alone is known.
    What was trained after the table was written does not count.
    """
    tables: dict[bool, PairLosses] = {}
    trials: set[str] = set()
    for distilled in dict.fromkeys((found.kind == "distilled", *ways)):
        kind: TableKind = "distilled" if distilled else "plain"
        own = found if found.kind in (kind, None) else _other(bench, kind)
        if own is None or (own.table.tasks, own.table.depths) != (
            found.table.tasks,
            found.table.depths,
        ):
            continue
        if (digests := _trainings(bench, own)) is not None:
            trainer = PairTrainer(bench.session, bench.singles, kind)
            failed = [cell.key for cell in own.table.cells if cell.status == "failed"]
            evidence = trainer.evidence(own.table.tasks, own.table.depths, failed, only=digests)
            # another stream for each: what they have in common is not known
            tables[distilled] = PairLosses.of(posterior(evidence, _DRAWS, seed=int(distilled)))
            trials |= digests
    if not tables:
        tables[found.kind == "distilled"] = _of_cells(bench, found.table)
    return KnownPairs(tables, frozenset(trials))


def measured(bench: Bench, rows: Sequence[Row], without: frozenset[str]) -> Measured | None:
    """Scores of a network on validation, over the seeds of its rows.

    Trainings ``without`` are left out; None where none is left.
    """
    places = [
        (row, place, digest)
        for row in rows
        for place, digest in enumerate(row.digests)
        if digest not in without
    ]
    if not places:
        return None
    store, folds = bench.session.workspace.trials, bench.session.experiment.config.evaluation.folds
    ours = [store.result(digest) for _, _, digest in places]
    scores: list[float] = []
    luck: list[np.ndarray] = []
    for task in bench.tasks:
        known = {
            run.seed: row.scores["valid"][task][place]
            for run, (row, place, _) in zip(ours, places, strict=True)
        }
        _, level = levelled([bench.singles.scored("valid", task), known], folds)
        scores.append(float(np.mean([*level.values()])))
        alone = [*bench.singles.runs[task].values()]
        mean = partial(bench.resampler.scores, split="valid", task=task)
        lower = below(mean, alone, ours, folds)
        scale = bench.singles.mean("valid", task)
        lost = 100.0 / scale * lower if scale else np.zeros(len(lower))
        luck.append(lost - lost.mean())
    return Measured(np.array(scores), len(places), np.stack(luck))


def trained_before(
    bench: Bench, table: ARTable, without: frozenset[str]
) -> dict[Variant, Measured]:
    """Trees of ``frontier.json`` and ``comparisons.json`` that have all tasks of a table.

    Those that were trained with the present settings and share depths of the table; trainings
    ``without`` are left out.
    """
    found: dict[Variant, Measured] = {}
    for row in _rows(bench):
        try:
            variant = _variant(bench, row, table)
            if variant is None or variant in found:
                continue
            if (known := measured(bench, [row], without)) is not None:
                found[variant] = known
        except SynergyError:  # what is damaged or of other settings tells nothing
            continue
    return found


def _other(bench: Bench, kind: TableKind) -> PairTable | None:
    """The other table of the workspace; None where it is damaged or not there."""
    files = bench.session.workspace.table_files(kind)
    try:
        return files.read() if files.table.is_file() else None
    except TableError:  # `synergy pairwise` writes it anew
        return None


def _trainings(bench: Bench, found: PairTable) -> frozenset[str] | None:
    """What a table rests on, if all of it is known, here, and not too much."""
    table, workspace = found.table, bench.session.workspace
    if found.kind is None or (len(table.tasks) - 1) * len(table.depths) > MOST_SEEN:
        return None
    trainer = PairTrainer(bench.session, bench.singles, found.kind)
    pairs: set[str] = set()
    for cell in table.cells:
        if cell.ar_pct is None:
            continue
        done = {trial.digest for trial in trainer.done(cell.key)}
        if not cell.trials or not done.issuperset(cell.trials):
            return None
        pairs |= {*cell.trials}
    alone = workspace.table_files(found.kind).single_trials()
    singles = {run.digest for own in bench.singles.runs.values() for run in own.values()}
    try:
        null = NullFile.read(workspace.null(found.kind))
    except WorkspaceError:  # `synergy pairwise` mends it
        null = None
    return frozenset({*pairs, *singles, *alone, *(null.row.digests if null else ())})


def _of_cells(bench: Bench, table: ARTable) -> PairLosses:
    """From AR alone; where a pair has none, the largest of the pair, or of the table."""
    known = [cell.ar_pct for cell in table.cells if cell.ar_pct is not None]
    worst = max(known, default=0.0)
    largest = {
        pair: max((c.ar_pct for c in row if c.ar_pct is not None), default=worst)
        for pair in table.pairs()
        for row in [[table.cell(*pair, depth) for depth in table.depths]]
    }
    ar = [largest[cell.key[:2]] if cell.ar_pct is None else cell.ar_pct for cell in table.cells]
    unknown = [cell.key for cell in table.cells if cell.ar_pct is None]
    alone = [bench.singles.mean("valid", task) for task in table.tasks]
    drawn = np.broadcast_to(np.array(ar), (_DRAWS, len(ar)))
    return PairLosses.of_cells(table.tasks, table.depths, drawn, alone, unknown)


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
    """What a row is of, where it is a tree that was trained with the present settings.

    Raises
    ------
    SynergyError
        If it is of other tasks or depths, or its tree or width is none.
    """
    experiment, store = bench.session.experiment, bench.session.workspace.trials
    if row.notation is None or not row.digests or "valid" not in row.scores:
        return None
    tree = SharingTree.parse(row.notation, experiment.depth)
    from_tree(tree, table.tasks, table.depths)
    recipe = Recipe(distilled=row.distilled, width=row.width)
    ours = {trial.digest for trial in experiment.trials([tree], recipe)}
    known = ours.issuperset(row.digests) and all(map(store.is_done, row.digests))
    return Variant(tree, row.width, row.distilled) if known else None
