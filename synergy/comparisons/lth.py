"""Lottery tickets: one mask for all tasks, pruned by magnitude, round by round."""

from __future__ import annotations

import math

from synergy.comparisons.base import RECIPES, Contender, Field
from synergy.comparisons.widened import dense_model

RATE = 0.2
"""Share of the remaining weights that a round prunes, in (0, 1)."""

REWIND = 0.02
"""Share of the schedule after which masks begin, in [0, 1)."""


def contenders(field: Field) -> list[Contender]:
    """Iterative magnitude pruning with rewinding of a flat model.

    A wide flat model is trained. Then, round by round, the smallest of the weights that are left
    are pruned, a share of `RATE`, all tensors ranked together, and the rest is trained again for
    the full schedule from where it was after the share `REWIND` of it. The last round prunes less,
    so that the model has exactly the parameters of the synthesised tree.

    Distilled, every training of it learns from the teachers, the rounds too: rewinding goes back
    to where the round before was, which is the same training only with the same loss.

    Frankle & Carbin 2019 with the rewinding of Frankle et al. 2020, who find the useful range
    between 0.1 and 7 % of the schedule. For several tasks the model is the flat one and the
    loss the sum of the tasks' losses. Deviations: recurrent weights are pruned too; magnitudes
    are those of the weights that are kept; AdamW with the schedule of all other models instead of
    SGD. Convolution and decoder weights are ranked together;
    `synergy.sparsity.maskable` says what is exempt.
    """
    dense = dense_model(field)
    weights = dense.maskable(dense.tree)
    sizes = sizes_of(weights, dense.budget(field.max_params))
    seeds = field.experiment.config.all_seeds
    found: list[Contender] = []
    for ending, recipe in RECIPES.items():
        levels = [dense.rounds(dense.tree, seed, sizes, REWIND, recipe) for seed in seeds]
        *before, last = zip(*levels, strict=True)
        for number, trials in enumerate(before):
            field.train(f"LTH{ending}: round {number} of {len(sizes)}", trials)
        rounds = frozenset(trial.digest for trials in before for trial in trials)
        entered = Contender(
            name=f"LTH{ending}",
            trials=tuple((trial,) for trial in last),
            params=dense.params - weights + sizes[-1],
            macs=dense.costs.macs(dense.tree),
            search=rounds | field.teachers(recipe),
            note=(
                f"One mask: the flat model with {dense.factor:g} times the channels "
                f"({dense.params:,} parameters), pruned in {len(sizes)} rounds; masks save no "
                "dense MACs."
            ),
            masked=weights,
        )
        found.append(entered)
    return found


def sizes_of(weights: int, target: int) -> list[int]:
    """How many of ``weights`` survive each round until ``target`` are left."""
    sizes: list[int] = []
    while weights > target:
        weights = max(weights - math.ceil(RATE * weights), target)
        sizes.append(weights)
    return sizes
