"""Trees of every even division of the tasks, under the same weights as the synthesised tree."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from synergy.comparisons.base import Contender, Field, tree_contenders
from synergy.comparisons.layouts import Partition, partitions, split_tree
from synergy.synthesis import Question, task_graph
from synergy.tree import SharingTree

MOST = 10
"""Divisions that are entered; there are more from seven tasks on."""


def contenders(field: Field) -> list[Contender]:
    """The trees that the first split of the recursion could have led to (paper, tables 4 and 5).

    Whatever the division, all tasks share as many blocks as the smallest weight of all pairs
    allows, and the tasks of a part as many as the smallest weight inside the part. Three tasks:
    all divisions into two or three parts. Four: the three into two pairs. Other numbers: the
    divisions into two parts whose sizes differ by at most one, the first ten in task order.
    """
    question = Question(max_ar=field.experiment.config.max_ar)
    graph = task_graph(field.table, question)
    weights = dict(zip(map(frozenset, graph.pairs()), graph.weights, strict=True))
    depth = field.experiment.depth
    divisions = even_divisions(field.tasks)
    left_out = len(divisions) - MOST
    return [
        contender
        for division in divisions[:MOST]
        for contender in tree_contenders(
            field,
            "division " + ",".join(f"{{{','.join(part)}}}" for part in division),
            divided_tree(division, weights, depth),
            search=field.table_digests,
            note=f"{left_out} further divisions are left out" if left_out > 0 else "",
        )
    ]


def even_divisions(tasks: Sequence[str]) -> list[Partition]:
    """The divisions that are compared, those into fewer parts first."""
    if len(tasks) == 3:
        found = [division for division in partitions(tasks) if len(division) > 1]
    else:
        found = [
            division
            for division in partitions(tasks)
            if len(division) == 2 and abs(len(division[0]) - len(division[1])) <= 1
        ]
    return sorted(found, key=len)


def divided_tree(
    division: Partition, weights: Mapping[frozenset[str], int], depth: int
) -> SharingTree:
    """The tree of a division; tasks share what the smallest weight among them allows."""

    def shared(tasks: Sequence[str]) -> int:
        pairs = itertools.combinations(tasks, 2)
        return min((weights[frozenset(pair)] for pair in pairs), default=depth)

    everything = [task for part in division for task in part]
    return split_tree(division, shared(everything), [shared(part) for part in division], depth)
