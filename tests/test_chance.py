"""What chance makes of AR, held against what is known of made-up scores."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synergy.measuring.chance import chance, reductions_by_chance
from synergy.rows import Scores

BASE = 0.8
Z = NormalDist()


def scattered(
    spreads: Sequence[float], trainings: int, models: int, seed: int = 0, common: bool = False
) -> list[np.ndarray]:
    """Models of tasks whose scores have a known standard deviation, each with means of its own.

    With ``common`` one deviation decides all tasks of a training.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=(models, trainings, 1 if common else len(spreads)))
    means = rng.uniform(0.3, 0.7, size=(models, 1, len(spreads)))
    return list(means + drawn * np.array(spreads))


def high(
    alone: Sequence[np.ndarray], together: Sequence[np.ndarray], seeds: int, draws: int = 20_000
) -> float:
    drawn = reductions_by_chance(alone, together, seeds, np.random.default_rng(1), draws)
    return float(np.percentile(drawn, 95.0))


def alone_of(spreads: Sequence[float], trainings: int = 1000) -> list[np.ndarray]:
    """Single-task models around `BASE`, at the quantiles of a normal distribution."""
    places = (np.arange(trainings) + 0.5) / trainings
    normal = np.array([Z.inv_cdf(place) for place in places])
    return [BASE + spread * normal for spread in spreads]


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize(("single", "tree"), [(0.0, 0.002), (0.002, 0.0), (0.003, 0.004)])
def test_a_known_scatter_gives_the_known_quantile(seeds: int, single: float, tree: float) -> None:
    """Trees have as few trainings as seeds: pooling and Bessel's correction bring their SD back."""
    together = scattered([tree], seeds, 2000)
    spread = (single**2 + tree**2) ** 0.5
    expected = 100 * Z.inv_cdf(0.95) * spread / seeds**0.5 / BASE
    assert high(alone_of([single]), together, seeds) == pytest.approx(expected, rel=0.05)
    drawn = reductions_by_chance(alone_of([single]), together, seeds, np.random.default_rng(1))
    assert np.median(drawn) == pytest.approx(0.0, abs=0.05)


def test_the_largest_loss_of_several_tasks_counts() -> None:
    spreads, seeds = [0.02] * 4, 3
    expected = 100 * Z.inv_cdf(0.95 ** (1 / 4)) * 0.02 / seeds**0.5 / BASE
    found = high(alone_of([0.0] * 4), scattered(spreads, seeds, 2000), seeds)
    assert found == pytest.approx(expected, rel=0.05)


def test_tasks_of_one_training_are_drawn_together() -> None:
    """What one deviation decides is one loss, however many tasks have it."""
    alone, spreads = alone_of([0.0] * 4), [0.02] * 4
    together, apart = (scattered(spreads, 3, 2000, common=each) for each in (True, False))
    expected = 100 * Z.inv_cdf(0.95) * 0.02 / 3**0.5 / BASE
    assert high(alone, together, 3) == pytest.approx(expected, rel=0.05)
    assert high(alone, apart, 3) > 1.3 * high(alone, together, 3)


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(2, 5), st.floats(1.5, 4.0))
def test_trees_that_scatter_more_raise_chance(seed: int, seeds: int, factor: float) -> None:
    alone = alone_of([0.01] * 3, seeds)
    calm = scattered([0.01] * 3, seeds, 10, seed)
    wild = [own.mean(axis=0) + factor * (own - own.mean(axis=0)) for own in calm]
    assert high(alone, wild, seeds, 4000) > high(alone, calm, seeds, 4000)


def test_what_models_score_does_not_count_only_how_they_scatter() -> None:
    together = scattered([0.01, 0.02], 3, 5)
    moved = [own - own.mean(axis=0) + 0.1 * number for number, own in enumerate(together)]
    alone = alone_of([0.01, 0.01], 3)
    assert high(alone, moved, 3) == pytest.approx(high(alone, together, 3))


def test_models_that_never_differ_have_no_chance() -> None:
    drawn = reductions_by_chance(
        [np.full(3, BASE), np.zeros(3)], [np.full((3, 2), 0.5)], 3, np.random.default_rng(0)
    )
    assert not drawn.any()


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.integers(0, 99))
@settings(max_examples=20)
def test_chance_is_a_percentage_whatever_the_scores(scores: list[float], seed: int) -> None:
    together = [np.array(scores).reshape(2, 2), np.random.default_rng(seed).random((3, 2))]
    drawn = reductions_by_chance(
        [np.array(scores[:2]), np.array(scores[2:])], together, 3, np.random.default_rng(seed), 500
    )
    assert np.isfinite(drawn).all()
    assert ((drawn >= 0) & (drawn <= 100)).all()


def test_a_bootstrap_of_two_trainings_is_counted_out() -> None:
    """Residuals of 0.4 and 0.6 are -0.1 and 0.1, of variance 0.02 with Bessel's correction."""
    drawn = reductions_by_chance(
        [np.full(2, 0.5)], [np.array([[0.4], [0.6]])], 2, np.random.default_rng(3), 40_000
    )
    values, counts = np.unique(drawn.round(6), return_counts=True)
    step = 100 * 0.1 * 2**0.5 / 0.5
    assert values == pytest.approx([0.0, step])
    assert counts[1] / len(drawn) == pytest.approx(1 / 4, abs=0.01)


# -- from the scores of a workspace ------------------------------------------------------------

ALONE: Scores = {"valid": {"a": (0.8, 0.82), "b": (0.5, 0.52)}, "test": {"a": (0.7, 0.71)}}


def model(*scores: float) -> Scores:
    return {"valid": {"a": scores, "b": tuple(score - 0.3 for score in scores)}}


def test_a_split_is_left_out_where_nothing_is_known_to_scatter() -> None:
    assert chance(ALONE, [], 2) == {}
    assert chance(ALONE, [model(0.8)], 2) == {}
    assert set(chance(ALONE, [model(0.8, 0.7)], 2)) == {"valid"}
    assert chance({"valid": {"a": (0.8,), "b": (0.5, 0.6)}}, [model(0.8, 0.7)], 2) == {}


def test_what_lacks_a_task_or_a_training_tells_nothing() -> None:
    known = [model(0.8, 0.7), model(0.75, 0.78, 0.7)]
    lacking: list[Scores] = [{}, {"valid": {"a": (0.1, 0.9)}}, {"valid": {"a": (), "b": ()}}]
    uneven: Scores = {"valid": {"a": (0.1, 0.9), "b": (0.1,)}}
    assert chance(ALONE, [*known, *lacking, uneven], 2) == chance(ALONE, known, 2)


def test_the_same_scores_have_the_same_chance() -> None:
    found, again = (chance(ALONE, [model(0.8, 0.7)], 2) for _ in range(2))
    assert found == again
    assert 0 <= found["valid"].median <= found["valid"].high
