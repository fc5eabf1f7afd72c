"""Trees for several costs at once: all those that no other tree beats in every cost."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence
from functools import cache

from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.subtrees import Solution, Subtrees, exact_prefix_sums, preference
from synergy.synthesis.task_graph import TaskGraph
from synergy.synthesis.task_sets import SharedDepths, members, splits_between
from synergy.tree import SharingTree

MAX_PARETO_TASKS = 10  # a second for each threshold that is looked at

Savings = tuple[int, ...]


class ParetoSearch:
    """Finds the strict trees that no other one beats in all of several costs.

    The dynamic program of `synergy.synthesis.exact`, with a set of solutions for every task set
    where that one has the best. How many there are depends on how much the costs contradict each
    other: parameters and MACs of an encoder leave few.

    Each of the ``costs`` has those of the blocks 1..D; a table decides between trees that cost
    the same.
    """

    def __init__(
        self, graph: TaskGraph, costs: Sequence[Sequence[float]], table: ARTable | None = None
    ) -> None:
        self._subtrees = Subtrees(graph, costs[0], table)
        self._depths = SharedDepths(graph, self._subtrees.sets, strict=True)
        self._gains: list[Savings] = list(zip(*map(exact_prefix_sums, costs), strict=True))
        self._solve = cache(self._unbeaten)

    def trees(self) -> list[SharingTree]:
        """The trees of all tasks, by the first cost, the smallest first."""
        found = self._solve(self._subtrees.sets.everything, 0)
        return [self._subtrees.tree(solution) for solution in found.values()]

    def _unbeaten(self, mask: int, level: int) -> dict[Savings, Solution]:
        """Subtrees of a set that shares at least the depth of a level, by what they save.

        Those that no other one exceeds in one cost without falling behind in another, the one
        that saves most of the first cost first.
        """
        if mask.bit_count() == 1:
            return {(0,) * len(self._gains[0]): self._subtrees.alone(*members(mask))}
        found: dict[Savings, tuple[tuple[Solution, Solution], int]] = {}
        for place in range(len(self._depths.levels) - 1, level - 1, -1):
            groups, shared = self._depths.groups(mask, place), self._depths.levels[place]
            for rest in splits_between(groups):
                ways = self._solve(mask ^ rest, place).items(), self._solve(rest, place).items()
                for (left, one), (right, other) in itertools.product(*ways):
                    savings = tuple(map(sum, zip(left, right, self._gains[shared], strict=True)))
                    split, rival = (one, other), found.get(savings)
                    if rival is None or (
                        rival[1] == shared and preference(split) < preference(rival[0])
                    ):
                        found[savings] = split, shared
            if len(groups) == mask.bit_count():  # admissible to all pairs: nothing saves more
                break
        kept: dict[Savings, Solution] = {}
        for savings in sorted(found, reverse=True):
            if not any(all(map(operator.ge, rival, savings)) for rival in kept):
                kept[savings] = self._subtrees.joined(*found[savings])
        return kept
