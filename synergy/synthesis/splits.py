"""What the solvers have in common: a tree is found by splitting the task set again and again.

A set of tasks shares as many blocks as its smallest weight allows; sharing less never makes the
rest cheaper. So a tree follows from how sets are split, and of two trees the one with the larger
*saving* is smaller: every split of a set that shares L blocks saves the cost of the blocks 1..L
once. Solvers differ only in the splits that they propose.

That holds where a pair may share any depth up to its weight. `synergy.synthesis.strict_splits` is
for the other case, in which a set may have to share less than its smallest weight.
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


class TreeSearch(ABC):
    """A search for the best tree of a task graph; what it compares and how it ends.

    Of several ways to treat a set the best has (a) the largest saving of the finished subtree,
    (b) the lowest sum of the AR, at the depths used, of the pairs that stay together, (c) the
    most even sizes, (d) the earliest tasks beside the first one. Costs and AR are compared as
    exact decimals, so that no rounding decides a tie.

    Parameters
    ----------
    graph : nx.Graph
        Task graph with weights of 0..``depth``.
    table : ARTable, or None
        Without it, (b) is skipped. A cell without an AR counts more than all others.
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
        self.effort = 0

    @abstractmethod
    def best(self) -> Solution:
        """The best subtree of all tasks."""

    def tree(self) -> SharingTree:
        """The best tree of all tasks."""
        return self.tree_of(self.best())

    def tree_of(self, solution: Solution) -> SharingTree:
        """The tree of a solution for all tasks."""
        return SharingTree(self._branch(solution, 0), self.depth)

    def alone(self, bit: int) -> Solution:
        """The subtree of one task."""
        return Solution(1 << bit, 0, 0, self.depth, ())

    def alike(self, bits: Sequence[int], shared: int) -> Solution:
        """The subtree of tasks that share the same depth with each other."""
        reduction = sum(self._reduction(i, j, shared) for i, j in itertools.combinations(bits, 2))
        parts = tuple(self.alone(bit) for bit in bits)
        mask = sum(part.mask for part in parts)
        return Solution(mask, (len(parts) - 1) * self.saved[shared], reduction, shared, parts)

    def joined(self, one: Solution, other: Solution, shared: int) -> Solution:
        """The subtree of two parts that share a depth with each other."""
        across = 0
        if shared and self._reductions is not None:
            bits = members(other.mask)
            across = sum(self._reduction(i, j, shared) for i in members(one.mask) for j in bits)
        return Solution(
            one.mask | other.mask,
            self.saved[shared] + one.saving + other.saving,
            across + one.reduction + other.reduction,
            shared,
            (one, other),
        )

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


class SplitSearch(TreeSearch):
    """Finds the tree by solving every task set once, for any depth up to the weights."""

    def __init__(
        self, graph: nx.Graph, table: ARTable | None, block_costs: Sequence[float], depth: int
    ) -> None:
        super().__init__(graph, table, block_costs, depth)
        self._solved: dict[int, Solution] = {}

    @abstractmethod
    def propose(self, mask: int, pairs: Pairs) -> Iterable[int]:
        """Splits of a set that is worth splitting, each as the part with the first task."""

    def best(self) -> Solution:
        """The best subtree of all tasks."""
        return self.solve(self.sets.everything)

    def solve(self, mask: int) -> Solution:
        """The best subtree of a task set."""
        solution = self._solved.get(mask)
        if solution is None:
            solution = self._solved[mask] = self._solve(mask)
        return solution

    def _solve(self, mask: int) -> Solution:
        bits = members(mask)
        if len(bits) == 1:
            return self.alone(*bits)
        pairs = self.sets.pairs_by_weight(bits)
        self.effort += len(bits) * (len(bits) - 1) // 2
        shared = next(iter(pairs))
        if len(pairs) == 1:  # every way to split comes to the same tree
            return self.alike(bits, shared)
        return self.joined(*self._best(mask, pairs), shared)

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
        return min(ties, key=preference)


def preference(split: tuple[Solution, Solution]) -> tuple[int, int, int]:
    """What decides between splits that save the same, least first: the rules (b), (c) and (d)."""
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
    """Whole AR by two bit numbers and depth; a cell without one counts more than all others."""
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
