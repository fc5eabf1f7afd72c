"""Sets of tasks as bit masks, and the pair weights inside them: what the solvers compute on."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable
from numbers import Integral

import networkx as nx

from synergy.errors import TableError


class TaskSets:
    """The tasks of a task graph as bits, so that a set of tasks is one integer.

    The first task has the highest bit. Of two sets of the same size, the larger number is
    therefore the one that holds the earlier tasks.

    Parameters
    ----------
    graph : nx.Graph
        Complete; every edge has a whole ``weight``, 0 or more.

    Raises
    ------
    TableError
        If there is no task, or a pair has no weight or an impossible one.

    Attributes
    ----------
    tasks : tuple of str
    everything : int
        The set of all tasks.
    weights : list of list of int
        Indexed by two bit numbers; 0 on the diagonal.
    """

    def __init__(self, graph: nx.Graph) -> None:
        self.tasks: tuple[str, ...] = tuple(graph.nodes)
        count = len(self.tasks)
        if not count:
            raise TableError("expected a task graph with at least one task, found none")
        self.everything = (1 << count) - 1
        self.bit = {task: count - 1 - i for i, task in enumerate(self.tasks)}
        self.weights = [[0] * count for _ in range(count)]
        for a, b in itertools.combinations(self.tasks, 2):
            weight = graph.edges[a, b].get("weight") if graph.has_edge(a, b) else None
            if not isinstance(weight, Integral) or weight < 0:
                raise TableError(
                    f"pair {a}-{b}: expected a whole weight of at least 0 in the task graph, "
                    f"found {weight}"
                )
            i, j = self.bit[a], self.bit[b]
            self.weights[i][j] = self.weights[j][i] = int(weight)

    def mask(self, tasks: Collection[str]) -> int:
        """The set of the named tasks."""
        unknown = [task for task in tasks if task not in self.bit]
        if unknown:
            raise TableError(
                f"expected tasks out of {', '.join(self.tasks)}, found {', '.join(unknown)}"
            )
        return sum(1 << self.bit[task] for task in set(tasks))

    def names(self, mask: int) -> tuple[str, ...]:
        """The tasks of a set, in task order."""
        return tuple(self.tasks[len(self.tasks) - 1 - bit] for bit in members(mask))

    def pairs_by_weight(self, bits: Iterable[int]) -> dict[int, list[tuple[int, int]]]:
        """Pairs of bit numbers, grouped by their weight in ascending order."""
        groups: dict[int, list[tuple[int, int]]] = {}
        rest = list(bits)
        while rest:
            i = rest.pop()
            row = self.weights[i]
            for j in rest:
                groups.setdefault(row[j], []).append((i, j))
        return dict(sorted(groups.items()))


def members(mask: int) -> list[int]:
    """Bit numbers of a set, in task order."""
    bits: list[int] = []
    while mask:
        bits.append(mask.bit_length() - 1)
        mask ^= 1 << bits[-1]
    return bits
