"""What chance alone makes of AR: independent models held against themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from math import comb
from statistics import fmean

import numpy as np

from synergy.measuring.bootstrap import LEVEL
from synergy.measuring.outcome import Outcome
from synergy.records import Chance
from synergy.running.session import Results, Session
from synergy.seeding import hash64
from synergy.synthesis import accuracy_reduction

MOST = 10_000
"""Divisions that are looked at."""


def halves(count: int) -> Iterable[tuple[int, ...]]:
    """Every half of ``count`` places, or `MOST` of them at random; always the same ones."""
    if comb(count, count // 2) <= MOST:
        return combinations(range(count), count // 2)
    rng = np.random.default_rng(hash64("halves", count))
    return (tuple(rng.permutation(count)[: count // 2].tolist()) for _ in range(MOST))


def chance(session: Session, tasks: Sequence[str]) -> dict[str, Chance] | None:
    """AR over divisions of twice the configured seeds into two halves of the same size, by split.

    All of them, or `MOST` that are drawn where there are more. None until the single-task models of
    the configured seeds and of as many further ones are trained.
    """
    experiment = session.experiment
    first, count = experiment.config.seed, experiment.config.seeds
    alone = [experiment.alone(task) for task in tasks]
    trials = experiment.trials(alone, seeds=range(first, first + 2 * count))
    results = Results.kept(session.workspace.trials, trials)
    if len(results.done) < len(trials):
        return None
    singles = Outcome.of(results, trials)
    found: dict[str, Chance] = {}
    for split in singles.splits:
        scores = singles.scores[split]
        reductions: list[float] = []
        for half in halves(2 * count):
            rest = [place for place in range(2 * count) if place not in half]
            one, other = (
                {task: fmean(values[place] for place in places) for task, values in scores.items()}
                for places in (half, rest)
            )
            reductions.append(accuracy_reduction(one, other))
        median, high = np.percentile(reductions, [50.0, 100.0 * LEVEL], method="linear")
        found[split] = Chance(median=float(median), high=float(high))
    return found
