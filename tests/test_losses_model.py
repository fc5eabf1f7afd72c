"""What is known of losses: laws of the posterior, and how often its intervals hold the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_losses import DEPTHS, SCORE, Truth, additive

from synergy.errors import TableError
from synergy.losses.evidence import Evidence
from synergy.losses.pooling import posterior


def widths(evidence: Evidence) -> np.ndarray:
    low, high = posterior(evidence, 1000).interval
    return high - low


def truth_of(seed: int, tasks: int = 3, noise: tuple[float, float] = (0.8, 1.0)) -> Truth:
    return Truth(additive(tasks, np.random.default_rng(seed)), noise, seed)


def test_more_seeds_narrow_intervals():
    """On average: what few seeds say of their noise can be too little."""

    def mean_width(singles: int, seeds: int) -> float:
        return float(np.mean([widths(truth_of(n).measured(singles, seeds)) for n in range(8)]))

    few = mean_width(2, 1)
    assert mean_width(2, 8) < 0.95 * few
    assert mean_width(20, 8) < 0.6 * few


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000), shift=st.floats(-3, 3))
def test_losses_shift_with_the_baseline(seed, shift):
    evidence = truth_of(seed, noise=(0.1, 0.1)).measured(6, 2)
    better = {
        task: tuple(score * (1 + shift / 100) for score in scores)
        for task, scores in evidence.singles.items()
    }
    before, after = posterior(evidence), posterior(replace(evidence, singles=better))
    # a loss against a better baseline is larger by the shift, and relative to more
    expected = 100 * (1 - (1 - before.mean / 100) / (1 + shift / 100))
    assert after.mean == pytest.approx(expected, abs=0.15)
    assert after.interval == pytest.approx(before.interval + after.mean - before.mean, abs=0.3)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000), order=st.permutations("abcd"))
def test_order_of_tasks_changes_nothing(seed, order):
    evidence = truth_of(seed, 4).measured(3, 1, without="ab")
    turned = {
        (a, b, depth) if order.index(a) < order.index(b) else (b, a, depth): (
            scores if order.index(a) < order.index(b) else scores[::-1]
        )
        for (a, b, depth), scores in evidence.pairs.items()
    }
    other = replace(evidence, tasks=tuple(order), pairs=turned)
    one, two = posterior(evidence, 50), posterior(other, 50)
    for number, (a, b, depth) in enumerate(evidence.cells()):
        forward = (a, b, depth) in other.cells()
        place = other.cells().index((a, b, depth) if forward else (b, a, depth))
        found = two.losses[:, place] if forward else two.losses[:, place, ::-1]
        assert np.array_equal(one.losses[:, number], found)


def test_same_seed_gives_same_draws_and_another_one_others():
    evidence = truth_of(1).measured(3, 1)
    assert np.array_equal(posterior(evidence, 20).losses, posterior(evidence, 20).losses)
    assert not np.array_equal(posterior(evidence, 20).losses, posterior(evidence, 20, 1).losses)


def test_without_noise_losses_are_those_of_the_scores():
    truth = truth_of(2, noise=(0.0, 0.0))
    assert posterior(truth.measured(4, 4)).mean == pytest.approx(truth.losses, abs=0.05)


def test_cells_without_training_are_the_least_certain():
    evidence = truth_of(3, 4, (0.3, 0.3)).measured(5, 2, without="ab")
    found = widths(evidence).reshape(-1, len(DEPTHS), 2)
    assert found[0].min() > 1.5 * found[1:].max()


def test_a_cell_follows_the_other_depths_of_its_pair():
    truth = Truth(np.full((9, 2), 0.0), (0.2, 0.2))
    truth.losses[:3] = 5.0
    evidence = truth.measured(5, 2)
    pairs = {key: scores for key, scores in evidence.pairs.items() if key != ("a", "b", 8)}
    assert posterior(replace(evidence, pairs=pairs)).mean[2] == pytest.approx(5.0, abs=1.0)


def test_null_controls_count_as_baseline():
    evidence = truth_of(4).measured(2, 2)
    more = replace(evidence, nulls={"a": (SCORE, 0.995 * SCORE, 1.005 * SCORE, SCORE)})
    before, after = (posterior(each).baseline.std(axis=0) for each in (evidence, more))
    assert after[0] < 0.8 * before[0]


def test_speakers_widen_the_intervals_of_their_task_alone():
    evidence = truth_of(5).measured(4, 3)
    known = replace(evidence, speakers={"a": np.full((6, 6), 4.0)})
    grown = widths(known) / widths(evidence)
    assert grown[:6, 0].min() > 1.5
    assert grown[:6, 1] == pytest.approx(1.0)


def test_intervals_hold_the_truth_as_often_as_they_say():
    held, count = 0, 0
    for seed in range(40):
        truth = truth_of(seed)
        low, high = posterior(truth.measured(3, 1 + seed % 3), 500).interval
        held += int(((low <= truth.losses) & (truth.losses <= high)).sum())
        count += truth.losses.size
    # 720 losses, those of one task together; 120 tasks: 95 % within three standard errors
    assert 0.95 - 3 * np.sqrt(0.95 * 0.05 / 120) < held / count < 0.995


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"tasks": ("a",)}, "two or more different tasks"),
        ({"depths": (6, 4)}, "ascending depths"),
        ({"pairs": {("b", "a", 4): ((0.9,), (0.9,))}}, "in task order"),
        ({"pairs": {("a", "b", 5): ((0.9,), (0.9,))}}, "cells of a, b, c"),
        ({"pairs": {("a", "b", 4): ((0.9,), (0.9, 0.8))}}, "found 1 and 2"),
        ({"pairs": {("a", "b", 4): ((), ())}}, "found 0 and 0"),
        ({"singles": {"a": (float("nan"),)}}, "expected scores of 0"),
        ({"nulls": {"x": (0.9,)}}, "found some of x"),
        ({"speakers": {"a": np.eye(3)}}, "6 by 6"),
        ({"speakers": {"a": -np.eye(6)}}, "negative"),
        ({"failed": frozenset({("a", "x", 4)})}, "'x'"),
    ],
)
def test_impossible_evidence_is_refused(terms, message):
    with pytest.raises(TableError, match=message):
        replace(truth_of(0).measured(1, 1), **terms)


def test_a_task_without_baseline_is_refused():
    evidence = truth_of(0).measured(1, 1)
    with pytest.raises(TableError, match="task b: expected the score of a single-task model"):
        posterior(replace(evidence, singles=evidence.singles | {"b": ()}))


def test_a_task_that_scores_nothing_alone_has_nothing_to_lose():
    evidence = truth_of(0).measured(1, 1)
    found = posterior(replace(evidence, singles=evidence.singles | {"b": (0.0,)}))
    for place, (one, other, _) in enumerate(evidence.cells()):
        assert not found.losses[:, place, [one == "b", other == "b"]].any()
    assert found.losses.any()


def test_speakers_whose_luck_all_cells_share_make_no_singular_matrix():
    evidence = truth_of(0).measured(1, 1)
    size = len(evidence.cells_of("a"))
    found = posterior(replace(evidence, speakers={"a": np.full((size, size), 1e12)}))
    assert np.isfinite(found.losses).all()


def test_more_cells_than_memory_holds_are_refused():
    depths = tuple(range(1, 202))
    pairs = {("a", "b", depth): ((0.9,), (0.9,)) for depth in depths}
    evidence = Evidence(("a", "b"), depths, {"a": (0.9,), "b": (0.9,)}, pairs)
    with pytest.raises(TableError, match="at most 200 trained cells, found 201"):
        posterior(evidence)
