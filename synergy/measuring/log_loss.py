"""Log-losses of kept logits: what a model loses by what it believes, not only by what it answers.

How sure a network is depends on how long it was trained and on what it shares, and is not what
sharing is judged by. So its logits are divided by the temperature that suits them best (Guo et al.
2017), one for each training and task, and the log-loss does not change when all logits are scaled.
"""

from __future__ import annotations

import numpy as np

from synergy.tasks.base import Arrays, TaskKind

WIDEST = 20.0
"""Logits are brought to a root mean square of at most this, at least its inverse."""
_HALVINGS = 40


def log_losses(logits: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Negative log probabilities of the right classes at the best temperature; float64 [N].

    Parameters
    ----------
    logits : float [N, K]
        Class logits of each answer, finite.
    right : int64 [N]
        Class of each answer.
    """
    values = logits - logits.mean(axis=1, keepdims=True, dtype=np.float64)
    spread = np.sqrt((values**2).mean())
    values /= spread if spread > 0 else 1.0
    rows = np.arange(len(values))
    # The mean log-loss is convex in the inverse temperature: where its slope changes sign it is
    # least.
    low, high = -np.log(WIDEST), np.log(WIDEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        shares = np.exp(_log_shares(np.exp(middle) * values))
        slope = (shares * values).sum(axis=1).mean() - values[rows, right].mean()
        low, high = (low, middle) if slope > 0 else (middle, high)
    return -_log_shares(np.exp(low) * values)[rows, right]


def resampled_log_losses(
    kind: TaskKind, logits: Arrays, targets: Arrays, groups: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Mean log-losses when groups of clips occur with other multiplicities; float64 [R].

    Parameters are those of `TaskKind.resampled_scores`; every row of ``weights`` has some group.
    The temperature is that of the whole split: the best one of a resampled split would make a
    difference of second order.
    """
    rows, right = kind.answers(logits, targets)
    lost = log_losses(np.concatenate(rows), np.concatenate(right))
    group = np.repeat(groups, [len(each) for each in right])
    sums, counts = (np.bincount(group, each, weights.shape[1]) for each in (lost, None))
    return (weights @ sums) / (weights @ counts)


def _log_shares(logits: np.ndarray) -> np.ndarray:
    """Logarithms of the softmax of each row, [N, K]."""
    top = logits - logits.max(axis=1, keepdims=True)
    return top - np.log(np.exp(top).sum(axis=1, keepdims=True))
