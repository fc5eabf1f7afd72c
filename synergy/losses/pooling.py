"""Signed losses of all cells from the scores of few trainings: a Gaussian model with pooling.

The loss of a task with a partner at a depth is

    mean + effect of the partner + (slope + deviation of the partner) * depth + residual

with the depth counted from the middle of the table and a slope of at least 0. All cells of a task
are held against one baseline, so they err together. A training adds noise of its seed. How far
partners, slopes and residuals spread and how large the noise is, is not known either: given these
scales everything is Gaussian, and the scales are integrated over by importance sampling.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from synergy.errors import TableError
from synergy.losses.evidence import Evidence, SeedScores
from synergy.seeding import hash64
from synergy.wording import shown

MOST_SEEN = 200
"""Trained cells of one task; covariances of all draws then take 640 MB."""

_MEAN_SD = 3.0  # of the mean loss of a task, in percent points
# Medians of the scales and standard deviations of their logarithms, weakly informative: noise of
# single-task models (its median comes from the other tasks), that of pairs relative to it, partner
# effects, residuals, slope by the block, deviations of slopes.
_MEDIANS = np.array([1.0, 1.3, 1.0, 0.4, 0.2, 0.15])
_SPREADS = np.array([0.8, 0.8, 0.9, 0.9, 1.2, 0.9])
_OTHERS = 4.0  # degrees of freedom at which another task counts half
_LEAST_NOISE = 0.02  # percent points; two seeds with one score are no proof that there is none
_SLACK = 1e-9  # of the largest variance, so that no matrix is singular
_ROUNDS = (400, 400, 800)  # proposals of the scales
_DEFENSIVE = 0.2  # share of proposals from the prior, which bounds the weights


@dataclass(frozen=True, eq=False)
class Posterior:
    """What is known of the losses of all cells, also of those that were never trained.

    Attributes
    ----------
    evidence : Evidence
    losses : np.ndarray, [draws, cells, 2]
        Joint draws of the signed losses in percent of the single-task score, in the order of
        ``evidence.cells()``: of the first and of the second task; positive is worse.
    baseline : np.ndarray, [draws, tasks]
        Draws of how far the expected score of a single-task model lies above the mean of the
        trained ones, in percent.
    single_variance, pair_variance : np.ndarray, [tasks]
        Mean variance of the score of one more single-task model, and of one more pair, in squared
        percent points.
    """

    evidence: Evidence
    losses: np.ndarray
    baseline: np.ndarray
    single_variance: np.ndarray
    pair_variance: np.ndarray

    @cached_property
    def mean(self) -> np.ndarray:
        """Estimate of every loss, [cells, 2]."""
        return self.losses.mean(axis=0)

    @cached_property
    def interval(self) -> np.ndarray:
        """Ends of the 95 % intervals of the losses, [2, cells, 2]."""
        return np.quantile(self.losses, (0.025, 0.975), axis=0)


def posterior(evidence: Evidence, draws: int = 1000, seed: int = 0) -> Posterior:
    """The losses of all cells, given the scores.

    Losses are relative to the mean single-task score, which is taken as known where it divides: an
    error of the second order. A task whose score is 0 there has nothing to lose. The same evidence
    gives the same draws, whatever the order of the tasks.

    Parameters
    ----------
    evidence : Evidence
    draws : int
        At least 1.
    seed : int

    Raises
    ------
    TableError
        If a task has no score without sharing, or more than 200 trained cells.
    """
    for task in evidence.tasks:
        if not evidence.baseline(task):
            raise TableError(
                f"task {shown(task)}: expected the score of a single-task model, found "
                "none; train one"
            )
        seen = sum(cell in evidence.pairs for cell in evidence.cells_of(task))
        if seen > MOST_SEEN:
            raise TableError(
                f"task {shown(task)}: expected at most {MOST_SEEN} trained cells, found {seen}; "
                "leave out depths or tasks"
            )
    rank = {task: number for number, task in enumerate(evidence.tasks)}
    column = {cell: number for number, cell in enumerate(evidence.cells())}
    losses = np.zeros((draws, len(column), 2))
    baseline = np.zeros((draws, len(rank)))
    variances = np.zeros((2, len(rank)))
    for task, number in rank.items():
        if not any(evidence.baseline(task)):
            continue
        data = _TaskData.of(evidence, task)
        found = _draw(data, draws, np.random.default_rng(hash64("losses", seed, task)))
        own, baseline[:, number], variances[:, number] = found
        for place, (partner, depth) in enumerate(data.places):
            first = rank[task] < rank[partner]
            pair = (task, partner) if first else (partner, task)
            losses[:, column[*pair, depth], 0 if first else 1] = own[:, place]
    return Posterior(evidence, losses, baseline, variances[0], variances[1])


@dataclass(frozen=True, eq=False)
class _TaskData:
    """The numbers of one task; places are its cells, by partner in order of names, then depth."""

    places: tuple[tuple[str, int], ...]
    partners: int
    depths: np.ndarray  # from their mean, by place
    seen: np.ndarray  # places with trainings
    loss: np.ndarray  # mean loss of the seen places
    counts: np.ndarray  # trainings of the seen places
    speakers: np.ndarray  # covariance of the seen places
    baseline_count: int
    scatter: np.ndarray  # sums of squares within single-task models, and within cells
    freedom: np.ndarray  # their degrees of freedom
    noise: float  # median of the noise before anything of this task is known

    @classmethod
    def of(cls, evidence: Evidence, task: str) -> _TaskData:
        partners = sorted(set(evidence.tasks) - {task})
        places = tuple((partner, depth) for partner in partners for depth in evidence.depths)
        reference = float(np.mean(evidence.baseline(task)))
        trained = [evidence.scores(task, *place) for place in places]
        seen = np.array([i for i, scores in enumerate(trained) if scores], dtype=int)
        losses = [100 * (1 - np.mean(trained[i]) / reference) for i in seen]
        order = [(b if a == task else a, depth) for a, b, depth in evidence.cells_of(task)]
        speakers = np.zeros((len(seen), len(seen)))
        if task in evidence.speakers:
            rows = [order.index(places[i]) for i in seen]
            speakers = np.asarray(evidence.speakers[task])[np.ix_(rows, rows)]
        scatter, freedom = _scatter(evidence, task)
        steps = np.tile(np.array(evidence.depths, dtype=float), len(partners))
        return cls(
            places,
            len(partners),
            steps - steps.mean(),
            seen,
            np.array(losses),
            np.array([len(trained[i]) for i in seen], dtype=float),
            speakers,
            len(evidence.baseline(task)),
            scatter,
            freedom,
            _noise_elsewhere(evidence, task),
        )


def _scatter(evidence: Evidence, task: str) -> tuple[np.ndarray, np.ndarray]:
    """Sums of squares, in squared percent, and degrees of freedom: without partners, and with."""
    reference = float(np.mean(evidence.baseline(task)))
    cells = [
        scores
        for a, b, depth in evidence.cells_of(task)
        if (scores := evidence.scores(task, b if a == task else a, depth))
    ]
    alone = [each for each in (evidence.singles.get(task), evidence.nulls.get(task)) if each]
    found = [_within(alone), _within(cells)]
    squares = np.array([each[0] for each in found]) * (100 / reference) ** 2
    return squares, np.array([each[1] for each in found], dtype=float)


def _within(groups: list[SeedScores]) -> tuple[float, int]:
    squares = sum(float(np.var(group)) * len(group) for group in groups)
    return squares, sum(len(group) - 1 for group in groups)


def _noise_elsewhere(evidence: Evidence, task: str) -> float:
    """Typical noise of the other tasks, in percent, as far as they tell."""
    total, logarithms = 1.0, 0.0  # the prior's median counts as one task
    for other in sorted(set(evidence.tasks) - {task}):
        if not any(evidence.baseline(other)):
            continue
        squares, freedom = (float(part.sum()) for part in _scatter(evidence, other))
        if freedom:
            weight = freedom / (freedom + _OTHERS)
            sd = max(_LEAST_NOISE, np.sqrt(squares / freedom))
            total, logarithms = total + weight, logarithms + weight * np.log(sd)
    return float(np.exp(logarithms / total))


@dataclass(frozen=True, eq=False)
class _Scales:
    """Scales of several proposals, each an array [proposals]."""

    single: np.ndarray
    pair: np.ndarray
    partner: np.ndarray
    residual: np.ndarray
    slope: np.ndarray
    bend: np.ndarray

    @classmethod
    def of(cls, points: np.ndarray, data: _TaskData) -> _Scales:
        """From standard normal points [proposals, 6]."""
        medians = _MEDIANS.copy()
        medians[0] = data.noise
        single, ratio, *others = np.maximum(medians * np.exp(_SPREADS * points), 1e-3).T
        single = np.maximum(single, _LEAST_NOISE)
        return cls(single, np.maximum(single * ratio, _LEAST_NOISE), *others)

    def covariance(self, data: _TaskData) -> np.ndarray:
        """Covariance of the mean losses of the seen places, [proposals, seen, seen]."""
        size, depth = len(data.seen), data.depths[data.seen]
        partner = np.repeat(np.arange(data.partners), len(data.places) // data.partners)[data.seen]
        same = partner[:, None] == partner
        parts = np.stack([np.ones((size, size)), same, same * np.multiply.outer(depth, depth)])
        common = _MEAN_SD**2 + self.single**2 / data.baseline_count
        weights = np.stack([common, self.partner**2, self.bend**2], axis=-1)
        cover = (weights @ parts.reshape(3, -1)).reshape(-1, size, size) + data.speakers
        cover[:, range(size), range(size)] += self._own(data)
        return cover

    def _own(self, data: _TaskData) -> np.ndarray:
        """What the mean losses of the seen places share with nothing, [proposals, seen]."""
        own = (self.residual**2)[:, None] + (self.pair**2)[:, None] / data.counts
        return own + _SLACK * np.trace(data.speakers)  # speakers that all cells have in common

    def log_likelihood(self, data: _TaskData) -> np.ndarray:
        """Of the scores of a task, up to a constant; [proposals]."""
        noise = np.log(np.stack([self.single, self.pair], axis=-1))
        found = -(data.freedom * noise + data.scatter * np.exp(-2 * noise) / 2).sum(axis=-1)
        if len(data.seen):
            rest = data.loss - self.slope[:, None] * data.depths[data.seen]
            # The last row of this factor is the factor of the covariance applied to the rest.
            bordered = np.pad(self.covariance(data), ((0, 0), (0, 1), (0, 1)))
            bordered[:, -1, :-1] = rest
            bordered[:, -1, -1] = 1 + (rest**2).sum(axis=-1) / self._own(data).min(axis=-1)
            factor = np.linalg.cholesky(bordered)
            found -= np.log(np.diagonal(factor, axis1=-2, axis2=-1)[:, :-1]).sum(axis=-1)
            found -= (factor[:, -1, :-1] ** 2).sum(axis=-1) / 2
        return found


def _propose(data: _TaskData, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points of scales with their weights; the proposals adapt to the posterior in rounds."""
    size = len(_MEDIANS)
    centre, spread = np.zeros(size), np.eye(size)
    points, weights = np.zeros((1, size)), np.ones(1)
    for count in _ROUNDS:
        normal = rng.standard_normal((count, size))
        adapted = rng.random(count) >= _DEFENSIVE
        factor = np.linalg.cholesky(spread)
        points = np.where(adapted[:, None], centre + normal @ factor.T, normal)
        prior = -(points**2).sum(axis=-1) / 2
        away = np.linalg.solve(factor, (points - centre).T)
        near = -(away**2).sum(axis=0) / 2 - np.log(np.diag(factor)).sum()
        proposal = np.logaddexp(np.log(_DEFENSIVE) + prior, np.log(1 - _DEFENSIVE) + near)
        logs = _Scales.of(points, data).log_likelihood(data) + prior - proposal
        weights = np.exp(logs - logs.max())
        weights /= weights.sum()
        centre = weights @ points
        # Wider than what was found, so that no tail is missed.
        spread = 1.3 * (points - centre).T @ ((points - centre) * weights[:, None])
        spread += 0.05 * np.eye(size)
    return points, weights


