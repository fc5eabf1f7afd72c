"""Splitting a set of tasks in two, so that the smallest weight inside the parts is largest.

A split keeps every weight inside its parts at t or more exactly when it separates the tasks of
each edge below t, which is possible exactly when those edges form a bipartite graph. Edges are
therefore added in ascending order; the weight of the first that closes an odd cycle is the
optimum.

With whole weights, ties are the rule: every group that the edges below the optimum leave can be
turned round on its own, which gives 2^(groups - 1) optimal splits. The worst case is common:
when three tasks share the smallest weight with each other, no edge has to be separated, and
every split of the set is optimal.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

from synergy.synthesis.task_sets import TaskSets, members, reached

MAX_GROUPS = 14  # 8,192 splits; a set with more groups gets one split by `close_split`

Group = tuple[int, int]
"""Two task sets that every optimal split separates from each other; the second may be empty."""


def conflict_groups(sets: TaskSets, mask: int) -> list[Group]:
    """The groups of a set of at least two tasks that the best smallest weight leaves free.

    In the order of their first task, which is in the first of the two sides.
    """
    groups = [(1 << bit, 0) for bit in members(mask)]
    for near in sets.upto.values():
        separated = _sides(near, mask)
        if separated is None:
            break
        groups = separated
    return groups


def _sides(near: Sequence[int], mask: int) -> list[Group] | None:
    """Every connected group, split so that no two tasks near each other are on one side."""
    groups: list[Group] = []
    while mask:
        side = added = first = 1 << (mask.bit_length() - 1)
        other = 0
        while added:
            added = reached(near, added) & mask & ~other
            side, other = other | added, side
            if side & other:
                return None
        groups.append((side, other) if side & first else (other, side))
        mask ^= side | other
    return groups


def optimal_splits(mask: int, groups: Iterable[Group]) -> list[int]:
    """The part with the first task, for every way to turn the groups."""
    (first, _), *others = groups
    parts = [first]
    for one, other in others:
        parts = [part | side for part in parts for side in (one, other)]
    return [part for part in parts if part != mask]


def close_split(sets: TaskSets, groups: list[Group]) -> int:
    """The part with the first task of one optimal split that keeps close tasks together.

    Starts with the largest group, or with the pair of least weight where all groups are single
    tasks; then turns the undecided groups one by one, always the one that gains most mean weight
    by its better side. O(tasks squared), the same result every time.
    """
    weights = sets.weights
    undecided = list(groups)
    start = max(undecided, key=lambda group: (group[0] | group[1]).bit_count())
    if start[1]:
        undecided.remove(start)
    else:
        ones = [group[0].bit_length() - 1 for group in undecided]
        i, j = min(itertools.combinations(ones, 2), key=lambda pair: weights[pair[0]][pair[1]])
        start = (1 << i, 1 << j)
        undecided = [group for group in undecided if group[0] not in start]

    left, right = start
    # Sums of the weights between each undecided task and either part.
    to_left = [sum(row[i] for i in members(left)) for row in weights]
    to_right = [sum(row[i] for i in members(right)) for row in weights]
    inside = {group: (members(group[0]), members(group[1])) for group in undecided}
    while undecided:
        chosen, gain = undecided[0], -math.inf
        for group in undecided:
            one, other = inside[group]
            keep = sum(to_left[i] for i in one) + sum(to_right[i] for i in other)
            turn = sum(to_right[i] for i in one) + sum(to_left[i] for i in other)
            n_left, n_right = left.bit_count(), right.bit_count()
            keep /= len(one) * n_left + len(other) * n_right
            turn /= len(one) * n_right + len(other) * n_left
            if abs(keep - turn) > abs(gain) or gain == -math.inf:
                chosen, gain = group, keep - turn
        undecided.remove(chosen)
        one, other = chosen if gain >= 0 else chosen[::-1]
        left, right = left | one, right | other
        for side, sums in ((one, to_left), (other, to_right)):
            for i in members(side):
                sums[:] = [total + weight for total, weight in zip(sums, weights[i], strict=True)]
    return max(left, right)
