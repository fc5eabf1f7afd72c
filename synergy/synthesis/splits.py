"""What the solvers have in common: a tree is found by splitting the task set again and again.

A set of tasks shares as many blocks as its smallest weight allows; sharing less never makes the
rest cheaper. So a tree follows from how sets are split, and of two trees the one with the larger
*saving* is smaller: every split of a set that shares L blocks saves the cost of the blocks 1..L
once. Solvers differ only in the splits that they propose.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

import networkx as nx

from synergy.errors import TableError, TreeError
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.task_sets import TaskSets, members
from synergy.tree import Branch, SharingTree

Pairs = dict[int, list[tuple[int, int]]]


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


class SplitSearch(ABC):
    """Finds the tree of a task graph, solving every task set once.

    Among the proposed splits of a set the best has (a) the largest saving of the finished
    subtree, (b) the lowest sum of the AR, at the depths used, of the pairs that stay together,
    (c) the most even sizes, (d) the earliest tasks beside the first one. Costs and AR are
    compared as exact decimals, so that no rounding decides a tie.

    Parameters
    ----------
    graph : nx.Graph
        Task graph with weights of 0..``depth``.
    table : ARTable, or None
        Without it, (b) is skipped.
    block_costs : sequence of float, length ``depth``
        Finite, 0 or more.
    depth : int
        Number of blocks of the encoder.

    Attributes
    ----------
    effort : int
        Pairs looked at and splits compared so far.
    max_effort : float
        Effort after which a set makes do with the splits that it has seen; at least one.
    """

    max_effort: float = math.inf

    def __init__(
        self, graph: nx.Graph, table: ARTable | None, block_costs: Sequence[float], depth: int
    ) -> None:
        self.sets = TaskSets(graph)
        self.depth = depth
        self.saved = exact_prefix_sums(block_costs, depth)
        for a, b in itertools.combinations(self.sets.tasks, 2):
            weight = self.sets.weights[self.sets.bit[a]][self.sets.bit[b]]
            if weight > depth:
                raise TableError(
                    f"pair {a}-{b}: expected to share at most the {depth} blocks of the encoder, "
                    f"found a weight of {weight}"
                )
        self._reductions = None if table is None else _reductions(self.sets, table)
        self._solved: dict[int, Solution] = {}
        self.effort = 0

    @abstractmethod
    def propose(self, mask: int, pairs: Pairs) -> Iterable[int]:
        """Splits of a set that is worth splitting, each as the part with the first task."""

    def tree(self) -> SharingTree:
        """The best tree of all tasks."""
        return SharingTree(self._branch(self.solve(self.sets.everything), 0), self.depth)

    def solve(self, mask: int) -> Solution:
        """The best subtree of a task set."""
        solution = self._solved.get(mask)
        if solution is None:
            solution = self._solved[mask] = self._solve(mask)
        return solution

    def _solve(self, mask: int) -> Solution:
        bits = members(mask)
        if len(bits) == 1:
            return Solution(mask, 0, 0, self.depth, ())
        pairs = self.sets.pairs_by_weight(bits)
        self.effort += len(bits) * (len(bits) - 1) // 2
        shared = next(iter(pairs))
        if len(pairs) == 1:  # every way to split comes to the same tree
            parts = tuple(self.solve(1 << bit) for bit in bits)
            saving = (len(parts) - 1) * self.saved[shared]
            reduction = sum(self._reduction(i, j, shared) for i, j in pairs[shared])
            return Solution(mask, saving, reduction, shared, parts)
        one, other = self._best(mask, pairs)
        across = sum(
            self._reduction(i, j, shared) for i in members(one.mask) for j in members(other.mask)
        )
        return Solution(
            mask,
            self.saved[shared] + one.saving + other.saving,
            across + one.reduction + other.reduction,
            shared,
            (one, other),
        )

    def _best(self, mask: int, pairs: Pairs) -> tuple[Solution, Solution]:
        best, ties = -1, []
        known = self._solved.get
        for part in self.propose(mask, pairs):
            one = known(part) or self.solve(part)
            other = known(mask ^ part) or self.solve(mask ^ part)
            saving = one.saving + other.saving
            if saving > best:
                best, ties = saving, []
            if saving == best:
                ties.append((one, other))
            self.effort += 1
            if self.effort > self.max_effort:
                break
        return min(ties, key=_preference)

    def _reduction(self, i: int, j: int, shared: int) -> int:
        """AR of a pair of bits at the depth used; 0 where nothing is shared."""
        if not shared or self._reductions is None:
            return 0
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


def _preference(split: tuple[Solution, Solution]) -> tuple[int, int, int]:
    one, other = split
    uneven = abs(one.mask.bit_count() - other.mask.bit_count())
    return one.reduction + other.reduction, uneven, -one.mask


def exact_prefix_sums(block_costs: Sequence[float], depth: int) -> list[int]:
    """Cost of the blocks 1..n for n = 0..``depth``, as whole multiples of one small unit.

    Raises
    ------
    TreeError
        If there are not ``depth`` costs, or one is negative or not finite.
    """
    if len(block_costs) != depth:
        raise TreeError(f"expected {depth} block costs, found {len(block_costs)}")
    for number, cost in enumerate(block_costs, 1):
        if not (math.isfinite(cost) and cost >= 0):
            raise TreeError(f"block {number}: expected a finite cost of at least 0, found {cost}")
    return list(accumulate(_whole(block_costs), initial=0))


def _reductions(sets: TaskSets, table: ARTable) -> dict[tuple[int, int, int], int]:
    """Whole AR by two bit numbers and depth; a failed cell counts more than all others."""
    if set(table.tasks) != set(sets.tasks):
        raise TableError(
            f"expected a table of the tasks {', '.join(sets.tasks)} as in the task graph, "
            f"found {', '.join(table.tasks)}"
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
