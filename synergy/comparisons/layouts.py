"""Partitions of tasks, sharing trees as chains of partitions, and the best tree within a budget.

A layout names for each block 1..D the groups of tasks that share it; every group of a block lies
inside a group of the block before. Layouts and sharing trees are the same thing: there are 51
of three tasks over five blocks, 561 of four tasks over five, 1,989 over eight, and 41,709 of
five tasks over eight.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from synergy.tree import Branch, SharingTree

MAX_ENUMERATED = 5
"""Up to so many tasks every layout is looked at, above it a beam."""

BEAM_WIDTH = 32

Group = tuple[str, ...]
Partition = tuple[Group, ...]
"""Groups in the order of their first tasks."""

Layout = tuple[Partition, ...]
"""Tasks and groups are sorted."""

BlockCost = Callable[[int, Partition], float]
"""What it costs when a block, counted from 1, is shared like that; infinite forbids it."""

Rank = tuple[int, float, int]
"""Of a layout, the least is best: forbidden blocks, cost of the others, parameters."""


def partitions(tasks: Sequence[str]) -> Iterator[Partition]:
    """All ways to put tasks into groups, the one group of all first; tasks keep their order."""
    if not tasks:
        yield ()
        return
    first, rest = tasks[0], tasks[1:]
    for joined in range(len(rest), -1, -1):
        for chosen in itertools.combinations(rest, joined):
            others = [task for task in rest if task not in chosen]
            for tail in partitions(others):
                yield ((first, *chosen), *tail)


def layouts(tasks: Iterable[str], depth: int) -> Iterator[Layout]:
    """All layouts of some tasks over ``depth`` blocks, each once."""

    def grow(layout: Layout) -> Iterator[Layout]:
        if len(layout) == depth:
            yield layout
            return
        for finer in _refinements(layout[-1]):
            yield from grow((*layout, finer))

    for partition in partitions(sorted(tasks)):
        yield from grow((partition,))


@cache
def _refinements(partition: Partition) -> tuple[Partition, ...]:
    """The partition itself and all whose groups lie inside its groups."""
    parts = itertools.product(*(tuple(partitions(group)) for group in partition))
    return tuple(tuple(sorted(itertools.chain(*choice))) for choice in parts)


def tree_of(layout: Layout) -> SharingTree:
    """The sharing tree of a layout."""
    depth = len(layout)

    def grow(group: Group, placed: int) -> Branch:
        last = placed
        while last < depth and group in layout[last]:
            last += 1
        blocks = (placed + 1, last) if last > placed else None
        if len(group) == 1:
            return Branch(blocks, group)
        below = layout[last] if last < depth else tuple((task,) for task in group)
        parts = [part for part in below if part[0] in group]
        return Branch(blocks, group, tuple(grow(part, last) for part in parts))

    everything = tuple(sorted(itertools.chain(*layout[0])))
    return SharingTree(grow(everything, 0), depth)


def split_tree(
    groups: Iterable[Iterable[str]], trunk: int, inside: Sequence[int], depth: int
) -> SharingTree:
    """The tree of groups that share ``trunk`` blocks; the tasks of group n share ``inside[n]``."""

    def write(group: Iterable[str], shared: int) -> str:
        names = list(group)
        return names[0] if len(names) == 1 else f"{{{','.join(names)}}}@{shared}"

    written = [write(group, shared) for group, shared in zip(groups, inside, strict=True)]
    return SharingTree.parse(f"{{{','.join(written)}}}@{trunk}", depth)


@dataclass(frozen=True)
class Best:
    """The best tree of ``seen`` layouts, and its cost; ``every`` if there are no others."""

    tree: SharingTree
    cost: float
    seen: int
    every: bool

    @property
    def extent(self) -> str:
        """What it is the best of, in words."""
        return f"all {self.seen:,} layouts" if self.every else f"{self.seen:,} layouts of a beam"


def best_layout(
    tasks: Iterable[str], block_params: Sequence[int], most: int, cost: BlockCost
) -> Best | None:
    """The layout of least cost, summed over the blocks, that fits a budget.

    Of layouts that cost the same the one with the fewest parameters wins, then the first.

    Parameters
    ----------
    tasks : iterable of str
        Up to five: all layouts are compared. More: a beam of width 32 that starts at the tree
        that shares everything and splits one group from some block on in each round; a tree of
        n tasks is made of at most n - 1 splits.
    block_params : sequence of int, length D
    most : int
        Largest sum of the parameters of all blocks.
    cost : callable
        ``cost(block, partition)``.

    Returns
    -------
    Best, or None
        None when no layout has a finite cost within the budget.
    """
    names = sorted(tasks)
    known = cache(cost)

    def rank(layout: Layout) -> Rank:
        costs = [known(block, groups) for block, groups in enumerate(layout, 1)]
        allowed = [cost for cost in costs if cost < math.inf]
        params = sum(len(g) * size for g, size in zip(layout, block_params, strict=True))
        return len(costs) - len(allowed), sum(allowed), params

    every = len(names) <= MAX_ENUMERATED
    if every:
        candidates = layouts(names, len(block_params))
    else:
        candidates = _beam(names, len(block_params), most, rank)
    seen, best = 0, None
    for layout in candidates:
        seen += 1
        found = rank(layout)
        if found[0] == 0 and found[2] <= most and (best is None or found < best[0]):
            best = found, layout
    if best is None:
        return None
    (_, total, _), layout = best
    return Best(tree_of(layout), total, seen, every)


def _beam(
    names: Sequence[str], depth: int, most: int, rank: Callable[[Layout], Rank]
) -> Iterator[Layout]:
    """Layouts of up to ``len(names) - 1`` splits; those that are kept are split further."""
    kept: list[Layout] = [((tuple(names),),) * depth]
    yield from kept
    for _ in range(len(names) - 1):
        grown = {split for layout in kept for split in _splits(layout)}
        ranked = sorted((rank(layout), layout) for layout in grown)
        kept = [layout for (*_, params), layout in ranked if params <= most][:BEAM_WIDTH]
        yield from kept


def _splits(layout: Layout) -> Iterator[Layout]:
    """Every way to split one group in two, from some block on."""
    for start, groups in enumerate(layout):
        for group in groups:
            for part in _halves(group):
                yield (*layout[:start], *(_divided(later, part) for later in layout[start:]))


def _halves(group: Group) -> Iterator[frozenset[str]]:
    """The part without the first task, of every split in two."""
    rest = group[1:]
    for size in range(1, len(rest) + 1):
        yield from map(frozenset, itertools.combinations(rest, size))


def _divided(partition: Partition, part: frozenset[str]) -> Partition:
    """The partition with every group divided into tasks of ``part`` and others."""
    divided: list[Group] = []
    for group in partition:
        inside = tuple(task for task in group if task in part)
        outside = tuple(task for task in group if task not in part)
        divided += [half for half in (outside, inside) if half]
    return tuple(sorted(divided))
