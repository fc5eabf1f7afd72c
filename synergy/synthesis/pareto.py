"""Trees for several costs at once: all those that no other tree beats in every cost."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence

import networkx as nx

from synergy.synthesis.admissible import AdmissibleDepths, splits_between
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.splits import Solution, TreeSearch, exact_prefix_sums, preference
from synergy.synthesis.task_sets import members
from synergy.tree import SharingTree

MAX_PARETO_TASKS = 10  # a second for each threshold that is looked at

Savings = tuple[int, ...]


class ParetoSearch(TreeSearch):
    """Finds the strict trees that no other one beats in all of several costs.

    The dynamic program of `synergy.synthesis.exact`, with a set of solutions for every task set
    where that one has the best. How many there are depends on how much the costs contradict each
    other: parameters and MACs of an encoder leave few.

    Parameters
    ----------
    graph : nx.Graph
        Task graph with the depths that pass.
    table : ARTable, or None
        Decides between trees that cost the same.
    costs : sequence of sequence of float, each of length ``depth``
        The costs of the blocks, one sequence for each cost.
    depth : int
        Number of blocks of the encoder.
    """

    def __init__(
        self,
        graph: nx.Graph,
        table: ARTable | None,
        costs: Sequence[Sequence[float]],
        depth: int,
    ) -> None:
        super().__init__(graph, table, costs[0], depth)
        self.admissible = AdmissibleDepths(graph, self.sets)
        sums = [exact_prefix_sums(block_costs, depth) for block_costs in costs]
        self._gains: list[Savings] = list(zip(*sums, strict=True))
        self._solved: dict[tuple[int, int], dict[Savings, Solution]] = {}

    def best(self) -> Solution:
        """The subtree of all tasks that saves most of the first cost."""
        found = self.solve(self.sets.everything, 0)
        return found[max(found)]

    def trees(self) -> list[SharingTree]:
        """The trees of all tasks, by the first cost, the smallest first."""
        found = self.solve(self.sets.everything, 0)
        return [self.tree_of(found[savings]) for savings in sorted(found, reverse=True)]

    def solve(self, mask: int, level: int) -> dict[Savings, Solution]:
        """Subtrees of a set that shares at least the depth of a level, by what they save."""
        key = mask, level
        if key not in self._solved:
            self._solved[key] = self._solve(mask, level)
        return self._solved[key]

    def _solve(self, mask: int, level: int) -> dict[Savings, Solution]:
        bits = members(mask)
        if len(bits) == 1:
            return {(0,) * len(self._gains[0]): self.alone(*bits)}
        levels = self.admissible.levels
        found: dict[Savings, tuple[Solution, Solution, int]] = {}
        for place in range(len(levels) - 1, level - 1, -1):
            groups = self.admissible.groups(mask, place)
            for rest in splits_between(groups):
                self._pair_up(found, mask ^ rest, rest, place)
            if len(groups) == len(bits):  # admissible to all pairs: nothing below saves more
                break
        return {savings: self.joined(*found[savings]) for savings in _unbeaten(found)}

    def _pair_up(
        self, found: dict[Savings, tuple[Solution, Solution, int]], part: int, rest: int, place: int
    ) -> None:
        """Add what a split at a depth can save."""
        others = self.solve(rest, place)
        if not others:
            return
        shared = self.admissible.levels[place]
        for left, one in self.solve(part, place).items():
            for right, other in others.items():
                savings = tuple(map(sum, zip(left, right, self._gains[shared], strict=True)))
                rival = found.get(savings)
                if rival is None or (
                    rival[2] == shared and preference((one, other)) < preference(rival[:2])
                ):
                    found[savings] = one, other, shared


def _unbeaten(found: Iterable[Savings]) -> list[Savings]:
    """Those that no other one exceeds in one cost without falling behind in another."""
    kept: list[Savings] = []
    for savings in sorted(found, reverse=True):
        if not any(all(map(operator.ge, rival, savings)) for rival in kept):
            kept.append(savings)
    return kept
