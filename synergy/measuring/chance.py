"""What chance alone makes of AR: that of a tree which loses nothing, by how trainings scatter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from synergy.measuring.bootstrap import LEVEL
from synergy.measuring.outcome import levelled
from synergy.records import Chance
from synergy.rows import Scores
from synergy.seeding import hash64
from synergy.wording import REPORTED

DRAWS = 10_000


def chance(
    alone: Scores, together: Iterable[Scores], seeds: int, folds: int = 1
) -> dict[str, Chance]:
    """AR by chance of a model over some seeds, by split.

    Parameters
    ----------
    alone : Scores
        Of the single-task models.
    together : iterable of Scores
        Of each model of all tasks, a score for each training; what has fewer than two trainings,
        or lacks a task, tells nothing. Plain ones: distilled trainings scatter less.
    seeds : int
        Over how many an AR is taken.
    folds : int
        Which seeds go through in turn; how hard one is, is no scatter.

    Returns
    -------
    dict of split to Chance
        Without a split in which nothing is known to scatter, as with one seed.
    """
    models = list(together)
    found: dict[str, Chance] = {}
    for split in REPORTED:
        every: list[list[Sequence[float]]] = []
        for model in models:
            columns = [model.get(split, {}).get(task, ()) for task in alone.get(split, {})]
            if len(set(map(len, columns))) == 1 and len(columns[0]) > 1:
                every.append([*columns])
        levels: list[list[np.ndarray]] = []
        for scores in zip(alone.get(split, {}).values(), *every, strict=True):
            level = levelled([dict(enumerate(own)) for own in scores], folds)
            levels.append([np.array([*own.values()]) for own in level])
        singles, rest = [own[0] for own in levels], [own[1:] for own in levels]
        trees = [np.stack(columns, axis=1) for columns in zip(*rest, strict=True)]
        if trees and all(len(scores) > 1 for scores in singles):
            rng = np.random.default_rng(hash64("chance", split))
            drawn = reductions_by_chance(singles, trees, seeds, rng)
            median, high = np.percentile(drawn, [50.0, 100.0 * LEVEL], method="linear")
            found[split] = Chance(median=float(median), high=float(high))
    return found


def reductions_by_chance(
    alone: Sequence[np.ndarray],
    together: Sequence[np.ndarray],
    seeds: int,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> np.ndarray:
    """AR of a tree that has the mean scores of the single-task models; percent, float64 [R].

    Each draw adds noise to the mean of either side: the mean of ``seeds`` deviations, drawn with
    replacement from those that trainings have from the mean of their own model. Deviations of n
    trainings are multiplied by the root of n / (n - 1), so that their variance is without bias.
    Those of the trees are pooled over all models, and the tasks of one training stay together.

    That a tree and the single-task models of one seed see the same clips in the same order, which
    may let them err alike, is left out.

    Parameters
    ----------
    alone : sequence of float [N]
        For each of T tasks the scores of its single-task models, in [0, 1]; N >= 2.
    together : sequence of float [n, T]
        For each model of all tasks the scores of its trainings; n >= 2.
    """

    def noise(models: Sequence[np.ndarray]) -> np.ndarray:
        """Noise of the mean of one model; float64 [R, number of tasks]."""
        deviations = np.concatenate(
            [(own - own.mean(axis=0)) * np.sqrt(len(own) / (len(own) - 1)) for own in models]
        )
        picks = (rng.integers(len(deviations), size=draws) for _ in range(seeds))
        return sum((deviations[pick] for pick in picks), np.zeros(())) / seeds

    means = np.array([scores.mean() for scores in alone])
    trees = np.clip(means + noise(together), 0.0, 1.0)
    singles = means + np.hstack([noise([scores[:, None]]) for scores in alone])
    singles = np.clip(singles, 0.0, 1.0)
    lost = np.divide(singles - trees, singles, out=np.zeros_like(singles), where=singles > 0)
    return 100.0 * np.maximum(lost.max(axis=1), 0.0)
