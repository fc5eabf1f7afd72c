"""What trees are put together from, and what decides between two of them.

A tree follows from how task sets are split, and of two trees the one with the larger *saving* is
smaller: every split of a set that shares L blocks saves the cost of the blocks 1..L once.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from synergy.errors import TableError, TreeError
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.task_graph import TaskGraph
from synergy.synthesis.task_sets import TaskSets, members
from synergy.tree import Branch, SharingTree
from synergy.wording import short_list


@dataclass(frozen=True, slots=True)
class Solution:
    """A finished subtree: the tasks as a bit mask, what they share and how they are split.

    ``saving`` and ``reduction`` (the AR of all pairs inside, at the depths used) are whole
    multiples of units that one search fixes.
    """

    mask: int
    saving: int
    reduction: int
    shared: int
    parts: tuple[Solution, ...]


class Subtrees:
    """Makes the subtrees of a task graph; costs and AR are kept as exact decimals.

    The parameters are as in `synergy.synthesis.tree_search.TreeSearch`; without a table, all
    reductions are 0. ``saved`` has the cost of the blocks 1..n, for n = 0..D.
    """

    def __init__(
        self, graph: TaskGraph, block_costs: Sequence[float], table: ARTable | None = None
    ) -> None:
        self.sets = TaskSets(graph)
        self.saved = exact_prefix_sums(block_costs)
        self._depth = len(block_costs)
        for (a, b), weight in zip(graph.pairs(), graph.weights, strict=True):
            if weight > self._depth:
                raise TableError(
                    f"pair {a}-{b}: expected to share at most the {self._depth} blocks of the "
                    f"encoder, found a weight of {weight}"
                )
        self._reductions = None if table is None else _reductions(self.sets, table)

    def alone(self, bit: int) -> Solution:
        """The subtree of one task."""
        return Solution(1 << bit, 0, 0, self._depth, ())

    def joined(self, parts: Sequence[Solution], shared: int) -> Solution:
        """The subtree of several parts that share a depth with each other."""
        across = 0
        if shared and self._reductions is not None:
            inside = [members(part.mask) for part in parts]
            for one, other in itertools.combinations(inside, 2):
                across += sum(self._reduction(i, j, shared) for i in one for j in other)
        return Solution(
            sum(part.mask for part in parts),
            sum(part.saving for part in parts) + (len(parts) - 1) * self.saved[shared],
            sum(part.reduction for part in parts) + across,
            shared,
            tuple(parts),
        )

    def tree(self, solution: Solution) -> SharingTree:
        """The tree of a solution for all tasks."""
        return SharingTree(self._branch(solution, 0), self._depth)

    def _reduction(self, i: int, j: int, shared: int) -> int:
        """AR of a pair of bits at the depth used."""
        assert self._reductions is not None
        try:
            return self._reductions[i, j, shared]
        except KeyError:
            a, b = self.sets.names(1 << i) + self.sets.names(1 << j)
            raise TableError(
                f"pair {a}-{b}: expected its AR at depth {shared} in the table, found none"
            ) from None

    def _branch(self, solution: Solution, placed: int) -> Branch:
        blocks = (placed + 1, solution.shared) if solution.shared > placed else None
        children = tuple(self._branch(part, solution.shared) for part in solution.parts)
        return Branch(blocks, tuple(sorted(self.sets.names(solution.mask))), children)


def preference(split: tuple[Solution, Solution]) -> tuple[int, int, int]:
    """What decides between splits that save the same, least first.

    The lowest sum of the AR of the pairs that stay together, then the most even sizes, then the
    earliest tasks beside the first one.
    """
    one, other = split
    uneven = abs(one.mask.bit_count() - other.mask.bit_count())
    return one.reduction + other.reduction, uneven, -one.mask


def exact_prefix_sums(block_costs: Sequence[float]) -> list[int]:
    """Cost of the blocks 1..n for n = 0..D, as whole multiples of one small unit."""
    for number, cost in enumerate(block_costs, 1):
        if not (math.isfinite(cost) and cost >= 0):
            raise TreeError(f"block {number}: expected a finite cost of at least 0, found {cost}")
    return list(accumulate(_whole(block_costs), initial=0))


def _reductions(sets: TaskSets, table: ARTable) -> dict[tuple[int, int, int], int]:
    """Whole AR by two bit numbers and depth; a cell without one counts more than all others."""
    if set(table.tasks) != set(sets.tasks):
        raise TableError(
            f"expected a table of the tasks {short_list(sets.tasks)} as in the task graph, "
            f"found {short_list(table.tasks)}"
        )
    values = _whole([0.0 if cell.ar_pct is None else cell.ar_pct for cell in table.cells])
    worst = sum(values) + 1
    reductions: dict[tuple[int, int, int], int] = {}
    for cell, value in zip(table.cells, values, strict=True):
        i, j = sets.bit[cell.task_a], sets.bit[cell.task_b]
        value = worst if cell.ar_pct is None else value
        reductions[i, j, cell.shared_depth] = reductions[j, i, cell.shared_depth] = value
    return reductions


def _whole(values: Iterable[float]) -> list[int]:
    """Numbers, read as the decimals that they print as, as multiples of their common unit."""
    exact = [Fraction(v) if isinstance(v, int) else Fraction(repr(float(v))) for v in values]
    unit = math.lcm(*(number.denominator for number in exact))
    return [int(number * unit) for number in exact]
