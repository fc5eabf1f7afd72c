"""Splitting a set of tasks in two, so that the smallest weight inside the parts is largest.

A split keeps every weight inside its parts at t or more exactly when it separates the tasks of
each edge below t, which is possible exactly when those edges form a bipartite graph. Edges are
therefore added in ascending order to a union-find structure that knows on which side of its
group each task is; the weight of the first edge that closes an odd cycle is the optimum.

With whole weights, ties are the rule: every group that the edges below the optimum leave can be
turned round on its own, which gives 2^(groups - 1) optimal splits. The worst case is common:
when three tasks share the smallest weight with each other, no edge has to be separated, and
every split of the set is optimal.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import networkx as nx

from synergy.errors import TableError
from synergy.synthesis.task_sets import TaskSets, members

MAX_GROUPS = 14  # 8,192 splits; a set with more groups gets one split by `close_split`

Group = tuple[int, int]
"""Two task sets that every optimal split separates from each other; the second may be empty."""


@dataclass(frozen=True)
class Bipartitions:
    """The optimal splits of a task set.

    Attributes
    ----------
    smallest : float
        Smallest weight inside the parts; infinite when both parts are single tasks.
    splits : tuple of (tuple of str, tuple of str)
        Tasks in task order; the first part has the first task.
    complete : bool
        False when there are too many and `splits` holds only the one that `close_split` picks.
    """

    smallest: float
    splits: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    complete: bool


def max_min_bipartitions(graph: nx.Graph, tasks: Collection[str] = ()) -> Bipartitions:
    """All splits of a task set that maximise the smallest weight inside the two parts.

    Parameters
    ----------
    graph : nx.Graph
        Task graph, see `task_graph`.
    tasks : collection of str, optional
        At least two tasks of the graph; all of them by default.

    Raises
    ------
    TableError
        If a task is unknown, fewer than two are given, or a pair has no weight.
    """
    sets = TaskSets(graph)
    mask = sets.mask(tasks or sets.tasks)
    if mask.bit_count() < 2:
        raise TableError("expected at least two tasks to split, found one")
    smallest, groups = conflict_groups(sets.pairs_by_weight(members(mask)), mask)
    complete = len(groups) <= MAX_GROUPS
    firsts = optimal_splits(mask, groups) if complete else [close_split(sets, groups)]
    return Bipartitions(
        smallest,
        tuple((sets.names(first), sets.names(mask ^ first)) for first in firsts),
        complete,
    )


def conflict_groups(
    pairs: dict[int, list[tuple[int, int]]], mask: int
) -> tuple[float, list[Group]]:
    """Best smallest weight, and the groups of tasks that it leaves free.

    Parameters
    ----------
    pairs : dict of int to list of (int, int)
        Pairs of the set by weight, ascending, see `TaskSets.pairs_by_weight`.
    mask : int
        The set, two tasks or more.

    Returns
    -------
    smallest : float
        Infinite when both parts are single tasks.
    groups : list of (int, int)
        In the order of their first task, which is in the first of the two sides.
    """
    sides = _Sides(members(mask))
    groups = sides.groups()
    for weight, edges in pairs.items():
        if not all(sides.separate(i, j) for i, j in edges):
            return weight, groups
        groups = sides.groups()
    return math.inf, groups


def optimal_splits(mask: int, groups: Iterable[Group]) -> list[int]:
    """The part with the first task, for every way to turn the groups."""
    (first, _), *others = groups
    parts = [first]
    for one, other in others:
        parts = [part | side for part in parts for side in (one, other)]
    return [part for part in parts if part != mask]


def close_split(sets: TaskSets, groups: list[Group]) -> int:
    """One optimal split, found by keeping close tasks together; for sets with many groups.

    Starts with the largest group, or with the pair of least weight where all groups are single
    tasks; then turns the undecided groups one by one, always the one that gains most mean weight
    by its better side. O(tasks squared), the same result every time.

    Returns
    -------
    int
        The part with the first task.
    """
    weights = sets.weights
    undecided = list(groups)
    start = max(undecided, key=lambda group: (group[0] | group[1]).bit_count())
    if start[1]:
        undecided.remove(start)
    else:
        ones = [group[0].bit_length() - 1 for group in undecided]
        i, j = min(itertools.combinations(ones, 2), key=lambda pair: weights[pair[0]][pair[1]])
        start = (1 << i, 1 << j)
        undecided = [group for group in undecided if group[0] not in start]

    left, right = start
    # Sums of the weights between each undecided task and either part.
    to_left = [sum(row[i] for i in members(left)) for row in weights]
    to_right = [sum(row[i] for i in members(right)) for row in weights]
    inside = {group: (members(group[0]), members(group[1])) for group in undecided}
    while undecided:
        chosen, gain = undecided[0], -math.inf
        for group in undecided:
            one, other = inside[group]
            keep = sum(to_left[i] for i in one) + sum(to_right[i] for i in other)
            turn = sum(to_right[i] for i in one) + sum(to_left[i] for i in other)
            n_left, n_right = left.bit_count(), right.bit_count()
            keep /= len(one) * n_left + len(other) * n_right
            turn /= len(one) * n_right + len(other) * n_left
            if abs(keep - turn) > abs(gain) or gain == -math.inf:
                chosen, gain = group, keep - turn
        undecided.remove(chosen)
        one, other = chosen if gain >= 0 else chosen[::-1]
        left, right = left | one, right | other
        for side, sums in ((one, to_left), (other, to_right)):
            for i in members(side):
                sums[:] = [total + weight for total, weight in zip(sums, weights[i], strict=True)]
    return max(left, right)


class _Sides:
    """Union-find over tasks that knows on which of two sides of its group each task is."""

    def __init__(self, bits: Iterable[int]) -> None:
        self._parent = {bit: bit for bit in bits}
        self._turned = dict.fromkeys(self._parent, False)  # relative to the parent

    def _find(self, bit: int) -> tuple[int, bool]:
        """Root of a task's group, and whether the task is on the side opposite to the root."""
        path: list[int] = []
        while self._parent[bit] != bit:
            path.append(bit)
            bit = self._parent[bit]
        turned = False
        for below in reversed(path):
            turned ^= self._turned[below]
            self._parent[below], self._turned[below] = bit, turned
        return bit, turned

    def separate(self, i: int, j: int) -> bool:
        """Put two tasks on opposite sides; False when they are bound to the same one."""
        (root_i, turned_i), (root_j, turned_j) = self._find(i), self._find(j)
        if root_i == root_j:
            return turned_i != turned_j
        self._parent[root_j] = root_i
        self._turned[root_j] = turned_i == turned_j
        return True

    def groups(self) -> list[Group]:
        """The groups in the order of their first task, which is on the first side."""
        sides: dict[int, list[int]] = {}
        turned_first: dict[int, bool] = {}
        for bit in self._parent:  # in task order
            root, turned = self._find(bit)
            first = turned_first.setdefault(root, turned)
            sides.setdefault(root, [0, 0])[turned != first] |= 1 << bit
        return [(one, other) for one, other in sides.values()]
