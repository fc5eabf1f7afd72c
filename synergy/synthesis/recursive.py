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

from synergy.synthesis.bipartition import MAX_GROUPS, close_split, conflict_groups, optimal_splits
from synergy.synthesis.subtrees import Subtrees
from synergy.synthesis.task_sets import SharedDepths
from synergy.synthesis.tree_search import Proposal


class PaperSplits:
    """Splits of a set that make the smallest weight inside the parts largest.

    Up to 14 tasks every tie is followed; of a larger set with more than 8,192 optimal splits one
    is taken, see `close_split`. Strict solving is not in the paper, which assumes that a pair
    passes at every depth below its weight.
    """

    # Some seconds. Fourteen tasks need less, whatever their weights.
    max_effort: float = 3_000_000

    def __init__(self, subtrees: Subtrees, depths: SharedDepths) -> None:
        self._sets = subtrees.sets
        self._depths = depths

    def propose(self, mask: int, smallest: int, level: int, *, hurried: bool) -> Proposal:
        """Optimal splits; one of them when there are too many or the search has run long."""
        places = self._depths.places(mask, smallest, level)
        groups = conflict_groups(self._sets, mask)
        if len(groups) <= MAX_GROUPS and not hurried:
            return optimal_splits(mask, groups), places, True
        return [close_split(self._sets, groups)], places, False
