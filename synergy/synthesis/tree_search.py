"""One search for all solvers: every task set is solved once, by splitting it again and again.

A search is put together from the depths that a set may share (`synergy.synthesis.task_sets`) and
from the splits that are proposed: those of the paper's recursion, or those that lead to the
smallest tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.subtrees import Solution, Subtrees, preference
from synergy.synthesis.task_graph import TaskGraph
from synergy.synthesis.task_sets import Place, SharedDepths, members
from synergy.tree import SharingTree

Proposal = tuple[Sequence[int], Sequence[Place], bool]
"""Splits of a set, each as the part with the first task; depths that the set may share, of which
a split uses the first one that it can; and whether these are all splits to follow."""


class Splits(Protocol):
    """Which splits of a set are followed."""

    max_effort: float
    """Pairs looked at and splits compared, in one search, after which a set makes do with the
    splits that it has seen; at least one."""

    def __init__(self, subtrees: Subtrees, depths: SharedDepths) -> None: ...

    def propose(self, mask: int, smallest: int, level: int, *, hurried: bool) -> Proposal:
        """How to split a set with different weights; ``hurried``, one split is enough."""
        ...


class TreeSearch:
    """Finds the best tree that the splits of one kind lead to.

    Of several ways to treat a set the best has (a) the largest saving of the finished subtree,
    (b) the largest depth of the set itself, (c) the lowest sum of the AR, at the depths used, of
    the pairs that stay together, (d) the most even sizes, (e) the earliest tasks beside the first
    one. Costs and AR are compared as exact decimals, so that no rounding decides a tie. A cell
    without an AR counts more than all others; without a table, (c) is skipped.

    Parameters
    ----------
    kind : type of Splits
    graph : TaskGraph
        With weights of 0..D; the order of its tasks is the task order.
    block_costs : sequence of float, length D
        Parameters, MACs or any other cost of the blocks 1..D; finite, 0 or more.
    table : ARTable, optional
        Of the same tasks, with an AR at every depth that may come into use.
    strict : bool
        As in `Question`.

    Raises
    ------
    ConfigError
        If there are too many tasks for the kind of splits.
    TableError
        If a pair has a weight above D, or the table lacks what it ought to have.
    TreeError
        If a block cost, or a task name in a tree, cannot be used.

    Attributes
    ----------
    effort : int
        Pairs looked at and splits compared so far.
    complete : bool
        Whether every split that ties was followed so far.
    """

    def __init__(
        self,
        kind: type[Splits],
        graph: TaskGraph,
        block_costs: Sequence[float],
        table: ARTable | None = None,
        strict: bool = False,
    ) -> None:
        self._subtrees = Subtrees(graph, block_costs, table)
        self._depths = SharedDepths(graph, self._subtrees.sets, strict)
        self._solved: list[dict[int, Solution | None]] = [{} for _ in self._depths.levels]
        self.splits = kind(self._subtrees, self._depths)
        self.effort = 0
        self.complete = True

    def tree(self) -> SharingTree:
        """The best tree of all tasks."""
        solution = self._solve(self._subtrees.sets.everything, 0)
        assert solution is not None  # to share nothing is always possible
        return self._subtrees.tree(solution)

    def _solve(self, mask: int, level: int) -> Solution | None:
        """The best subtree of a set that shares at least the depth of a level, if there is one."""
        solved = self._solved[level]
        if mask not in solved:
            bits = members(mask)
            if len(bits) == 1:
                solved[mask] = self._subtrees.alone(*bits)
            else:
                solved[mask] = self._solve_several(mask, bits, level)
        return solved[mask]

    def _solve_several(self, mask: int, bits: list[int], level: int) -> Solution | None:
        sets, saved, max_effort = self._subtrees.sets, self._subtrees.saved, self.splits.max_effort
        self.effort += len(bits) * (len(bits) - 1) // 2
        smallest = sets.smallest(mask, bits)
        if smallest < self._depths.levels[level]:
            return None
        if sets.alike(mask, bits, smallest):  # every way to split comes to the same tree
            return self._subtrees.joined([self._subtrees.alone(bit) for bit in bits], smallest)
        hurried = self.effort > max_effort
        splits, places, complete = self.splits.propose(mask, smallest, level, hurried=hurried)
        ways = [
            (place, self._solved[place], shared, saved[shared], cut)
            for place, shared, cut in places
        ]
        best = deepest = -1
        ties: list[tuple[Solution, Solution]] = []
        for part in splits:
            rest = mask ^ part
            for place, known, shared, gain, uncut in ways:
                self.effort += 1
                if uncut and any(group & part and group & rest for group in uncut):
                    continue
                one = known.get(part) or self._solve(part, place)
                if one is None:
                    continue
                other = known.get(rest) or self._solve(rest, place)
                if other is None:
                    continue
                saving = gain + one.saving + other.saving
                if saving > best or (saving == best and shared > deepest):
                    best, deepest, ties = saving, shared, [(one, other)]
                elif saving == best and shared == deepest:
                    ties.append((one, other))
                break
            if self.effort > max_effort:
                complete = False
                break
        self.complete &= complete
        return self._subtrees.joined(min(ties, key=preference), deepest) if ties else None
