"""Splitting where only depths that passed may be used: what the strict solvers have in common.

A set can then be unable to share as much as its smallest weight, because one of its pairs failed
there, and what a part may do depends on how much is shared above it. So a set is solved once for
every admissible depth that may lie above.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence

import networkx as nx

from synergy.synthesis.admissible import AdmissibleDepths
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.splits import Pairs, Solution, TreeSearch, preference
from synergy.synthesis.task_sets import members

Option = tuple[Solution, Solution, int]
"""The two parts of a set and the number of blocks that they share with each other."""


class StrictSearch(TreeSearch):
    """Finds the tree by solving every task set once for each depth that may be shared above.

    Of several ways to treat a set the best has the largest saving, then the largest depth of the
    set itself, then what `TreeSearch` says. Where all depths up to the weights are admissible,
    the tree is the one of `SplitSearch`.

    Attributes
    ----------
    admissible : AdmissibleDepths
    """

    def __init__(
        self, graph: nx.Graph, table: ARTable | None, block_costs: Sequence[float], depth: int
    ) -> None:
        super().__init__(graph, table, block_costs, depth)
        self.admissible = AdmissibleDepths(graph, self.sets)
        self._solved: dict[tuple[int, int], Solution | None] = {}

    @abstractmethod
    def options(self, mask: int, pairs: Pairs, level: int) -> Iterable[Option]:
        """Ways to treat a set that is worth splitting, below an admissible depth."""

    def best(self) -> Solution:
        """The best subtree of all tasks."""
        solution = self.solve(self.sets.everything, 0)
        assert solution is not None  # to share nothing is always admissible
        return solution

    def solve(self, mask: int, level: int) -> Solution | None:
        """The best subtree of a set that shares at least a depth; None when there is none.

        Parameters
        ----------
        mask : int
            The set.
        level : int
            Place of the depth among the ``levels`` of `admissible`.
        """
        key = mask, level
        if key in self._solved:
            return self._solved[key]
        bits = members(mask)
        solution = None
        if len(bits) == 1:
            solution = self.alone(*bits)
        else:
            pairs = self.sets.pairs_by_weight(bits)
            self.effort += len(bits) * (len(bits) - 1) // 2
            smallest = next(iter(pairs))
            if smallest < self.admissible.levels[level]:
                pass
            elif len(pairs) == 1:  # the weight itself is admissible to every pair
                solution = self.alike(bits, smallest)
            else:
                solution = self._best(self.options(mask, pairs, level))
        self._solved[key] = solution
        return solution

    def _best(self, options: Iterable[Option]) -> Solution | None:
        best = (-1, -1)
        ties: list[tuple[Solution, Solution]] = []
        for one, other, shared in options:
            reached = self.saved[shared] + one.saving + other.saving, shared
            if reached > best:
                best, ties = reached, []
            if reached == best:
                ties.append((one, other))
        if not ties:
            return None
        one, other = min(ties, key=preference)
        return self.joined(one, other, best[1])
