"""The signed losses of a table, one by one: what was measured, and what the model makes of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from synergy.losses.pooling import Posterior
from synergy.synthesis.table_csv import write_rows


class LossEstimate(NamedTuple):
    """What a task loses beside a partner at a depth, in percent of its score alone.

    ``measured`` is from the means over all seeds, None in a cell without training; ``estimate`` is
    the mean of the posterior and ``low`` to ``high`` its 95 % interval. ``keeps`` is the
    probability that it is within the threshold.
    """

    task: str
    partner: str
    shared_depth: int
    measured: float | None
    estimate: float
    low: float
    high: float
    keeps: float


def loss_estimates(posterior: Posterior, max_ar: float) -> tuple[LossEstimate, ...]:
    """Both losses of every cell, by cell, held against a threshold in percent."""
    evidence, (low, high) = posterior.evidence, posterior.interval
    keeps = (posterior.losses <= max_ar).mean(axis=0)
    found: list[LossEstimate] = []
    for place, (a, b, depth) in enumerate(evidence.cells()):
        for side, (task, partner) in enumerate(((a, b), (b, a))):
            scores = evidence.scores(task, partner, depth)
            alone = float(np.mean(evidence.baseline(task)))
            numbers = (each[place, side] for each in (posterior.mean, low, high, keeps))
            found.append(
                LossEstimate(
                    task,
                    partner,
                    depth,
                    100.0 * (1.0 - float(np.mean(scores)) / alone) if scores and alone else None,
                    *(round(float(number), 4) for number in numbers),
                )
            )
    return tuple(found)


def write_losses(path: Path, estimates: Iterable[LossEstimate]) -> None:
    """Write them as CSV; ``keeps`` is no part of it: thresholds come and go."""
    write_rows(path, LossEstimate._fields[:-1], (each[:-1] for each in estimates))
