"""What would decide whether a tree keeps its threshold: more trainings, or more speakers."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from synergy.losses.pooling import Posterior
from synergy.losses.promise import Promise
from synergy.tree import SharingTree

# Points from the threshold within which no effort decides.
_TOO_CLOSE = 0.1


@dataclass(frozen=True)
class Remedy:
    """The loss that leaves a tree most undecided, and what would decide it.

    Attributes
    ----------
    task, partner : str
    depth : int
    loss, sd : float
        Estimate and standard deviation, in percent points.
    trainings : float, or None
        By how much the trainings would have to be multiplied. None where they decide nothing:
        speakers would have to be more, or the loss lies at the threshold.
    speakers : float, or None
        The same of speakers in validation, where their luck alone is too large.
    """

    task: str
    partner: str
    depth: int
    loss: float
    sd: float
    trainings: float | None
    speakers: float | None


def remedy(
    posterior: Posterior, promise: Promise, tree: SharingTree, confidence: float
) -> Remedy | None:
    """What would say with a ``confidence`` whether ``tree`` keeps the threshold or not.

    It is taken of the loss that is within the threshold with the lowest probability, as of a
    Gaussian whose variance falls with the number of trainings, or of speakers. None where the tree
    shares nothing, or nothing of that cell was trained.
    """
    evidence, tasks = posterior.evidence, posterior.evidence.tasks
    column = {cell: place for place, cell in enumerate(evidence.cells())}
    worst: tuple[float, tuple[str, str, int], np.ndarray] | None = None
    for pair in itertools.combinations(tasks, 2):
        depth = tree.shared_depth(*pair)
        if not depth:
            continue
        for side, task in enumerate(pair):
            drawn = posterior.losses[:, column[*pair, depth], side]
            within = float((drawn <= promise.max_ar).mean())
            if worst is None or within < worst[0]:
                worst = within, (task, pair[1 - side], depth), drawn
    if worst is None:
        return None
    _, (task, partner, depth), drawn = worst
    if not evidence.scores(task, partner, depth):
        return None
    loss, variance = float(drawn.mean()), float(drawn.var())
    distance = abs(loss - promise.max_ar)
    wanted = (distance / NormalDist().inv_cdf(confidence)) ** 2
    known = evidence.speakers.get(task)
    first, second = sorted((task, partner), key=tasks.index)
    place = evidence.cells_of(task).index((first, second, depth))
    luck = 0.0 if known is None else min(variance, float(known[place, place]))
    trainings = speakers = None
    if distance >= _TOO_CLOSE:
        if luck < wanted:
            trainings = max(1.0, (variance - luck) / (wanted - luck))
        else:
            speakers = luck / wanted
    return Remedy(task, partner, depth, loss, math.sqrt(variance), trainings, speakers)
