"""A random tree of about our size: what a tree is worth that nobody chose."""

from __future__ import annotations

import random
from collections.abc import Sequence

from synergy.comparisons.base import Contender, Field, tree_contenders
from synergy.errors import ShortfallError
from synergy.seeding import hash64
from synergy.tree import Branch, SharingTree

SAMPLE = 2000
"""Trees that are drawn, see `random_tree`."""

SEED = 0
"""Of the sample. One tree is chosen and trained with all seeds of the experiment."""


def contenders(field: Field) -> list[Contender]:
    """Of a seeded sample, the tree whose size is nearest to the synthesised tree's from below.

    The synthesised tree itself does not count.
    """
    experiment = field.experiment
    draw = random.Random(hash64("random tree", SEED))
    depth = experiment.depth
    sampled = (random_tree(field.tasks, depth, draw) for _ in range(SAMPLE))
    drawn = list(dict.fromkeys(sampled))
    fitting = [
        tree
        for tree in drawn
        if tree != field.tree and experiment.costs.params(tree) <= field.max_params
    ]
    if not fitting:
        raise ShortfallError(
            f"expected another tree of at most {field.max_params:,} parameters among "
            f"{len(drawn):,} random ones, found none; ours may be the smallest there is"
        )
    nearest = max(fitting, key=experiment.costs.params)
    note = f"the largest that fits of {len(drawn):,} different random trees"
    return tree_contenders(field, "random", nearest, note=note)


def random_tree(tasks: Sequence[str], depth: int, draw: random.Random) -> SharingTree:
    """A tree that is drawn from the root on.

    A group shares any number of further blocks with equal probability and then falls apart: each
    of its n tasks goes into one of n parts with equal probability, again until there are two.
    """

    def grow(group: Sequence[str], placed: int) -> Branch:
        if len(group) == 1:
            return Branch((placed + 1, depth) if placed < depth else None, tuple(group))
        last = draw.randint(placed, depth)
        parts: dict[int, list[str]] = {}
        while len(parts) < 2:
            parts = {}
            for task in group:
                parts.setdefault(draw.randrange(len(group)), []).append(task)
        children = tuple(grow(part, last) for part in parts.values())
        return Branch((placed + 1, last) if last > placed else None, tuple(group), children)

    return SharingTree(grow(tasks, 0), depth)