def _draw(
    data: _TaskData, draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Losses [draws, places], baseline [draws], and variances of one more score, [2].

    A draw from the prior, corrected by what it gets wrong about the data, is one from the
    posterior (Matheron's rule).
    """
    points, weights = _propose(data, rng)
    steps = (rng.random() + np.arange(draws)) / draws
    chosen = np.searchsorted(np.cumsum(weights)[:-1], steps)
    scales = _Scales.of(rng.permutation(points[chosen]), data)
    shape = (draws, data.partners, len(data.places) // data.partners)
    depth = data.depths.reshape(shape[1:])
    partner, bend, residual = (
        scale[:, None, None] for scale in (scales.partner, scales.bend, scales.residual)
    )
    losses = (
        scales.slope[:, None, None] * depth
        + _MEAN_SD * rng.standard_normal((draws, 1, 1))
        + partner * rng.standard_normal((*shape[:2], 1))
        + bend * rng.standard_normal((*shape[:2], 1)) * depth
        + residual * rng.standard_normal(shape)
    ).reshape(draws, -1)
    baseline_sd = scales.single / np.sqrt(data.baseline_count)
    baseline = baseline_sd * rng.standard_normal(draws)
    variances = np.array([(scales.single**2).mean(), (scales.pair**2).mean()])
    if not len(data.seen):
        return losses, baseline, variances
    noise = (
        scales.pair[:, None] / np.sqrt(data.counts) * rng.standard_normal((draws, len(data.seen)))
    )
    values, vectors = np.linalg.eigh(data.speakers)
    noise += rng.standard_normal(noise.shape) @ (vectors * np.sqrt(np.maximum(values, 0))).T
    wrong = data.loss - (losses[:, data.seen] - baseline[:, None] + noise)
    pull = np.zeros_like(losses)
    pull[:, data.seen] = np.linalg.solve(scales.covariance(data), wrong[..., None])[..., 0]
    pull = pull.reshape(shape)
    correction = (
        _MEAN_SD**2 * pull.sum(axis=(1, 2), keepdims=True)
        + partner**2 * pull.sum(axis=2, keepdims=True)
        + bend**2 * depth * (depth * pull).sum(axis=2, keepdims=True)
        + residual**2 * pull
    )
    losses += correction.reshape(draws, -1)
    baseline -= baseline_sd**2 * pull.sum(axis=(1, 2))
    return losses, baseline, variances
