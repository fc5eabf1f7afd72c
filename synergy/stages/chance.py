"""What chance alone makes of AR: independent models held against themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from statistics import fmean

import numpy as np

from synergy.experiment import Experiment
from synergy.seeding import hash64
from synergy.stages.resampling import LEVEL
from synergy.synthesis.ar_table import accuracy_reduction
from synergy.tree import SharingTree
from synergy.trials.trial_store import TrialStore
from synergy.wording import REPORTED, Split


@dataclass(frozen=True)
class Chance:
    """AR of independent models against independent models of other seeds, in percent.

    Attributes
    ----------
    median : float
    high : float
        The 95 % quantile: an AR below it is not told from chance.
    """

    median: float
    high: float

    def to_json(self) -> dict[str, float]:
        """Both as JSON values."""
        return {"median": self.median, "high": self.high}


MOST = 10_000
"""Divisions that are looked at."""


def halves(count: int) -> Iterable[tuple[int, ...]]:
    """Every half of ``count`` places, or `MOST` of them at random; always the same ones."""
    if comb(count, count // 2) <= MOST:
        return combinations(range(count), count // 2)
    rng = np.random.default_rng(hash64("halves", count))
    return (tuple(rng.permutation(count)[: count // 2].tolist()) for _ in range(MOST))


def chance(
    experiment: Experiment, store: TrialStore, tasks: Sequence[str]
) -> dict[Split, Chance] | None:
    """AR over divisions of twice the configured seeds into two halves of the same size.

    All of them, or `MOST` that are drawn where there are more. None until the single-task models of
    the configured seeds and of as many further ones are trained.
    """
    count = experiment.config.seeds
    seeds = range(experiment.config.seed, experiment.config.seed + 2 * count)
    scores: dict[Split, dict[str, list[float]]] = {s: {t: [] for t in tasks} for s in REPORTED}
    for task in tasks:
        alone = SharingTree.single(task, experiment.config.encoder.depth)
        for seed in seeds:
            digest = experiment.trial(alone, seed).digest
            if not store.is_done(digest):
                return None
            result = store.result(digest)
            for split in REPORTED:
                scores[split][task].append(result.scores[split][task])
    found: dict[Split, Chance] = {}
    for split, by_task in scores.items():
        reductions = []
        for half in halves(2 * count):
            rest = [place for place in range(2 * count) if place not in half]
            one, other = (
                {task: fmean(values[place] for place in places) for task, values in by_task.items()}
                for places in (half, rest)
            )
            reductions.append(accuracy_reduction(one, other))
        median, high = np.percentile(reductions, [50.0, 100.0 * LEVEL], method="linear")
        found[split] = Chance(float(median), float(high))
    return found
