"""Lottery tickets: one mask for all tasks, pruned by magnitude, round by round."""

from __future__ import annotations

import math
from dataclasses import dataclass

from synergy.comparisons.base import Comparison, Contender, Field
from synergy.comparisons.widened import DenseModel, dense_model
from synergy.training.pruning import Parent, Pruning
from synergy.trials.trial import Trial


@dataclass(frozen=True)
class Lth(Comparison):
    """Iterative magnitude pruning with rewinding of a flat model.

    A wide flat model is trained. Then, round by round, the ``rate`` smallest of the weights
    that are left are pruned, all tensors ranked together, and the rest is trained again for the
    full schedule from where it was after the share ``rewind`` of it. The last round prunes less,
    so that the model has exactly the parameters of the synthesised tree.

    Frankle & Carbin 2019 with the rewinding of Frankle et al. 2020, who find the useful range
    between 0.1 and 7 % of the schedule. For several tasks the model is the flat one and the
    loss the sum of the tasks' losses. Deviations: recurrent weights are pruned too; magnitudes
    are those of the best validation, not of the last step; AdamW with the schedule of all other
    models instead of SGD. Convolution and decoder weights are ranked together;
    `synergy.sparsity.maskable` says what is exempt.

    Attributes
    ----------
    rate : float
        Share of the remaining weights that a round prunes, in (0, 1).
    rewind : float
        Share of the schedule after which masks begin, in [0, 1).
    """

    name = "lth"
    summary = "flat model with one mask, iterative magnitude pruning (Frankle et al. 2020)"
    rate: float = 0.2
    rewind: float = 0.02

    def contenders(self, field: Field) -> list[Contender]:
        """The model of the last round."""
        dense = dense_model(field)
        weights = dense.maskable(dense.tree)
        sizes = self.sizes(weights, dense.budget(field.max_params))
        seeds = field.experiment.config.all_seeds
        levels = list(zip(*(self._levels(dense, seed, sizes) for seed in seeds), strict=True))
        *before, last = levels
        for number, trials in enumerate(before):
            field.train(f"LTH: round {number} of {len(sizes)}", trials)
        return [
            Contender(
                name="LTH",
                trials=tuple((trial,) for trial in last),
                params=dense.params - weights + sizes[-1],
                macs=dense.costs.macs(dense.tree),
                search=frozenset(trial.digest for trials in before for trial in trials),
                note=(
                    f"One mask: the flat model with {dense.factor:g} times the channels "
                    f"({dense.params:,} parameters), pruned in {len(sizes)} rounds; masks save no "
                    "dense MACs."
                ),
                masked=weights,
            )
        ]

    def sizes(self, weights: int, target: int) -> list[int]:
        """How many of ``weights`` survive each round until ``target`` are left."""
        sizes: list[int] = []
        while weights > target:
            weights = max(weights - math.ceil(self.rate * weights), target)
            sizes.append(weights)
        return sizes

    def _levels(self, dense: DenseModel, seed: int, sizes: list[int]) -> list[Trial]:
        """The dense training and one for each round."""
        levels = [dense.trial(dense.tree, seed)]
        for size in sizes:
            parent = Parent(trial=levels[-1].digest, keep=size)
            pruning = Pruning(
                parents=dict.fromkeys(dense.tree.tasks, parent),
                rewind_step=math.floor(self.rewind * levels[0].training.steps),
            )
            levels.append(dense.trial(dense.tree, seed, pruning))
        return levels
