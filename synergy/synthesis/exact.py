"""The smallest sharing tree: a dynamic program over all task sets, and a bound on any tree.

``save(S) = C(W(S)) + max over A|B = S of save(A) + save(B)``, with W(S) the smallest weight in S
and C(n) the cost of the blocks 1..n. Every pair of disjoint sets is looked at once, O(3^tasks):
14 tasks take seconds. To minimise parameters is as hard as colouring a graph, so larger problems
are left to `synergy.synthesis.recursive`.

Strict, a set may only share a depth d that is admissible to every pair that the split separates:
``save(S, l) = max over d >= l and admissible A|B = S of C(d) + save(A, d) + save(B, d)``, where l
is shared above. No depth below one that is admissible to all pairs of S saves more, which leaves
about as many splits to look at as without strict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import networkx as nx

from synergy.errors import ConfigError
from synergy.synthesis.admissible import AdmissibleDepths, splits_between
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.splits import Pairs, SplitSearch
from synergy.synthesis.strict_splits import Option, StrictSearch
from synergy.synthesis.task_sets import TaskSets
from synergy.tree import SharingTree

MAX_TASKS = 14


def exact_tree(
    graph: nx.Graph,
    block_costs: Sequence[float],
    depth: int,
    table: ARTable | None = None,
    strict: bool = False,
) -> SharingTree:
    """Sharing tree of least cost under the weights of a task graph.

    Parameters
    ----------
    graph : nx.Graph
        Task graph of at most 14 tasks, see `task_graph`.
    block_costs : sequence of float, length ``depth``
        Parameters, MACs or any other cost of the blocks 1..``depth``.
    depth : int
        Number of blocks of the encoder.
    table : ARTable, optional
        Decides between trees of equal cost by the AR of the pairs, as in `recursive_tree`.
        Without it the more even split wins, then task order.
    strict : bool
        Pairs share only depths that passed themselves, or nothing; otherwise any depth up to
        their weight.

    Raises
    ------
    ConfigError
        If there are more than 14 tasks.
    TableError
        If a pair has no weight, a weight above ``depth``, no AR at a depth in use, or, with
        ``strict``, no list of depths that pass.
    TreeError
        If the block costs do not fit ``depth`` or a task name cannot be used in a tree.
    """
    if len(graph) > MAX_TASKS:
        raise ConfigError(
            f"expected at most {MAX_TASKS} tasks for the exact solver, found {len(graph)}; "
            "use the recursive one"
        )
    search = StrictExactSearch if strict else ExactSearch
    return search(graph, table, block_costs, depth).tree()


class ExactSearch(SplitSearch):
    """Proposes the splits of a set that reach its largest saving."""

    def __init__(
        self, graph: nx.Graph, table: ARTable | None, block_costs: Sequence[float], depth: int
    ) -> None:
        super().__init__(graph, table, block_costs, depth)
        self._best_savings = best_savings(self.sets, self.saved)

    def propose(self, mask: int, pairs: Pairs) -> Iterator[int]:
        """All splits with the largest saving."""
        savings = self._best_savings
        largest = savings[mask] - self.saved[next(iter(pairs))]
        first = 1 << (mask.bit_length() - 1)
        rest = mask ^ first
        part = rest  # the part without the first task runs through all subsets of the rest
        while part:
            if savings[mask ^ part] + savings[part] == largest:
                yield mask ^ part
            part = (part - 1) & rest


class StrictExactSearch(StrictSearch):
    """Looks at the splits of a set that reach its largest saving below a depth."""

    def __init__(
        self, graph: nx.Graph, table: ARTable | None, block_costs: Sequence[float], depth: int
    ) -> None:
        super().__init__(graph, table, block_costs, depth)
        self._best_savings = best_strict_savings(self.sets, self.saved, self.admissible)

    def options(self, mask: int, pairs: Pairs, level: int) -> Iterator[Option]:
        """All splits with the largest saving, at the largest depth that reaches it."""
        rows = self._best_savings
        best = rows[level][mask]
        if best < 0:
            return
        if level + 1 < len(rows) and rows[level + 1][mask] == best:
            if (deeper := self.solve(mask, level + 1)) is not None:
                one, other = deeper.parts
                yield one, other, deeper.shared
            return
        row, shared = rows[level], self.admissible.levels[level]
        for rest in splits_between(self.admissible.groups(mask, level)):
            part = mask ^ rest
            if row[part] >= 0 <= row[rest] and self.saved[shared] + row[part] + row[rest] == best:
                one, other = self.solve(part, level), self.solve(rest, level)
                if one is not None and other is not None:
                    yield one, other, shared


def smallest_weights(sets: TaskSets) -> list[int]:
    """Smallest weight inside every task set, by its bit mask; 0 for fewer than two tasks."""
    smallest = [0] * (sets.everything + 1)
    for mask in range(len(smallest)):
        if mask.bit_count() < 2:
            continue
        first = 1 << (mask.bit_length() - 1)
        rest = mask ^ first
        second = 1 << (rest.bit_length() - 1)
        weight = sets.weights[first.bit_length() - 1][second.bit_length() - 1]
        if rest != second:  # every other pair lacks the first or the second task
            weight = min(weight, smallest[rest], smallest[mask ^ second])
        smallest[mask] = weight
    return smallest


def best_savings(sets: TaskSets, saved: Sequence[int]) -> list[int]:
    """Largest saving of every task set.

    Parameters
    ----------
    sets : TaskSets
    saved : sequence of int
        Cost of the blocks 1..n, by n.

    Returns
    -------
    list of int
        Indexed by the bit mask of the set; 0 for the empty set and for single tasks.
    """
    size = sets.everything + 1
    smallest = smallest_weights(sets)
    savings = [0] * size
    for mask in range(size):
        if mask.bit_count() < 2:
            continue
        rest = mask ^ (1 << (mask.bit_length() - 1))
        best = 0
        part = rest
        while part:
            saving = savings[mask ^ part] + savings[part]
            if saving > best:
                best = saving
            part = (part - 1) & rest
        savings[mask] = best + saved[smallest[mask]]
    return savings


def best_strict_savings(
    sets: TaskSets, saved: Sequence[int], admissible: AdmissibleDepths
) -> list[list[int]]:
    """Largest saving of every task set, below every admissible depth.

    Parameters
    ----------
    sets : TaskSets
    saved : sequence of int
        Cost of the blocks 1..n, by n.
    admissible : AdmissibleDepths

    Returns
    -------
    list of list of int
        Indexed by the place of the depth among the levels of ``admissible``, then by the bit
        mask of the set; negative where the set cannot share so much.
    """
    size = sets.everything + 1
    infeasible = -2 * len(sets.tasks) * saved[-1] - 1  # still negative beside any saving
    rows = [[0] * size for _ in admissible.levels]
    smallest = smallest_weights(sets)
    for mask in range(size):
        count = mask.bit_count()
        if count < 2:
            continue
        best = infeasible
        for level in reversed(range(len(rows))):
            row, shared = rows[level], admissible.levels[level]
            row[mask] = best
            if smallest[mask] < shared:
                continue
            groups = admissible.groups(mask, level)
            inside = max((row[mask ^ p] + row[p] for p in splits_between(groups)), default=-1)
            if inside >= 0 and inside + saved[shared] > best:
                best = row[mask] = inside + saved[shared]
            if len(groups) == count:  # admissible to all pairs: nothing below saves more
                for lower in rows[:level]:
                    lower[mask] = best
                break
    return rows


def spanning_tree_bound(graph: nx.Graph, block_costs: Sequence[float]) -> float:
    """Upper bound on what any sharing tree saves against independent encoders.

    Every merge of two groups of tasks shares at most what the heaviest edge between them allows;
    summed up, that is at most a maximum spanning tree with the weight n counted as the cost of
    the blocks 1..n. A tree that reaches the bound is optimal, which is the case, for example,
    whenever the smallest weight of every three tasks occurs twice among them.

    Parameters
    ----------
    graph : nx.Graph
        Task graph, see `task_graph`.
    block_costs : sequence of float
        Cost of each block, 0 or more.

    Returns
    -------
    float
        In the unit of ``block_costs``.
    """
    edges = nx.maximum_spanning_edges(graph, data=True)
    return float(sum(sum(block_costs[: edge["weight"]]) for _, _, edge in edges))
