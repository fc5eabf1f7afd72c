"""Every sharing tree of a few tasks, listed without the solvers: what their answers must equal."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from synergy.synthesis import TaskGraph
from synergy.tree import SharingTree


@dataclass(frozen=True)
class Shape:
    """A tree: what each pair shares, in the order of `itertools.combinations`."""

    shared: tuple[int, ...]
    copies: tuple[int, ...]  # of each block

    def cost(self, costs: Sequence[float]) -> float:
        return sum(n * cost for n, cost in zip(self.copies, costs, strict=True))


@cache
def all_shapes(tasks: int, depth: int = 8) -> tuple[Shape, ...]:
    pairs = list(itertools.combinations(range(tasks), 2))
    shapes = []
    for found in _grow(tuple(range(tasks)), 0, depth):
        # A block has a copy for every task that shares it with none of the tasks before.
        copies = tuple(
            sum(all(found[i, j] < block for i in range(j)) for j in range(tasks))
            for block in range(1, depth + 1)
        )
        shapes.append(Shape(tuple(found[pair] for pair in pairs), copies))
    return tuple(shapes)


def _grow(tasks: tuple[int, ...], least: int, depth: int) -> Iterator[dict[tuple[int, int], int]]:
    """The trees whose root splits the tasks after ``least`` blocks or later."""
    if len(tasks) == 1:
        yield {}
        return
    for shared in range(least, depth + 1):
        for groups in partitions(tasks):
            if len(groups) == 1:
                continue
            across = {
                (min(i, j), max(i, j)): shared
                for one, other in itertools.combinations(groups, 2)
                for i, j in itertools.product(one, other)
            }
            below = [list(_grow(group, shared + 1, depth)) for group in groups]
            for inside in itertools.product(*below):
                merged = dict(across)
                for part in inside:
                    merged |= part
                yield merged


def partitions(items: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], ...]]:
    if not items:
        yield ()
        return
    first, rest = items[0], items[1:]
    for partition in partitions(rest):
        yield ((first,), *partition)
        for i, group in enumerate(partition):
            yield (*partition[:i], (first, *group), *partition[i + 1 :])


def shape_of(tree: SharingTree, tasks: Sequence[str]) -> tuple[int, ...]:
    """What each pair shares, in the order of the given tasks."""
    return tuple(tree.shared_depth(a, b) for a, b in itertools.combinations(tasks, 2))


def strict_shapes(graph: TaskGraph, depth: int = 8) -> list[Shape]:
    """The trees in which every pair shares nothing or a depth that passes."""
    admissible = [{0, *depths} for depths in graph.depths]
    return [
        shape
        for shape in all_shapes(len(graph.tasks), depth)
        if all(d in own for d, own in zip(shape.shared, admissible, strict=True))
    ]


def shapes_below(graph: TaskGraph, depth: int = 8) -> list[Shape]:
    """The trees in which no pair shares more than its weight."""
    return [
        shape
        for shape in all_shapes(len(graph.tasks), depth)
        if all(d <= weight for d, weight in zip(shape.shared, graph.weights, strict=True))
    ]
