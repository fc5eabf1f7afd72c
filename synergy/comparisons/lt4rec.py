"""Sparse sharing: every task has a mask of its own over common weights."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from torch import Tensor

from synergy.comparisons.base import Comparison, Contender, Field
from synergy.comparisons.widened import DenseModel, dense_model
from synergy.training.pruning import Parent, Pruning, build_pruned
from synergy.tree import SharingTree
from synergy.trials.trial import Trial


@dataclass(frozen=True)
class _Round:
    """A single-task training and how many of the maskable weights it has."""

    size: int
    trial: Trial


@dataclass(frozen=True)
class Lt4rec(Comparison):
    """A mask for each task by magnitude pruning, then one training of all tasks.

    1. For each task alone the wide flat model is trained and pruned by magnitude, all tensors
       ranked together, in ``rounds`` rounds of the same rate, each from the common initial
       weights. The share of weights that the last round keeps is the largest with which the
       masks of all tasks would fit even if they had no weight in common: the number of weights
       that may survive, divided by the sum of the tasks' maskable weights.
    2. Each task takes the round with the best validation score, for each seed by itself; of
       equals, the sparser one. The sizes of the tasks' masks are to each other as those of
       these rounds, and as large as they can be without the union of the masks, with all that
       is never masked, exceeding the parameters of the synthesised tree: all sizes are
       multiplied by one factor, which may lie below or above 1. A mask of another size than
       its round holds the weights that survive longest in the task's own rounds: it is taken
       by the magnitudes of the sparsest round that still has as many weights.
    3. All tasks are trained from the initial weights, each through its mask, as a
       `synergy.sparsity.TaskMaskedNetwork`.

    Sparse Sharing (Sun et al. 2020), LT4REC (Xiao et al. 2020). Where the published code of the
    latter differs from its definition, this follows the definition: all tasks start from one
    initialisation, a step is taken on the sum of the tasks' losses, so that no momentum moves
    what a task has masked, and no round is run that prunes nothing. Deviations: convolutions and
    decoders are masked instead of the hidden layers of a perceptron; every task has running
    statistics of its own in normalisation; sizes are brought to those of the tree; the optimiser
    and schedule are those of all other models. Running statistics are not trainable and count
    nowhere.

    Attributes
    ----------
    rounds : int
        Prunings of each task; each task is trained once more than that.
    """

    name = "lt4rec"
    summary = "a mask for each task over common weights (Sun et al. 2020; Xiao et al. 2020)"
    rounds: int = 4

    def contenders(self, field: Field) -> list[Contender]:
        """The jointly trained model."""
        dense = dense_model(field)
        tasks, seeds = dense.tree.tasks, field.experiment.config.all_seeds
        weights = {task: dense.maskable(_alone(dense, task)) for task in tasks}
        share = min(1.0, dense.budget(field.max_params) / sum(weights.values()))
        rate = 1 - share ** (1 / self.rounds)
        rounds = {
            (task, seed): self._plan(dense, task, seed, weights[task], rate)
            for seed in seeds
            for task in tasks
        }
        scores: dict[str, float] = {}
        for number in range(self.rounds + 1):
            trained = field.train(
                f"LT4REC: round {number} of {self.rounds}",
                [planned[number].trial for planned in rounds.values()],
            )
            for task, seed in rounds:
                digest = rounds[task, seed][number].trial.digest
                scores[digest] = trained[digest].scores["valid"][task]
        trials: list[Trial] = []
        params: list[int] = []
        for seed in seeds:
            best = {
                task: max(rounds[task, seed][1:], key=lambda r: (scores[r.trial.digest], -r.size))
                for task in tasks
            }
            own = {task: rounds[task, seed] for task in tasks}
            pruning, size = _fitting(field, dense, own, best)
            trials.append(dense.trial(dense.tree, seed, pruning))
            params.append(size)
        return [
            Contender(
                name="LT4REC",
                trials=tuple((trial,) for trial in trials),
                params=max(params),
                macs=dense.costs.macs(SharingTree.flat(tasks, 0, dense.tree.depth)),
                search=frozenset(r.trial.digest for planned in rounds.values() for r in planned),
                note=(
                    f"A mask for each task in the flat model with {dense.factor:g} times the "
                    f"channels ({dense.params:,} parameters), which runs once for each task; "
                    "masks save no dense MACs."
                ),
                masked=sum(weights.values()),
            )
        ]

    def _plan(
        self, dense: DenseModel, task: str, seed: int, weights: int, rate: float
    ) -> list[_Round]:
        """The dense training of ``task`` and its rounds."""
        alone = _alone(dense, task)
        planned = [_Round(weights, dense.trial(alone, seed))]
        for _ in range(self.rounds):
            size = max(1, planned[-1].size - math.ceil(rate * planned[-1].size))
            parent = Parent(trial=planned[-1].trial.digest, keep=size)
            pruning = Pruning(parents={task: parent})
            planned.append(_Round(size, dense.trial(alone, seed, pruning)))
        return planned


def _alone(dense: DenseModel, task: str) -> SharingTree:
    return SharingTree.single(task, dense.tree.depth)


def _fitting(
    field: Field,
    dense: DenseModel,
    rounds: Mapping[str, Sequence[_Round]],
    best: Mapping[str, _Round],
) -> tuple[Pruning, int]:
    """Masks in the proportions of ``best``, as large as fits, and the model's parameters."""
    experiment = field.experiment
    specs = [experiment.specs[task] for task in dense.tree.tasks]
    unit = max(found.size for found in best.values())
    most = unit * max(-(-rounds[task][0].size // found.size) for task, found in best.items())

    @cache
    def weights(digest: str) -> dict[str, Tensor]:
        return field.session.workspace.trials.weights(digest)

    def pruning(factor: int) -> Pruning:
        """Masks of ``factor / unit`` times the sizes of ``best``."""
        parents: dict[str, Parent] = {}
        for task, found in best.items():
            keep = min(rounds[task][0].size, max(1, found.size * factor // unit))
            sparsest = [known for known in rounds[task] if known.size >= keep][-1]
            parents[task] = Parent(trial=sparsest.trial.digest, keep=keep)
        return Pruning(parents=parents)

    def params(factor: int) -> int:
        masks = pruning(factor)
        parents = {digest: weights(digest) for digest in masks.digests}
        _, masking = build_pruned(
            dense.tree, dense.encoder, specs, experiment.bank.mels, 0, masks, parents
        )
        return dense.params - masking.pruned

    # masks of a task contain its smaller ones, so the union grows with the factor
    factor = max(1, bisect_right(range(1, most + 1), field.max_params, key=params))
    return pruning(factor), params(factor)
