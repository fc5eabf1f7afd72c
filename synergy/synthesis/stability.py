"""How far the tree depends on the noise of the table, and which cells to measure again.

Every resampled table is solved. What differs between them is which cells pass; the table itself
decides between trees of equal cost, so that a tie is no instability.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from synergy.costs import Costs
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.cells import CellKey
from synergy.synthesis.effort import trees_within
from synergy.synthesis.exact import ExactSplits
from synergy.synthesis.question import Question
from synergy.synthesis.recursive import PaperSplits
from synergy.synthesis.resampling import TableSamples, tail_of
from synergy.synthesis.task_graph import TaskGraph, task_graph
from synergy.synthesis.tree_search import TreeSearch

Pair = tuple[str, str]

Depths = tuple[tuple[int, ...], ...]
"""What every pair may share, as in a `TaskGraph`."""

_EFFORT = 3e7  # see `trees_within`: seconds


@dataclass(frozen=True)
class Repeat:
    """A cell that is worth another training.

    Attributes
    ----------
    key : CellKey
    seeds : int
        Number of trainings so far.
    passes, decides : float
        Shares of the resampled tables in which it passes, and whose tree depends on whether it
        does.
    """

    key: CellKey
    seeds: int
    passes: float
    decides: float

    @property
    def score(self) -> float:
        """Chance that the tree changes when this cell alone is drawn a second time."""
        return 2 * self.passes * (1 - self.passes) * self.decides


@dataclass(frozen=True)
class Stability:
    """How often what was found comes out of resampled tables.

    Attributes
    ----------
    samples : int
        Number of resampled tables that were solved, on which all shares rest: as many of the
        first ones as can be solved in some seconds.
    tree_share : float
        Share of the resampled tables that give the tree of the table itself.
    trees : tuple of (str, float)
        Every tree that came out, in notation, with its share; the most frequent first.
    admissible : mapping of pair to mapping of depth to float
        Share of the resampled tables in which the pair passes at that depth; depths that were
        not measured are absent.
    at_least : mapping of pair to mapping of depth to float
        Share in which its weight is that depth or more.
    repeat : tuple of Repeat
        Cells whose outcome is uncertain and can change the tree, by falling score; with many
        tasks only the most uncertain ones are looked at.
    skipped : int
        Cells that a sweep skipped; they pass in no resampled table.
    """

    samples: int
    tree_share: float
    trees: tuple[tuple[str, float], ...]
    admissible: Mapping[Pair, Mapping[int, float]]
    at_least: Mapping[Pair, Mapping[int, float]]
    repeat: tuple[Repeat, ...]
    skipped: int


def stability(
    question: Question, samples: TableSamples, costs: Costs, level: float | None = 0.95
) -> Stability:
    """Solve the resampled tables, and those in which one uncertain cell comes out differently.

    Parameters
    ----------
    question : Question
        Its budgets are not looked at.
    samples : TableSamples
        A cell without AR passes in none of them. Where a sweep skipped cells, a pair that
        happens to exceed the threshold therefore falls further than it would in a full table.
    costs : Costs
    level : float, optional
        Above 0 and below 1. A cell is uncertain when the percentile interval of this level holds
        the threshold: when both outcomes have a larger share than ``(1 - level) / 2``. With None
        no cell is looked at.

    Raises
    ------
    ConfigError, TableError, TreeError
        As `search`, and if the level is out of range.
    """
    tail = 0.0 if level is None else tail_of(level)
    table, most = samples.table, trees_within(_EFFORT, len(samples.table.tasks))
    pairs, depths = table.pairs(), table.depths
    trees = _Trees(question, table, costs)
    own = task_graph(table, question).depths
    # cells are kept by pair, then by depth
    measured = np.array([cell.ar_pct is not None for cell in table.cells])
    passes = ((samples.ar <= question.max_ar) & measured).reshape(
        len(samples.ar), len(pairs), len(depths)
    )
    weighted = _patterns(passes, depths, most)
    count = sum(weighted.values())
    passes = passes[:count]

    found: Counter[str] = Counter()
    for rows, times in weighted.items():
        found[trees.notation(rows)] += times
    shares = passes.mean(axis=0)
    uncertain = [
        (cell, i, float(shares[i, j]))
        for cell, (i, j) in zip(table.cells, np.ndindex(shares.shape), strict=True)
        if level is not None and tail < shares[i, j] < 1 - tail
    ]
    # Small problems are looked at as a whole, of large ones a few tables for the first cells.
    for_each = max(5, 4 * most // max(1, len(uncertain)))
    some = dict(itertools.islice(weighted.items(), for_each))
    repeat: list[Repeat] = []
    for cell, i, share in sorted(uncertain, key=lambda each: abs(each[2] - 0.5)):
        if trees.searched >= 2 * most:
            break
        deciding = sum(
            times for rows, times in some.items() if trees.depends(rows, i, cell.shared_depth)
        )
        if deciding or trees.depends(own, i, cell.shared_depth):
            repeat.append(Repeat(cell.key, cell.seeds, share, deciding / sum(some.values())))
    # Where a depth or a larger one passes.
    reached = np.logical_or.accumulate(passes[..., ::-1], axis=-1)[..., ::-1]
    admissible: dict[Pair, dict[int, float]] = {pair: {} for pair in pairs}
    for cell, share in zip(table.cells, shares.ravel().tolist(), strict=True):
        if cell.ar_pct is not None:
            admissible[cell.task_a, cell.task_b][cell.shared_depth] = share
    place = {cell.key: number for number, cell in enumerate(table.cells)}
    return Stability(
        samples=count,
        tree_share=found[trees.notation(own)] / count,
        trees=tuple(
            (notation, times / count)
            for notation, times in sorted(found.items(), key=lambda item: (-item[1], item[0]))
        ),
        admissible=admissible,
        at_least={
            pair: dict(zip(depths, row, strict=True))
            for pair, row in zip(pairs, reached.mean(axis=0).tolist(), strict=True)
        },
        repeat=tuple(sorted(repeat, key=lambda cell: (-cell.score, place[cell.key]))),
        skipped=sum(cell.status == "skipped" for cell in table.cells),
    )


def _patterns(allowed: np.ndarray, depths: Sequence[int], most: int) -> dict[Depths, int]:
    """What the pairs of the first tables may share, and in how many of them.

    ``allowed`` is bool [tables, pairs, depths]. No more tables count than differ in ``most`` ways.
    """
    counts: Counter[bytes] = Counter()
    for rows in allowed:
        key = rows.tobytes()
        if key not in counts and len(counts) == most:
            break
        counts[key] += 1
    shape = allowed.shape[1:]
    return {
        tuple(
            tuple(itertools.compress(depths, row))
            for row in np.frombuffer(key, dtype=bool).reshape(shape)
        ): times
        for key, times in counts.items()
    }


class _Trees:
    """The trees of resampled tables, each solved once."""

    def __init__(self, question: Question, table: ARTable, costs: Costs) -> None:
        self._table = table
        self._block_costs = costs.block_params
        self._strict = question.strict
        self._kind = ExactSplits if question.solver == "exact" else PaperSplits
        self._notations: dict[Depths, str] = {}

    @property
    def searched(self) -> int:
        """How many trees were searched for."""
        return len(self._notations)

    def notation(self, depths: Depths) -> str:
        """The tree of some depths."""
        if not self._strict:  # the largest depth is the weight, and nothing else counts
            depths = tuple(row[-1:] for row in depths)
        if depths not in self._notations:
            graph, table = TaskGraph(self._table.tasks, depths), self._table
            tree = TreeSearch(self._kind, graph, self._block_costs, table, self._strict).tree()
            self._notations[depths] = tree.notation(table.tasks)
        return self._notations[depths]

    def depends(self, depths: Depths, pair: int, depth: int) -> bool:
        """Whether the tree of some depths depends on whether a pair passes at one."""
        row = depths[pair]
        if not self._strict and row and row[-1] > depth:
            return False
        before, after = depths[:pair], depths[pair + 1 :]
        ways = tuple(sorted({*row, depth})), tuple(d for d in row if d != depth)
        one, other = (self.notation((*before, way, *after)) for way in ways)
        return one != other
