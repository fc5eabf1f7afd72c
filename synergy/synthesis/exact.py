"""The smallest sharing tree: a dynamic program over all task sets, and a bound on any tree.

``save(S) = C(W(S)) + max over A|B = S of save(A) + save(B)``, with W(S) the smallest weight in S
and C(n) the cost of the blocks 1..n. Every pair of disjoint sets is looked at once, O(3^tasks):
14 tasks take seconds. To minimise parameters is as hard as colouring a graph, so larger problems
are left to `synergy.synthesis.recursive`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import networkx as nx

from synergy.errors import ConfigError
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.splits import Pairs, SplitSearch
from synergy.synthesis.task_sets import TaskSets
from synergy.tree import SharingTree

MAX_TASKS = 14


def exact_tree(
    graph: nx.Graph,
    block_costs: Sequence[float],
    depth: int,
    table: ARTable | None = None,
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

    Raises
    ------
    ConfigError
        If there are more than 14 tasks.
    TableError
        If a pair has no weight, a weight above ``depth``, or no AR at a depth in use.
    TreeError
        If the block costs do not fit ``depth`` or a task name cannot be used in a tree.
    """
    if len(graph) > MAX_TASKS:
        raise ConfigError(
            f"expected at most {MAX_TASKS} tasks for the exact solver, found {len(graph)}; "
            "use the recursive one"
        )
    return ExactSearch(graph, table, block_costs, depth).tree()


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
    smallest = [0] * size
    savings = [0] * size
    for mask in range(size):
        if mask.bit_count() < 2:
            continue
        first = 1 << (mask.bit_length() - 1)
        rest = mask ^ first
        second = 1 << (rest.bit_length() - 1)
        weight = sets.weights[first.bit_length() - 1][second.bit_length() - 1]
        if rest != second:  # every other pair lacks the first or the second task
            weight = min(weight, smallest[rest], smallest[mask ^ second])
        smallest[mask] = weight
        best = 0
        part = rest
        while part:
            saving = savings[mask ^ part] + savings[part]
            if saving > best:
                best = saving
            part = (part - 1) & rest
        savings[mask] = best + saved[weight]
    return savings


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
