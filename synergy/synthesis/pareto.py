"""Trees for several costs at once: all those that no other tree beats in every cost."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence

from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.subtrees import Solution, Subtrees, exact_prefix_sums, preference
from synergy.synthesis.task_graph import TaskGraph
from synergy.synthesis.task_sets import PassedDepths, members, splits_between
from synergy.tree import SharingTree

MAX_PARETO_TASKS = 10  # a second for each threshold that is looked at

Savings = tuple[int, ...]
Split = tuple[Solution, Solution]


class ParetoSearch:
    """Finds the strict trees that no other one beats in all of several costs.

    The dynamic program of `synergy.synthesis.exact`, with a set of solutions for every task set
    where that one has the best. How many there are depends on how much the costs contradict each
    other: parameters and MACs of an encoder leave few.

    Parameters
    ----------
    graph : TaskGraph
    costs : sequence of sequence of float, each of length D
        The costs of the blocks, one sequence for each cost.
    table : ARTable, optional
        Decides between trees that cost the same.
    """

    def __init__(
        self, graph: TaskGraph, costs: Sequence[Sequence[float]], table: ARTable | None = None
    ) -> None:
        self._subtrees = Subtrees(graph, costs[0], table)
        self._depths = PassedDepths(graph, self._subtrees.sets)
        self._gains: list[Savings] = list(zip(*map(exact_prefix_sums, costs), strict=True))
        self._solved: dict[tuple[int, int], dict[Savings, Solution]] = {}

    def trees(self) -> list[SharingTree]:
        """The trees of all tasks, by the first cost, the smallest first."""
        found = self._solve(self._subtrees.sets.everything, 0)
        return [self._subtrees.tree(found[savings]) for savings in sorted(found, reverse=True)]

    def _solve(self, mask: int, level: int) -> dict[Savings, Solution]:
        """Subtrees of a set that shares at least the depth of a level, by what they save."""
        key = mask, level
        if key not in self._solved:
            self._solved[key] = self._solve_anew(mask, level)
        return self._solved[key]

    def _solve_anew(self, mask: int, level: int) -> dict[Savings, Solution]:
        if mask.bit_count() == 1:
            return {(0,) * len(self._gains[0]): self._subtrees.alone(*members(mask))}
        found: dict[Savings, tuple[Split, int]] = {}
        for place in range(len(self._depths.levels) - 1, level - 1, -1):
            groups = self._depths.groups(mask, place)
            for rest in splits_between(groups):
                self._pair_up(found, mask ^ rest, rest, place)
            if len(groups) == mask.bit_count():  # admissible to all pairs: nothing saves more
                break
        kept = ((savings, *found[savings]) for savings in _unbeaten(found))
        return {savings: self._subtrees.joined(two, shared) for savings, two, shared in kept}

    def _pair_up(
        self, found: dict[Savings, tuple[Split, int]], part: int, rest: int, place: int
    ) -> None:
        """Add what a split at a depth can save."""
        others = self._solve(rest, place)
        if not others:
            return
        shared = self._depths.levels[place]
        for left, one in self._solve(part, place).items():
            for right, other in others.items():
                savings = tuple(map(sum, zip(left, right, self._gains[shared], strict=True)))
                split, rival = (one, other), found.get(savings)
                if rival is None or (
                    rival[1] == shared and preference(split) < preference(rival[0])
                ):
                    found[savings] = split, shared


def _unbeaten(found: Iterable[Savings]) -> list[Savings]:
    """Those that no other one exceeds in one cost without falling behind in another."""
    kept: list[Savings] = []
    for savings in sorted(found, reverse=True):
        if not any(all(map(operator.ge, rival, savings)) for rival in kept):
            kept.append(savings)
    return kept
