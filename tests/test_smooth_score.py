"""Smooth scores: log-losses at their best temperature, and what they tell of the score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synergy.measuring.log_loss import log_losses, resampled_log_losses
from synergy.measuring.smooth_score import Readings, smoothed
from synergy.tasks import TASK_KINDS


def made_up(rng: np.random.Generator, clips: int = 60, classes: int = 4) -> tuple:
    """Logits [N, K] that know something, and the right classes."""
    right = rng.integers(0, classes, clips)
    return rng.standard_normal((clips, classes)) + 1.5 * np.eye(classes)[right], right


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**16), scale=st.floats(1e-3, 1e3), shift=st.floats(-50, 50))
def test_how_sure_a_network_is_does_not_count(seed: int, scale: float, shift: float) -> None:
    logits, right = made_up(np.random.default_rng(seed))
    expected = log_losses(logits, right)
    assert log_losses(scale * logits + shift, right) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_no_temperature_is_better() -> None:
    logits, right = made_up(np.random.default_rng(0))
    least = log_losses(logits, right).mean()
    for temperature in np.geomspace(0.1, 10, 40):
        shares = np.exp(logits / temperature)
        shares /= shares.sum(axis=1, keepdims=True)
        assert least <= -np.log(shares[np.arange(len(right)), right]).mean() + 1e-9


def test_what_is_always_right_always_wrong_or_says_nothing_has_a_finite_loss() -> None:
    _, right = made_up(np.random.default_rng(0))
    sure = np.eye(4)[right]
    assert log_losses(sure, right).max() < 1e-6
    even = np.log(4)
    assert log_losses(0 * sure, right) == pytest.approx(np.full(len(right), even))
    assert even < log_losses(-sure, right).mean() < 1.1 * even


@pytest.mark.parametrize("kind", sorted(TASK_KINDS))
def test_a_group_that_counts_twice_is_as_if_its_clips_were_there_twice(kind: str) -> None:
    rng, rules = np.random.default_rng(1), TASK_KINDS[kind]
    lengths = rng.integers(1, 9, 10)
    if rules.counted == "frames":
        logits = [rng.standard_normal(n).astype(np.float32) for n in lengths]
        targets = [rng.integers(0, 2, n).astype(np.uint8) for n in lengths]
    else:
        logits = [rng.standard_normal(3).astype(np.float32) for _ in lengths]
        targets = [np.asarray(rng.integers(0, 3)) for _ in lengths]
    groups = np.arange(10) % 5
    weights = np.array([[1.0] * 5, [0, 2, 0, 1, 1], [3, 0, 0, 0, 0]])
    found = resampled_log_losses(rules, logits, targets, groups, weights)
    rows, right = rules.answers(logits, targets)
    lost = log_losses(np.concatenate(rows), np.concatenate(right))
    each = np.split(lost, np.cumsum([len(own) for own in right])[:-1])
    for row, value in zip(weights, found, strict=True):
        again = [each[clip] for clip in range(10) for _ in range(int(row[groups[clip]]))]
        assert value == pytest.approx(np.concatenate(again).mean())
    frames = sum(lengths) if rules.counted == "frames" else len(lengths)
    assert len(lost) == frames


@dataclass(frozen=True)
class World:
    """Trainings whose scores follow their log-losses, seen through some speakers."""

    truth: np.ndarray
    scores: Readings
    losses: Readings

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        trainings: int = 40,
        spread: float = 0.05,
        noise: tuple[float, float] = (0.02, 0.02),
        own: float = 0.0,
        speakers: int = 60,
    ) -> World:
        """Scores fall by 0.4 per unit of log-loss, and by themselves by ``own``.

        ``noise`` is of score and log-loss over speakers, half of its variance common to all.
        """
        lost = spread * rng.standard_normal(trainings)
        truth = 0.8 - 0.4 * lost + own * rng.standard_normal(trainings)
        draws = rng.multinomial(speakers, np.full(speakers, 1 / speakers), 400) / speakers
        readings = []
        for centre, sd in zip((truth, lost), noise, strict=True):
            common = rng.standard_normal((1, speakers))
            error = common + rng.standard_normal((trainings, speakers))
            error *= sd * np.sqrt(speakers / 2)
            readings.append(Readings(centre + error.mean(axis=1), centre + draws @ error.T))
        return cls(truth, *readings)

    def error(self, values: np.ndarray) -> float:
        """Root mean square error; what all trainings have in common is none."""
        return float(np.std(values - self.truth))


def test_a_smooth_score_is_nearer_to_the_truth_and_keeps_its_size() -> None:
    rng = np.random.default_rng(0)
    worlds = [World.draw(rng, noise=(0.02, 0.025)) for _ in range(25)]
    errors, sizes, plain = [], [], []
    for world in worlds:
        found = smoothed(world.scores, world.losses)
        assert found is not None
        errors.append([world.error(found.values), world.error(world.scores.values)])
        sizes.append(np.polyfit(world.truth, found.values, 1)[0])
        slope = np.polyfit(world.losses.values, world.scores.values, 1)[0]
        plain.append(np.polyfit(world.truth, slope * world.losses.values, 1)[0])
    smooth, raw = np.mean(errors, axis=0)
    assert smooth < 0.75 * raw
    assert np.mean(sizes) == pytest.approx(1.0, abs=0.04)
    assert np.mean(plain) < 0.92  # what a plain regression would make of a loss


def test_without_noise_a_line_is_found_again() -> None:
    world = World.draw(np.random.default_rng(1), noise=(0.02, 1e-6))
    found = smoothed(world.scores, world.losses)
    assert found is not None
    line = np.polyfit(found.values, world.truth, 1)
    assert np.polyval(line, found.values) == pytest.approx(world.truth, abs=1e-3)
    assert line[0] == pytest.approx(1.0, abs=0.15)
    assert found.values.mean() == pytest.approx(world.scores.values.mean())


def test_of_what_the_log_loss_does_not_tell_most_stays() -> None:
    world = World.draw(np.random.default_rng(2), own=0.03, noise=(0.01, 0.01))
    found = smoothed(world.scores, world.losses)
    assert found is not None
    away = np.polyfit(world.losses.values, world.scores.values, 1)
    residual = world.scores.values - np.polyval(away, world.losses.values)
    assert np.std(found.values - world.scores.values) < 0.2 * np.std(residual)
    assert world.error(found.values) < 1.1 * world.error(world.scores.values)


@pytest.mark.parametrize(
    "terms",
    [{"spread": 0.0}, {"spread": 0.005}, {"trainings": 5}, {"own": 0.3, "trainings": 8}],
    ids=["no spread", "less than noise", "few trainings", "no relation"],
)
def test_where_it_tells_nothing_there_are_none(terms: dict) -> None:
    world = World.draw(np.random.default_rng(3), **terms)
    assert smoothed(world.scores, world.losses) is None


def test_scores_that_are_all_alike_are_no_slope() -> None:
    world = World.draw(np.random.default_rng(4))
    even = Readings(np.full(40, 0.5), np.full((400, 40), 0.5))
    assert smoothed(even, world.losses) is None
    upside_down = Readings(-world.losses.values, -world.losses.resampled)
    assert smoothed(world.scores, upside_down) is None


def test_resampled_speakers_tell_how_far_off_it_is() -> None:
    rng = np.random.default_rng(5)
    told, true = [], []
    for _ in range(60):
        world = World.draw(rng, noise=(0.02, 0.025))
        found = smoothed(world.scores, world.losses)
        assert found is not None
        off = found.values - world.truth
        far = np.argmax(world.truth), np.argmin(world.truth)  # where the slope counts most
        told.append(np.var(found.resampled[:, far[0]] - found.resampled[:, far[1]]))
        true.append((off[far[0]] - off[far[1]]) ** 2)
    assert np.mean(told) == pytest.approx(np.mean(true), rel=0.4)
