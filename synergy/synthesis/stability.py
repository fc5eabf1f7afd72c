"""How far the tree depends on the noise of the table, and which cells to measure again.

Every resampled table is solved. What differs between them is which cells pass; the table itself
decides between trees of equal cost, so that a tie is no instability.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from synergy.costs import Costs
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.cells import CellKey
from synergy.synthesis.exact import ExactSplits
from synergy.synthesis.question import Question
from synergy.synthesis.recursive import PaperSplits
from synergy.synthesis.resampling import TableSamples, tail_of
from synergy.synthesis.task_graph import TaskGraph, task_graph
from synergy.synthesis.tree_search import TreeSearch

Pair = tuple[str, str]


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
    decides_now : bool
        Whether the tree of the table itself depends on it.
    """

    key: CellKey
    seeds: int
    passes: float
    decides: float
    decides_now: bool

    @property
    def score(self) -> float:
        """Chance that the tree changes when this cell alone is drawn a second time."""
        return 2 * self.passes * (1 - self.passes) * self.decides


@dataclass(frozen=True)
class Stability:
    """How often what was found comes out of resampled tables.

    Attributes
    ----------
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
        Cells whose outcome is uncertain and can change the tree, by falling score.
    skipped : int
        Cells that a sweep skipped. They pass in no resampled table.
    """

    tree_share: float
    trees: tuple[tuple[str, float], ...]
    admissible: Mapping[Pair, Mapping[int, float]]
    at_least: Mapping[Pair, Mapping[int, float]]
    repeat: tuple[Repeat, ...]
    skipped: int

    @property
    def caveat(self) -> str:
        """What a reader of the shares must know, one sentence; empty if there is nothing."""
        if not self.skipped:
            return ""
        return (
            f"Cells that the sweep skipped ({self.skipped}) count as not passing, so a pair that "
            "misses falls further here than in a full table."
        )


def stability(
    question: Question, samples: TableSamples, costs: Costs, level: float = 0.95
) -> Stability:
    """Solve every resampled table, and those in which one uncertain cell comes out differently.

    Parameters
    ----------
    question : Question
        Its budgets are not looked at.
    samples : TableSamples
        A cell without AR passes in none of them. Where a sweep skipped cells, a pair that
        happens to exceed the threshold therefore falls further than it would in a full table.
    costs : Costs
    level : float
        A cell is uncertain when the percentile interval of this level holds the threshold: when
        both outcomes have a larger share than ``(1 - level) / 2``.

    Raises
    ------
    ConfigError
        If a cap is of other tasks, the level is not above 0 and below 1, or there are too many
        tasks for the solver.
    TableError
        If a pair may share more blocks than the encoder has.
    TreeError
        If a cost cannot be used.
    """
    tail = tail_of(level)
    table, count = samples.table, len(samples.ar)
    pairs, depths = table.pairs(), table.depths
    trees = _Trees(question, table, costs)
    own = tuple(sum(1 << depths.index(d) for d in p) for p in task_graph(table, question).depths)
    caps = np.array([question.caps.get(frozenset(pair), math.inf) for pair in pairs])
    usable = np.array(depths) <= caps[:, None]
    # cells are kept by pair, then by depth
    passes = (samples.ar <= question.max_ar).reshape(count, *usable.shape)
    patterns, counts = np.unique(
        (passes & usable) @ (1 << np.arange(len(depths))), axis=0, return_counts=True
    )
    weighted = [(tuple(row), int(n)) for row, n in zip(patterns.tolist(), counts, strict=True)]

    found: Counter[str] = Counter()
    for pattern, times in weighted:
        found[trees.notation(pattern)] += times
    repeat: list[Repeat] = []
    shares = passes.mean(axis=0)
    for cell, (i, j) in zip(table.cells, np.ndindex(shares.shape), strict=True):
        if tail < shares[i, j] < 1 - tail and usable[i, j]:
            deciding = sum(times for row, times in weighted if trees.depends(row, i, 1 << j))
            now = trees.depends(own, i, 1 << j)
            if deciding or now:
                share = float(shares[i, j])
                repeat.append(Repeat(cell.key, cell.seeds, share, deciding / count, now))
    # Where a depth or a larger one passes.
    reached = np.logical_or.accumulate((passes & usable)[..., ::-1], axis=-1)[..., ::-1]
    admissible: dict[Pair, dict[int, float]] = {pair: {} for pair in pairs}
    for cell, share in zip(table.cells, shares.ravel().tolist(), strict=True):
        if cell.ar_pct is not None:
            admissible[cell.task_a, cell.task_b][cell.shared_depth] = share
    return Stability(
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
        repeat=tuple(sorted(repeat, key=lambda cell: -cell.score)),
        skipped=sum(cell.status == "skipped" for cell in table.cells),
    )


def refine_next(found: Stability) -> CellKey | None:
    """The cell on which to spend the next training; None when no outcome is uncertain.

    With n trainings, one more takes about 1 / 2(n + 1) off the spread of a cell, so of two cells
    that decide as much, the one with fewer trainings comes first.
    """
    best = max(found.repeat, key=lambda cell: cell.score / (cell.seeds + 1), default=None)
    return None if best is None else best.key


Pattern = tuple[int, ...]
"""For each pair, in task order: the swept depths that it may use, as bits, the first lowest."""


class _Trees:
    """The trees of patterns, each solved once."""

    def __init__(self, question: Question, table: ARTable, costs: Costs) -> None:
        self._table = table
        self._block_costs = costs.block_params
        self._strict = question.strict
        self._kind = ExactSplits if question.solver == "exact" else PaperSplits
        self._notations: dict[Pattern, str] = {}

    def notation(self, pattern: Pattern) -> str:
        """The tree of a pattern."""
        if not self._strict:  # the largest depth is the weight, and nothing else counts
            pattern = tuple(1 << row.bit_length() >> 1 for row in pattern)
        if pattern not in self._notations:
            table = self._table
            depths = (
                tuple(d for j, d in enumerate(table.depths) if row >> j & 1) for row in pattern
            )
            graph = TaskGraph(table.tasks, tuple(depths))
            tree = TreeSearch(self._kind, graph, self._block_costs, table, self._strict).tree()
            self._notations[pattern] = tree.notation(table.tasks)
        return self._notations[pattern]

    def depends(self, pattern: Pattern, pair: int, bit: int) -> bool:
        """Whether the tree of a pattern depends on one cell."""
        row = pattern[pair]
        with_it, without = row | bit, row & ~bit
        if not self._strict and with_it.bit_length() == without.bit_length():
            return False
        before, after = pattern[:pair], pattern[pair + 1 :]
        return self.notation((*before, with_it, *after)) != self.notation(
            (*before, without, *after)
        )
