"""Sets of tasks as bit masks, the weights inside them, and the depths that a set may share."""

from __future__ import annotations

from collections.abc import Sequence

from synergy.synthesis.task_graph import TaskGraph


class TaskSets:
    """The tasks of a task graph as bits, so that a set of tasks is one integer.

    The first task has the highest bit. Of two sets of the same size, the larger number is
    therefore the one that holds the earlier tasks.

    Attributes
    ----------
    everything : int
        The set of all tasks.
    weights : list of list of int
        Indexed by two bit numbers; 0 on the diagonal.
    upto : dict of int to list of int
        For every weight that occurs, ascending, and by bit number: the other tasks with which a
        task has that weight or less.
    """

    def __init__(self, graph: TaskGraph) -> None:
        count = len(graph.tasks)
        self.tasks = graph.tasks
        self.everything = (1 << count) - 1
        self.bit = {task: count - 1 - i for i, task in enumerate(self.tasks)}
        self.weights = [[0] * count for _ in range(count)]
        for (a, b), weight in zip(graph.pairs(), graph.weights, strict=True):
            i, j = self.bit[a], self.bit[b]
            self.weights[i][j] = self.weights[j][i] = weight
        self.upto = {
            weight: [
                sum(1 << j for j in range(count) if j != i and self.weights[i][j] <= weight)
                for i in range(count)
            ]
            for weight in sorted(set(graph.weights))
        }

    def names(self, mask: int) -> tuple[str, ...]:
        """The tasks of a set, in task order."""
        return tuple(self.tasks[len(self.tasks) - 1 - bit] for bit in members(mask))

    def smallest(self, mask: int, bits: Sequence[int]) -> int:
        """The smallest weight inside a set of at least two tasks."""
        return next(w for w, near in self.upto.items() if any(near[i] & mask for i in bits))

    def alike(self, mask: int, bits: Sequence[int], weight: int) -> bool:
        """Whether no pair inside a set has more than a weight."""
        near = self.upto[weight]
        return all(near[i] & mask == mask ^ (1 << i) for i in bits)


def members(mask: int) -> list[int]:
    """Bit numbers of a set, in task order."""
    bits: list[int] = []
    while mask:
        bits.append(mask.bit_length() - 1)
        mask ^= 1 << bits[-1]
    return bits


def reached(near: Sequence[int], mask: int) -> int:
    """Everything that is near a task of a set; ``near`` goes by bit number."""
    found = 0
    while mask:
        bit = mask.bit_length() - 1
        found |= near[bit]
        mask ^= 1 << bit
    return found


def splits_between(groups: list[int]) -> list[int]:
    """The part without the first task, for every split of a set that cuts no group."""
    parts = [0]
    for group in groups[1:]:
        parts += [part | group for part in parts]
    return parts[1:]


Place = tuple[int, int, list[int]]
"""A depth that a set may share: its level, the depth, and sets that no split there may cut."""


class SharedDepths:
    """Which depths a set of tasks may share.

    Strict, a pair may share nothing, or a depth that passed itself. A tree keeps to this exactly
    when every split at depth d separates only pairs to which d is admissible. A set can then be
    unable to share as much as its smallest weight, because one of its pairs failed there, and
    what a part may do depends on how much is shared above it.

    Otherwise a pair may share any depth up to its weight. A set then shares its smallest weight,
    since sharing less never makes the rest cheaper, and what is shared above it never matters:
    there is one level, and no split is in conflict.

    Attributes
    ----------
    levels : tuple of int
        What may be shared above a set as far as it matters to the set, ascending from 0. A set
        is solved once for each of them.
    """

    def __init__(self, graph: TaskGraph, sets: TaskSets, strict: bool) -> None:
        self._strict = strict
        self.levels = tuple(sorted({0}.union(*graph.depths))) if strict else (0,)
        # By level and bit: the other tasks with which a task may not share exactly that depth.
        self._conflicts = [
            [sets.everything ^ (1 << bit) if depth else 0 for bit in range(len(sets.tasks))]
            for depth in self.levels
        ]
        for depth, conflicts in zip(self.levels, self._conflicts, strict=True):
            for (a, b), passing in zip(graph.pairs(), graph.depths, strict=True):
                if depth in passing:
                    conflicts[sets.bit[a]] &= ~(1 << sets.bit[b])
                    conflicts[sets.bit[b]] &= ~(1 << sets.bit[a])

    def groups(self, mask: int, level: int) -> list[int]:
        """The smallest parts of a set that a split at a level may put apart, by first task."""
        conflicts = self._conflicts[level]
        groups: list[int] = []
        while mask:
            group, added = 0, 1 << (mask.bit_length() - 1)
            while added:
                group |= added
                added = reached(conflicts, added) & mask & ~group
            groups.append(group)
            mask ^= group
        return groups

    def all_apart(self, mask: int, level: int) -> bool:
        """Whether a split at a level may put any two tasks of a set apart."""
        return not (self._strict and reached(self._conflicts[level], mask) & mask)

    def depth(self, smallest: int, level: int) -> int:
        """What a set of a smallest weight shares at a level."""
        return self.levels[level] if self._strict else smallest

    def places(self, mask: int, smallest: int, level: int) -> list[Place]:
        """What a set below a level may share, the deepest first."""
        if not self._strict:
            return [(0, smallest, [])]
        deepest = self.levels.index(smallest)
        return [
            (place, self.levels[place], [g for g in self.groups(mask, place) if g & (g - 1)])
            for place in range(deepest, level - 1, -1)
        ]
