"""The signed losses of a table, one by one: what was measured, and what the model makes of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from synergy.losses.pooling import Posterior
from synergy.synthesis.table_csv import write_rows


class LossEstimate(NamedTuple):
    """What a task loses beside a partner at a depth, in percent of its score alone.

    ``measured`` is from the means over all seeds, None in a cell without training; ``estimate`` is
    the mean of the posterior and ``low`` to ``high`` its 95 % interval. ``by`` says of what all of
    them are taken: of the scores, or of what the log-losses tell of them. ``keeps`` is the
    probability that the loss is within the threshold.
    """

    task: str
    partner: str
    shared_depth: int
    measured: float | None
    estimate: float
    low: float
    high: float
    by: Literal["score", "log_loss"]
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
            at = place, side
            found.append(
                LossEstimate(
                    task,
                    partner,
                    depth,
                    100.0 * (1.0 - float(np.mean(scores)) / alone) if scores and alone else None,
                    round(float(posterior.mean[at]), 4),
                    round(float(low[at]), 4),
                    round(float(high[at]), 4),
                    "log_loss" if task in evidence.smooth else "score",
                    round(float(keeps[at]), 4),
                )
            )
    return tuple(found)


def write_losses(path: Path, estimates: Iterable[LossEstimate]) -> None:
    """Write them as CSV; ``keeps`` is no part of it: thresholds come and go."""
    write_rows(path, LossEstimate._fields[:-1], (each[:-1] for each in estimates))
