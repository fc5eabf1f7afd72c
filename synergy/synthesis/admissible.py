"""Which tasks may share exactly how many blocks: what strict solvers compute on.

A pair may share nothing, or a depth that passed itself. A tree keeps to this exactly when every
split at depth d separates only pairs to which d is admissible.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from numbers import Integral

import networkx as nx

from synergy.errors import TableError
from synergy.synthesis.task_sets import TaskSets


class AdmissibleDepths:
    """The depths of a task graph that passed, as sets of tasks.

    Parameters
    ----------
    graph : nx.Graph
        Task graph whose edges have the ``depths`` that pass, see `task_graph`.
    sets : TaskSets
        Of the same graph.

    Raises
    ------
    TableError
        If the depths of a pair are missing, impossible or do not end with its weight.

    Attributes
    ----------
    levels : tuple of int
        All depths that are admissible to some pair, ascending; the first is 0.
    """

    def __init__(self, graph: nx.Graph, sets: TaskSets) -> None:
        depths: dict[tuple[int, int], tuple[int, ...]] = {}
        for a, b in itertools.combinations(sets.tasks, 2):
            i, j = sets.bit[a], sets.bit[b]
            passing = graph.edges[a, b].get("depths")
            if (
                not isinstance(passing, tuple)
                or not all(isinstance(depth, Integral) for depth in passing)
                or min(passing, default=0) < 0
                or max(passing, default=0) != sets.weights[i][j]
            ):
                raise TableError(
                    f"pair {a}-{b}: expected the depths that pass, up to the weight of "
                    f"{sets.weights[i][j]}, in the task graph, found {passing}"
                )
            depths[i, j] = passing
        self.levels = tuple(sorted({0}.union(*depths.values())))
        rank = {depth: level for level, depth in enumerate(self.levels)}
        # By level and bit: the other tasks with which a task may not share exactly that depth.
        self._conflicts = [
            [0 if not level else sets.everything ^ (1 << bit) for bit in range(len(sets.tasks))]
            for level in range(len(self.levels))
        ]
        for (i, j), passing in depths.items():
            for depth in passing:
                if depth:
                    self._conflicts[rank[depth]][i] &= ~(1 << j)
                    self._conflicts[rank[depth]][j] &= ~(1 << i)

    def groups(self, mask: int, level: int) -> list[int]:
        """The smallest parts of a set between which the depth of ``level`` is admissible.

        Splits of the set at that depth put each of them on one side. In the order of their first
        tasks.
        """
        conflicts = self._conflicts[level]
        groups: list[int] = []
        while mask:
            group, added = 0, 1 << (mask.bit_length() - 1)
            while added:
                group |= added
                reached = 0
                while added:
                    reached |= conflicts[added.bit_length() - 1]
                    added ^= 1 << (added.bit_length() - 1)
                added = reached & mask & ~group
            groups.append(group)
            mask ^= group
        return groups


def splits_between(groups: list[int]) -> Iterator[int]:
    """The part without the first task, for every split of a set that cuts no group."""
    parts = [0]
    for group in groups[1:]:
        more = [part | group for part in parts]
        yield from more
        parts += more
