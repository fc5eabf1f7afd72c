"""What the search says of a table: its task graphs, its trees at all thresholds, how sure they are.

The only file of the report that asks the search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

from synergy.certainty import TreeShare
from synergy.costs import Costs
from synergy.errors import ConfigError
from synergy.files import StrictModel
from synergy.records import Tree, TreeFile
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.frontier import FrontierTree, every_threshold, frontier, thresholds
from synergy.synthesis.question import Question, Solver
from synergy.synthesis.resampling import TableSamples
from synergy.synthesis.stability import stability
from synergy.synthesis.task_graph import task_graph
from synergy.wording import skipped_caveat

_EFFORT = 1e8  # of all thresholds: half a minute


class Stop(StrictModel):
    """Thresholds from ``low`` to below ``high``, in percent, that lead to one task graph.

    ``weights`` are in the order of the table's pairs, ``tree`` is a place in `Trees.distinct`.
    """

    low: float
    high: float | None
    weights: tuple[int, ...]
    tree: int


class DistinctTree(StrictModel):
    """A tree with its costs, and the thresholds from ``low`` to below ``high`` that lead to it."""

    tree: Tree
    notation: str
    low: float
    high: float | None
    params: int
    macs: int
    predicted_ar_pct: float
    provably_optimal: bool


class Trees(StrictModel):
    """The thresholds of a table, ascending from 0 without gaps; that of the run is at ``start``.

    Of many tasks ``left_out`` thresholds were not searched.
    """

    solver: Solver
    strict: bool
    start: int
    left_out: int
    stops: tuple[Stop, ...]
    distinct: tuple[DistinctTree, ...]


class PairWeights(StrictModel):
    """A pair: by depth, in what share of resampled tables it may share at least that much."""

    task_a: str
    task_b: str
    shares: dict[str, float]


class StabilityNumbers(StrictModel):
    """How often resampled tables give the same tree."""

    samples: int
    tree_share: float
    caveat: str
    trees: tuple[TreeShare, ...]
    at_least: tuple[PairWeights, ...]


def weights_of(table: ARTable, max_ar: float) -> dict[tuple[str, str], int]:
    """How many blocks each pair of a table may share, pairs in its order."""
    graph = task_graph(table, Question(max_ar))
    return dict(zip(graph.pairs(), graph.weights, strict=True))


def trees_of(
    table: ARTable, costs: Costs, told: TreeFile | None, max_ar: float, order: Sequence[str]
) -> Trees:
    """Solve a table, as the tree of the run was, at every threshold that makes a difference.

    Raises
    ------
    TableError, TreeError
        If a task has a name that no tree can hold, or a depth is larger than the encoder's.
    """
    solver: Solver = "exact" if told is not None and told.solver == "exact" else "recursive"
    question = Question(max_ar, solver=solver, strict=told is not None and told.strict)
    try:
        found = frontier(question, table, costs, _EFFORT)
    except ConfigError:  # too many tasks for the exact one
        question = replace(question, solver="recursive")
        found = frontier(question, table, costs, _EFFORT)
    lows = thresholds(question, table, _EFFORT)
    stops = _stops(table, found, lows)
    return Trees(
        solver=question.solver,
        strict=question.strict,
        start=max(n for n, stop in enumerate(stops) if stop.low <= max_ar or n == 0),
        left_out=len(every_threshold(table)) - len(lows),
        stops=stops,
        distinct=tuple(
            DistinctTree(
                tree=each.synthesis.tree,
                notation=each.synthesis.tree.notation(order),
                low=each.low,
                high=each.high,
                params=costs.params(each.synthesis.tree),
                macs=costs.macs(each.synthesis.tree),
                predicted_ar_pct=each.synthesis.predicted_ar_pct,
                provably_optimal=each.synthesis.provably_optimal,
            )
            for each in found
        ),
    )


def stability_of(
    samples: TableSamples, costs: Costs, trees: Trees, max_ar: float
) -> StabilityNumbers:
    """Solve every resampled table at the threshold of the run."""
    question = Question(max_ar, solver=trees.solver, strict=trees.strict)
    found = stability(question, samples, costs, level=None)
    return StabilityNumbers(
        samples=found.samples,
        tree_share=found.tree_share,
        caveat=skipped_caveat(found.skipped),
        trees=tuple(TreeShare(notation=text, share=share) for text, share in found.trees),
        at_least=tuple(
            PairWeights(task_a=a, task_b=b, shares={str(d): share for d, share in by.items()})
            for (a, b), by in found.at_least.items()
        ),
    )


def _stops(
    table: ARTable, found: Sequence[FrontierTree], searched: Sequence[float]
) -> tuple[Stop, ...]:
    lows: dict[tuple[tuple[int, ...], int], float] = {}  # both only grow with the threshold
    for low in searched:
        tree = max(n for n, entry in enumerate(found) if entry.low <= low)
        lows.setdefault((tuple(weights_of(table, low).values()), tree), low)
    return tuple(
        Stop(low=low, high=high, weights=weights, tree=tree)
        for ((weights, tree), low), high in zip_longest(lows.items(), [*lows.values()][1:])
    )
