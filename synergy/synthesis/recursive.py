"""The recursion of the paper: share what all tasks may share, split where it costs least, repeat.

A set of tasks shares the blocks that its smallest weight allows. It is then split in two so that
the smallest weight inside the parts is as large as possible, and each part is treated the same
way. Weights count blocks from the input, so nothing has to be subtracted on the way down.
Splits that tie are all followed to the end; `TreeSearch` says which one wins.

The recursion does not always find the smallest tree. With weights of 5 for 0-1 and 2-3, 8 for
0-2 and 4 for the rest, it splits {0,1},{2,3} and saves 14 blocks; {0,2},{1},{3} saves 16. See
`synergy.synthesis.exact`.

Strict, where a pair may share only depths that passed themselves, the splits are the same ones,
but a set may have to share less than its smallest weight. It shares the largest depth that

- is not above its smallest weight and not below what is shared above it,
- is admissible to every pair that the split separates, and
- leaves either part a tree by the same rule, with at least this depth.

When a split leaves no such depth, the other splits of the set that tie count; when none of them
does, the set above takes its next smaller depth. Nothing shared is always admissible, so there is
always a tree. It need not be the smallest strict one either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import networkx as nx

from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.bipartition import (
    MAX_GROUPS,
    close_split,
    conflict_groups,
    optimal_splits,
)
from synergy.synthesis.splits import Pairs, SplitSearch, TreeSearch
from synergy.synthesis.strict_splits import Option, StrictSearch
from synergy.tree import SharingTree


def recursive_tree(
    graph: nx.Graph,
    table: ARTable | None,
    block_costs: Sequence[float],
    depth: int,
    strict: bool = False,
) -> SharingTree:
    """Sharing tree of a task graph by the paper's recursion.

    Parameters
    ----------
    graph : nx.Graph
        Task graph, see `task_graph`; the order of its nodes is the task order.
    table : ARTable, or None
        Decides between splits of equal cost by the AR of the pairs; None skips that rule.
    block_costs : sequence of float, length ``depth``
        Parameters, MACs or any other cost of the blocks 1..``depth``.
    depth : int
        Number of blocks of the encoder.
    strict : bool
        Pairs share only depths that passed themselves, or nothing; otherwise any depth up to
        their weight. Not in the paper, which assumes that a pair passes at every depth below
        its weight.

    Returns
    -------
    SharingTree
        No pair shares more blocks than its weight. Up to 14 tasks every tie is followed; of a
        larger set with more than 8,192 optimal splits one is taken, see `close_split`.

    Raises
    ------
    TableError
        If a pair has no weight, a weight above ``depth``, no AR at a depth in use, or, with
        ``strict``, no list of depths that pass.
    TreeError
        If the block costs do not fit ``depth`` or a task name cannot be used in a tree.
    """
    return recursive_search(graph, table, block_costs, depth, strict).tree()


def recursive_search(
    graph: nx.Graph,
    table: ARTable | None,
    block_costs: Sequence[float],
    depth: int,
    strict: bool = False,
) -> PaperSplits:
    """The search behind `recursive_tree`, which also knows whether it followed all ties."""
    search = StrictRecursiveSearch if strict else RecursiveSearch
    return search(graph, table, block_costs, depth)


class PaperSplits(TreeSearch):
    """Splits a set so that the smallest weight inside the parts is largest."""

    # Some seconds. Fourteen tasks need less, whatever their weights.
    max_effort = 3_000_000

    _took_one_of_many = False

    @property
    def followed_all_ties(self) -> bool:
        """False when a set had more optimal splits than were tried."""
        return not self._took_one_of_many and self.effort <= self.max_effort

    def propose(self, mask: int, pairs: Pairs) -> Iterable[int]:
        """Optimal splits; one of them when there are too many or the search has run long."""
        _, groups = conflict_groups(pairs, mask)
        if len(groups) <= MAX_GROUPS and self.effort <= self.max_effort:
            return optimal_splits(mask, groups)
        self._took_one_of_many = True
        return [close_split(self.sets, groups)]


class RecursiveSearch(PaperSplits, SplitSearch):
    """The recursion of the paper."""


class StrictRecursiveSearch(PaperSplits, StrictSearch):
    """The recursion of the paper with depths that passed themselves."""

    def options(self, mask: int, pairs: Pairs, level: int) -> Iterator[Option]:
        """For each optimal split the tree that shares most."""
        levels = self.admissible.levels
        deepest = levels.index(next(iter(pairs)))
        uncut: list[tuple[int, list[int]]] = []  # by depth, what no split may cut
        for place in range(deepest, level - 1, -1):
            groups = self.admissible.groups(mask, place)
            uncut.append((place, [group for group in groups if group.bit_count() > 1]))
        known = self._solved
        for part in self.propose(mask, pairs):
            rest = mask ^ part
            for place, groups in uncut:
                self.effort += 1
                if any(group & part and group & rest for group in groups):
                    continue
                one = known.get((part, place)) or self.solve(part, place)
                if one is None:
                    continue
                other = known.get((rest, place)) or self.solve(rest, place)
                if other is not None:
                    yield one, other, levels[place]
                    break
            if self.effort > self.max_effort:
                break
