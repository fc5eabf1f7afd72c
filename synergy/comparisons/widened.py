"""What masks are taken from: a flat model that is larger than the tree it is compared with."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from synergy.comparisons.base import Field
from synergy.costs import Costs
from synergy.encoders import Encoder
from synergy.errors import ShortfallError
from synergy.experiment import PLAIN, Experiment, Recipe
from synergy.network import TreeNetwork
from synergy.sparsity import maskable
from synergy.training.pruning import Parent, Pruning
from synergy.tree import SharingTree
from synergy.trials.trial import Trial

# The dense model has at least this many times the parameters that may be left: two to four rounds
# of 20 % lead there.
SURPLUS = 1.5
_STEP = 0.25


@dataclass(frozen=True)
class DenseModel:
    """The flat model ``tree``: all blocks under all tasks, of an encoder with wider blocks.

    ``factor`` is by what the channels of the configured encoder are multiplied.
    """

    experiment: Experiment
    tree: SharingTree
    factor: float
    encoder: Encoder

    @property
    def costs(self) -> Costs:
        """With this encoder: parameters, and MACs of one second of audio."""
        return self.experiment.costs_of(self.encoder)

    @property
    def params(self) -> int:
        """Trainable parameters before pruning."""
        return self.costs.params(self.tree)

    def maskable(self, tree: SharingTree) -> int:
        """Number of weights that may be pruned in the model of ``tree``."""
        specs = [self.experiment.specs[task] for task in tree.tasks]
        with torch.device("meta"):
            network = TreeNetwork(tree, self.encoder, specs, self.experiment.bank.mels)
        return sum(maskable(network).values())

    def budget(self, most: int) -> int:
        """Weights that may survive where the model may have ``most`` parameters.

        Raises
        ------
        ShortfallError
            If what is never pruned leaves no weight for some task.
        """
        fixed = self.params - self.maskable(self.tree)
        if most - fixed < len(self.tree.tasks):
            raise ShortfallError(
                f"expected to prune the flat model to the {most:,} parameters of the synthesised "
                f"tree, found {fixed:,} that masks never cover (biases, normalisation, "
                "classifiers); compare without lth and lt4rec, or with wider blocks"
            )
        return most - fixed

    def rounds(
        self,
        tree: SharingTree,
        seed: int,
        sizes: Sequence[int],
        rewind: float = 0.0,
        recipe: Recipe = PLAIN,
    ) -> list[Trial]:
        """The dense training of ``tree`` and one for each number of weights that survive.

        Each prunes the one before by magnitude and begins after the share ``rewind`` of its steps.
        """
        dense = replace(self.experiment.trial(tree, seed, recipe), encoder=self.encoder)
        step = math.floor(rewind * dense.training.steps)
        levels = [dense]
        for size in sizes:
            parents = dict.fromkeys(tree.tasks, Parent(trial=levels[-1].digest, keep=size))
            pruning = Pruning(parents=parents, rewind_step=step)
            levels.append(replace(dense, pruning=pruning))
        return levels


def dense_model(field: Field, surplus: float = SURPLUS) -> DenseModel:
    """The narrowest flat model with at least ``surplus`` times the parameters of the tree.

    The channels of the configured encoder are multiplied by 1, 1.25, 1.5 and so on.

    Raises
    ------
    ShortfallError
        If the encoder cannot be made wide enough.
    """
    experiment = field.experiment
    tree = experiment.flat(field.tasks, experiment.depth)
    for factor in itertools.count(1.0, _STEP):
        try:
            encoder = experiment.config.encoder.widened(factor)
        except ValueError as error:
            raise ShortfallError(
                f"expected a flat model of {surplus:g} times the {field.max_params:,} parameters "
                f"of the synthesised tree, found none: encoder {experiment.config.encoder.name} "
                f"cannot have {factor:g} times its channels; compare without lth and lt4rec"
            ) from error
        found = DenseModel(experiment, tree, factor, encoder)
        if found.params >= surplus * field.max_params:
            return found
    raise AssertionError("the factors have no end")
