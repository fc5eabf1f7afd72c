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

from collections.abc import Sequence

import networkx as nx

from synergy.errors import ConfigError
from synergy.synthesis.subtrees import Subtrees
from synergy.synthesis.task_graph import TaskGraph
from synergy.synthesis.task_sets import SharedDepths, TaskSets, splits_between
from synergy.synthesis.tree_search import Proposal

MAX_TASKS = 14


def refuse_many(tasks: int) -> None:
    """Raise ConfigError if the solver would take too long for so many tasks."""
    if tasks > MAX_TASKS:
        raise ConfigError(
            f"expected at most {MAX_TASKS} tasks for the solver exact, found {tasks}; "
            "use the solver recursive"
        )


class ExactSplits:
    """Splits of a set that reach its largest saving, at the largest depth that does.

    A ConfigError is raised if there are more than 14 tasks.
    """

    max_effort = float("inf")

    def __init__(self, subtrees: Subtrees, depths: SharedDepths) -> None:
        refuse_many(len(subtrees.sets.tasks))
        self._saved = subtrees.saved
        self._depths = depths
        self._savings = best_savings(subtrees.sets, self._saved, depths)

    def propose(self, mask: int, smallest: int, level: int, *, hurried: bool) -> Proposal:
        """All of them."""
        best = self._savings[level][mask]
        if best < 0:
            return [], [], True
        while level + 1 < len(self._savings) and self._savings[level + 1][mask] == best:
            level += 1
        row, shared = self._savings[level], self._depths.depth(smallest, level)
        inside = best - self._saved[shared]
        splits = [
            mask ^ rest
            for rest in splits_between(self._depths.groups(mask, level))
            if row[mask ^ rest] + row[rest] == inside
        ]
        return splits, [(level, shared, [])], True


def best_savings(sets: TaskSets, saved: Sequence[int], depths: SharedDepths) -> list[list[int]]:
    """Largest saving of every task set below every level of the depths, by level and bit mask.

    It is 0 for the empty set and for single tasks, and negative where a set cannot share so much.
    ``saved`` has the cost of the blocks 1..n, by n.
    """
    size = sets.everything + 1
    infeasible = -2 * len(sets.tasks) * saved[-1] - 1  # still negative beside any saving
    rows = [[0] * size for _ in depths.levels]
    deepest_first = list(enumerate(zip(rows, depths.levels, strict=True)))[::-1]
    smallest = [len(saved)] * size  # no weight is that large
    for mask in range(size):
        if not mask & (mask - 1):
            continue
        first = mask.bit_length() - 1
        rest = mask ^ (1 << first)
        second = rest.bit_length() - 1
        # Every other pair lacks the first or the second task.
        others = smallest[rest], smallest[mask ^ (1 << second)]
        smallest[mask] = least = min(sets.weights[first][second], *others)
        best = infeasible
        for level, (row, above) in deepest_first:
            row[mask] = best
            if least < above:
                continue
            if depths.all_apart(mask, level):
                inside, part = 0, rest
                while part:
                    if (saving := row[mask ^ part] + row[part]) > inside:
                        inside = saving
                    part = (part - 1) & rest
                best = max(best, inside + saved[depths.depth(least, level)])
                for lower in rows[: level + 1]:  # nothing below saves more
                    lower[mask] = best
                break
            splits = splits_between(depths.groups(mask, level))
            inside = max([row[mask ^ part] + row[part] for part in splits], default=-1)
            if inside >= 0:
                row[mask] = best = max(best, inside + saved[above])
    return rows


def spanning_tree_bound(graph: TaskGraph, block_costs: Sequence[float]) -> float:
    """Upper bound on what any sharing tree saves against independent encoders.

    Every merge of two groups of tasks shares at most what the heaviest edge between them allows;
    summed up, that is at most a maximum spanning tree with the weight n counted as the cost of
    the blocks 1..n. A tree that reaches the bound is optimal, which is the case, for example,
    whenever the smallest weight of every three tasks occurs twice among them.
    """
    edges = nx.maximum_spanning_edges(graph.to_networkx(), data=True)
    return float(sum(sum(block_costs[: edge["weight"]]) for _, _, edge in edges))
