"""Made-up losses of pairs, and the scores of the trainings that would show them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from synergy.losses.adaptive import Training
from synergy.losses.evidence import Evidence
from synergy.losses.pooling import Posterior

DEPTHS = (4, 6, 8)
SCORE = 0.9
BLOCKS = (168, 1806, 2838, 4221, 4032, 4032, 4032, 4032)


class Truth:
    """Losses [cells, 2] in percent, and the noise of single-task models and pairs."""

    def __init__(self, losses: np.ndarray, noise: tuple[float, float], seed: int = 0) -> None:
        self.losses, self.noise = losses, noise
        count = next(n for n in range(2, 20) if n * (n - 1) // 2 * len(DEPTHS) == len(losses))
        self.tasks = tuple("abcdefgh"[:count])
        self.empty = Evidence(self.tasks, DEPTHS, {}, {})
        self._seed = seed

    def score(self, training: Training, task: str) -> float:
        """The same whenever it is asked for."""
        place = [*self.tasks].index(task)
        key = [self._seed, place, training.depth, training.number, *map(ord, training.tasks)]
        noise = float(np.random.default_rng(key).standard_normal())
        if not training.depth:
            return SCORE * (1 + self.noise[0] * noise / 100)
        cell = self.empty.cells().index((*training.tasks, training.depth))  # type: ignore[arg-type]
        loss = float(self.losses[cell, training.tasks.index(task)])
        return SCORE * (1 + (self.noise[1] * noise - loss) / 100)

    def train(self, evidence: Evidence, trainings: Sequence[Training]) -> Evidence:
        singles, nulls, pairs = dict(evidence.singles), dict(evidence.nulls), dict(evidence.pairs)
        for training in trainings:
            found = [self.score(training, task) for task in training.tasks]
            if training.depth:
                a, b = training.tasks
                one, other = pairs.get((a, b, training.depth), ((), ()))
                assert training.number == len(one)
                pairs[a, b, training.depth] = (*one, found[0]), (*other, found[1])
                continue
            to = singles if len(training.tasks) == 1 else nulls
            for task, score in zip(training.tasks, found, strict=True):
                assert training.number == len(to.get(task, ()))
                to[task] = (*to.get(task, ()), score)
        return replace(evidence, singles=singles, nulls=nulls, pairs=pairs)

    def measured(self, singles: int, seeds: int, without: Sequence[str] = ()) -> Evidence:
        """The evidence of a whole table, without the cells of one pair."""
        trainings = [Training((t,), 0, n) for t in self.tasks for n in range(singles)]
        trainings += [
            Training((a, b), depth, n)
            for a, b, depth in self.empty.cells()
            for n in range(seeds)
            if {a, b} != set(without)
        ]
        return self.train(self.empty, trainings)


def additive(tasks: int, rng: np.random.Generator, residual: float = 0.3) -> np.ndarray:
    """Losses by partner and slope, [cells, 2]."""
    pairs = list(itertools.combinations(range(tasks), 2))
    steps = np.array(DEPTHS, dtype=float) - np.mean(DEPTHS)
    means, slopes = rng.uniform(-1, 2, tasks), rng.uniform(0, 0.4, tasks)
    found = np.empty((len(pairs), len(DEPTHS), 2))
    for number, ends in enumerate(pairs):
        for side, task in enumerate(ends):
            found[number, :, side] = means[task] + rng.standard_normal() + slopes[task] * steps
    return (found + residual * rng.standard_normal(found.shape)).reshape(-1, 2)


def posterior_of(losses: np.ndarray, **terms) -> Posterior:
    """A posterior with the given draws, [draws, cells, 2]."""
    evidence = replace(Truth(losses[0], (1.0, 1.0)).empty, **terms)
    count = len(evidence.tasks)
    return Posterior(
        evidence, losses, np.zeros((len(losses), count)), np.ones(count), np.ones(count)
    )
