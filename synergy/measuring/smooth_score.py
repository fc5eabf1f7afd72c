"""What trainings score, and what they would score as far as their log-losses tell.

An accuracy of few clips jumps from clip to clip; the log-loss of the same logits is far steadier.
Over all trainings of a task that a table rests on, the score is written as

    mean score - slope * (log-loss - mean log-loss) + residual

and of a residual only the share that is no noise of the speakers is kept. So a smooth score is in
units of the score, goes back to the score itself where the log-loss does not tell it, and losses
keep their size: the slope of a plain regression on a noisy log-loss would be too small and all
losses with it (errors in variables), so variances are those over trainings less those over
resampled speakers (the method of moments of Fuller 1987, 2.2, with estimated error variances).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEAST_RELIABLE = 0.5
"""Share of the variance of log-losses between trainings that must be no noise of speakers."""
LEAST_TRAININGS = 6
"""Fewer tell nothing of a slope."""
LEAST_TOLD = 2.0
"""Standard errors that the slope lies below 0, at least."""


@dataclass(frozen=True, eq=False)
class Readings:
    """One number of each of T trainings of a task on a split.

    Attributes
    ----------
    values : float64 [T]
    resampled : float64 [R, T]
        The same over resampled speakers; every training with the same draws.
    """

    values: np.ndarray
    resampled: np.ndarray


def smoothed(scores: Readings, losses: Readings) -> Readings | None:
    """Smooth scores; their ``resampled`` hold the uncertainty of the slope, too.

    Parameters
    ----------
    scores, losses : Readings
        Scores and log-losses of the same trainings with the same draws, from enough speakers for
        resampling.

    Returns
    -------
    Readings, or None
        None where the log-losses tell nothing of the score: of fewer than 6 trainings, where less
        than half of their variance is no noise, or the slope is not told from 0.
    """
    count = len(scores.values)
    if count < LEAST_TRAININGS:
        return None
    both = np.stack([scores.values, losses.values])
    seen = np.cov(both)
    drawn = np.stack([scores.resampled, losses.resampled]).transpose(1, 0, 2)
    apart = drawn - drawn.mean(axis=0)
    apart -= apart.mean(axis=2, keepdims=True)  # what all trainings have in common is no noise
    noise = np.einsum("rit,rjt->ij", apart, apart) / (len(drawn) * (count - 1))
    true = seen - noise
    if true[1, 1] <= LEAST_RELIABLE * seen[1, 1]:
        return None
    slope = true[0, 1] / true[1, 1]
    line = np.array([1.0, -slope])
    residual, of_speakers = line @ seen @ line, line @ noise @ line
    error = np.sqrt(residual / (count * true[1, 1]))
    if slope * np.sqrt(seen[1, 1]) >= -1e-9 or slope >= -LEAST_TOLD * error:
        return None
    kept = 1.0 - of_speakers / max(residual, of_speakers) if of_speakers > 0 else 1.0
    mix = np.array([kept, (1.0 - kept) * slope])
    middle = both.mean(axis=1, keepdims=True)
    values = middle[0] + mix @ (both - middle)
    # An error of the slope, in half of the draws upwards and in half downwards.
    signs = np.resize([1.0, -1.0], len(drawn))
    turned = np.outer(signs, (1.0 - kept) * error * (losses.values - middle[1]))
    resampled = middle[0] + np.einsum("i,rit->rt", mix, drawn - middle) + turned
    return Readings(values, resampled)
