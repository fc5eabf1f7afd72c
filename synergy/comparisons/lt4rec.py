"""Sparse sharing: every task has a mask of its own over common weights."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

from synergy.comparisons.base import RECIPES, Contender, Field
from synergy.comparisons.widened import DenseModel, dense_model
from synergy.training.pruning import Parent, Pruning, build_pruned
from synergy.trials.trial import Trial

ROUNDS = 4
"""Prunings of each task; each task is trained once more than that."""


def contenders(field: Field) -> list[Contender]:
    """A mask for each task by magnitude pruning, then one training of all tasks.

    1. For each task alone the wide flat model is trained and pruned by magnitude, all tensors
       ranked together, in `ROUNDS` rounds of the same rate, each from the common initial
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

    Distilled, the last step learns from the teachers. The masks are the same: as in every other
    method, what leads to a model is plain.

    Sparse Sharing (Sun et al. 2020), LT4REC (Xiao et al. 2020). Where the published code of the
    latter differs from its definition, this follows the definition: all tasks start from one
    initialisation, a step is taken on the sum of the tasks' losses, so that no momentum moves
    what a task has masked, and no round is run that prunes nothing. Deviations: convolutions and
    decoders are masked instead of the hidden layers of a perceptron; every task has running
    statistics of its own in normalisation; sizes are brought to those of the tree; the optimiser
    and schedule are those of all other models. Running statistics are not trainable and count
    nowhere.
    """
    dense, experiment = dense_model(field), field.experiment
    alone = {task: experiment.alone(task) for task in dense.tree.tasks}
    weights = {task: dense.maskable(tree) for task, tree in alone.items()}
    share = min(1.0, dense.budget(field.max_params) / sum(weights.values()))
    sizes = {task: _sizes(size, 1 - share ** (1 / ROUNDS)) for task, size in weights.items()}
    rounds = {
        (task, seed): dense.rounds(tree, seed, sizes[task][1:])
        for seed in experiment.config.all_seeds
        for task, tree in alone.items()
    }
    scores: dict[str, float] = {}
    for number in range(ROUNDS + 1):
        trained = field.train(
            f"LT4REC: round {number} of {ROUNDS}",
            [levels[number] for levels in rounds.values()],
        )
        for (task, _), levels in rounds.items():
            digest = levels[number].digest
            scores[digest] = trained[digest].scores["valid"][task]
    masks: dict[int, Pruning] = {}
    params: list[int] = []
    for seed in experiment.config.all_seeds:
        own = {task: list(zip(sizes[task], rounds[task, seed], strict=True)) for task in alone}
        best = {
            task: max(levels[1:], key=lambda level: (scores[level[1].digest], -level[0]))[0]
            for task, levels in own.items()
        }
        masks[seed], size = _fitting(field, dense, own, best)
        params.append(size)
    searched = frozenset(trial.digest for levels in rounds.values() for trial in levels)
    return [
        Contender(
            name=f"LT4REC{ending}",
            trials=tuple(
                (
                    replace(
                        experiment.trial(dense.tree, seed, recipe),
                        encoder=dense.encoder,
                        pruning=pruning,
                    ),
                )
                for seed, pruning in masks.items()
            ),
            params=max(params),
            macs=dense.costs.macs(experiment.flat(dense.tree.tasks, 0)),
            search=searched | field.teachers(recipe),
            note=(
                f"A mask for each task in the flat model with {dense.factor:g} times the "
                f"channels ({dense.params:,} parameters), which runs once for each task; "
                "masks save no dense MACs."
            ),
            masked=sum(weights.values()),
        )
        for ending, recipe in RECIPES.items()
    ]


def _sizes(weights: int, rate: float) -> list[int]:
    """How many weights a task has in its dense training and after each pruning."""
    sizes = [weights]
    for _ in range(ROUNDS):
        sizes.append(max(1, sizes[-1] - math.ceil(rate * sizes[-1])))
    return sizes


def _fitting(
    field: Field,
    dense: DenseModel,
    rounds: Mapping[str, Sequence[tuple[int, Trial]]],
    best: Mapping[str, int],
) -> tuple[Pruning, int]:
    """Masks with sizes in the proportions of ``best``, as large as fits, and all parameters.

    ``rounds`` has the size and the training of each round of a task.
    """
    experiment = field.experiment
    specs = [experiment.specs[task] for task in dense.tree.tasks]
    weights = cache(field.session.workspace.trials.weights)
    unit = max(best.values())
    most = unit * max(-(-rounds[task][0][0] // size) for task, size in best.items())

    def pruning(factor: int) -> Pruning:
        """Masks of ``factor / unit`` times the sizes of ``best``."""
        parents: dict[str, Parent] = {}
        for task, size in best.items():
            keep = min(rounds[task][0][0], max(1, size * factor // unit))
            sparsest = [trial for known, trial in rounds[task] if known >= keep][-1]
            parents[task] = Parent(trial=sparsest.digest, keep=keep)
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
