"""What folds do to intervals, on simulated scores: are they as wide as they say?

``python benchmarks/folds.py``; a minute on one core. In percent points a seed moves a score by 1,
the speakers of a fold move the difference of two models by ``luck``, and how hard a fold is moves
all models of a task by 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from synergy.losses.evidence import Evidence, SeedScores
from synergy.losses.pooling import posterior
from synergy.measuring.bootstrap import interval
from synergy.measuring.outcome import levelled
from synergy.synthesis.cells import CellKey

TASKS, DEPTHS = ("a", "b", "c", "d"), (4, 6, 8)
HARD, SINGLE = 3.0, 80.0
SPEAKERS = 12  # of a fold


def bootstrap(folds: int, luck: float, repeats: int = 400) -> tuple[float, float]:
    """Share of bootstrap intervals with the truth, and their spread over the true one."""
    rng = np.random.default_rng(0)
    within, spreads, means = 0, list[float](), list[float]()
    for _ in range(repeats):
        seeds = rng.standard_normal((folds, 1))
        lost = seeds + luck * np.sqrt(SPEAKERS) * rng.standard_normal((folds, SPEAKERS))
        drawn = rng.multinomial(SPEAKERS, np.full(SPEAKERS, 1 / SPEAKERS), (300, folds))
        by_fold = (drawn * lost).mean(axis=-1)
        places = rng.integers(0, folds, (300, folds))
        resampled = np.take_along_axis(by_fold, places, axis=1).mean(axis=1)
        low, high = interval(resampled)
        within += low <= 0 <= high
        spreads.append(float(resampled.std()))
        means.append(float(lost.mean()))
    return within / repeats, float(np.mean(spreads) / np.std(means))


def table(
    rng: np.random.Generator, level: Callable[..., list[dict[int, float]]], seeds: int, luck: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether each loss of a table lies in its interval, the error, and the standard deviation.

    There are three seeds of every single-task model, and ``seeds`` of every pair.
    """
    known = Evidence(TASKS, DEPTHS, {}, {})
    singles: dict[str, SeedScores] = {}
    nulls: dict[str, SeedScores] = {}
    paired: dict[CellKey, list[SeedScores]] = {key: [] for key in known.cells()}
    truth: dict[CellKey, list[float]] = {key: [] for key in known.cells()}
    speakers: dict[str, np.ndarray] = {}
    for task in TASKS:
        hard = HARD * rng.standard_normal(3)
        mean, slope = 1 + rng.standard_normal(), abs(0.2 * rng.standard_normal())
        partners = dict(zip(TASKS, rng.standard_normal(len(TASKS)), strict=True))

        def scores(lost: float, seeds: int, hard: np.ndarray = hard) -> Mapping[int, float]:
            noise = rng.standard_normal(seeds) + luck * rng.standard_normal(seeds)
            return dict(enumerate(((SINGLE - lost + hard[:seeds] + noise) / 100).tolist()))

        own = known.cells_of(task)
        models = [scores(0, 3), scores(0, 3)]
        for a, b, depth in own:
            partner = partners[b if a == task else a]
            lost = mean + partner + slope * (depth - 6) + 0.3 * rng.standard_normal()
            truth[a, b, depth].append(100 * lost / SINGLE)
            models.append(scores(lost, seeds))
        one, other, *rest = (tuple(each.values()) for each in level(models, 3))
        singles[task], nulls[task] = one, other
        for key, each in zip(own, rest, strict=True):
            paired[key].append(each)
        speakers[task] = (100 / SINGLE * luck) ** 2 / seeds * (1 + np.eye(len(own)))
    pairs = {key: (one, other) for key, (one, other) in paired.items()}
    found = posterior(Evidence(TASKS, DEPTHS, singles, pairs, nulls, speakers), draws=500)
    true = np.array([truth[key] for key in known.cells()])
    low, high = found.interval
    return (low <= true) & (true <= high), found.mean - true, found.losses.std(axis=0)


def main() -> None:
    """Print both."""
    for folds in (3, 5):
        for luck in (0.2, 1.0, 5.0):
            share, spread = bootstrap(folds, luck)
            print(
                f"bootstrap, {folds} folds, luck of speakers {luck:g}: {100 * share:.0f} % hold "
                f"the truth, {spread:.2f} times the true spread"
            )
    for name, level in (("raw", lambda models, _: models), ("levelled", levelled)):
        for seeds in (3, 1):
            rng = np.random.default_rng(1)
            parts = zip(*(table(rng, level, seeds, luck=0.7) for _ in range(25)), strict=True)
            hits, errors, spreads = (np.concatenate(part) for part in parts)
            print(
                f"table of {name} scores, pairs with {seeds} of 3 folds: {100 * hits.mean():.0f} % "
                f"hold the truth, error {np.sqrt((errors**2).mean()):.2f}, "
                f"standard deviation {spreads.mean():.2f}"
            )


if __name__ == "__main__":
    main()
