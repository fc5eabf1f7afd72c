"""The recursion of the paper: share what all tasks may share, split where it costs least, repeat.

A set of tasks shares the blocks that its smallest weight allows. It is then split in two so that
the smallest weight inside the parts is as large as possible, and each part is treated the same
way. Weights count blocks from the input, so nothing has to be subtracted on the way down.
Splits that tie are all followed to the end; `SplitSearch` says which one wins.

The recursion does not always find the smallest tree. With weights of 5 for 0-1 and 2-3, 8 for
0-2 and 4 for the rest, it splits {0,1},{2,3} and saves 14 blocks; {0,2},{1},{3} saves 16. See
`synergy.synthesis.exact`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import networkx as nx

from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.bipartition import (
    MAX_GROUPS,
    close_split,
    conflict_groups,
    optimal_splits,
)
from synergy.synthesis.splits import Pairs, SplitSearch
from synergy.tree import SharingTree


def recursive_tree(
    graph: nx.Graph, table: ARTable | None, block_costs: Sequence[float], depth: int
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

    Returns
    -------
    SharingTree
        No pair shares more blocks than its weight. Up to 14 tasks every tie is followed; of a
        larger set with more than 8,192 optimal splits one is taken, see `close_split`.

    Raises
    ------
    TableError
        If a pair has no weight, a weight above ``depth``, or no AR at a depth in use.
    TreeError
        If the block costs do not fit ``depth`` or a task name cannot be used in a tree.
    """
    return RecursiveSearch(graph, table, block_costs, depth).tree()


class RecursiveSearch(SplitSearch):
    """Proposes the splits of a set that maximise the smallest weight inside the parts."""

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
