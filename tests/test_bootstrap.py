"""The bootstrap over seeds and speakers, on trainings of a few steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_field import TREE, tone_session

from synergy.stages.baseline import baseline
from synergy.stages.outcome import outcome_of
from synergy.stages.resampling import Digests, Resampler
from synergy.stages.sweep import Session, sweep, trials_of


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Session, Digests, Digests]:
    """A session with three seeds, its single-task models and a tree."""
    session = tone_session(Path(tmp_path_factory.mktemp("bootstrap")), seeds=3)
    singles = baseline(session, TREE.tasks).outcomes
    swept = sweep(session, "tree", trials_of(session.experiment, [TREE]))
    digests = outcome_of(session.experiment, swept, TREE).digests
    alone = {task: singles[task].digests for task in TREE.tasks}
    return session, alone, dict.fromkeys(TREE.tasks, digests)


@pytest.fixture
def resampler(trained: tuple[Session, Digests, Digests]) -> Resampler:
    session = trained[0]
    return Resampler(session.experiment, session.workspace.trials, draws=50)


def test_a_model_loses_nothing_against_itself(trained, resampler):
    _, singles, tree = trained
    assert not resampler.reductions(singles, singles, "valid").any()
    assert resampler.difference(singles, tree, tree, "test") == (0.0, 0.0)


def test_a_difference_has_an_opposite(trained, resampler):
    _, singles, tree = trained
    low, high = resampler.difference(singles, tree, singles, "valid")
    assert resampler.difference(singles, singles, tree, "valid") == pytest.approx((-high, -low))
    assert (low, high) == pytest.approx(resampler.interval(singles, tree, "valid"))


def test_models_are_held_against_those_of_their_own_seeds(trained, resampler):
    _, singles, tree = trained
    without = {task: digests[1:] for task, digests in singles.items()}
    rest = {task: digests[1:] for task, digests in tree.items()}
    expected = resampler.reductions(without, rest, "valid")
    # whichever side lacks the seed, and in whatever order the others come
    assert np.array_equal(resampler.reductions(without, tree, "valid"), expected)
    assert np.array_equal(resampler.reductions(singles, rest, "valid"), expected)
    turned = {task: tuple(reversed(digests)) for task, digests in rest.items()}
    assert np.array_equal(resampler.reductions(without, turned, "valid"), expected)
    assert not np.array_equal(resampler.reductions(singles, tree, "valid"), expected)


def test_models_of_other_seeds_are_paired_in_their_order(trained, resampler):
    _, singles, tree = trained
    first = {task: digests[:1] for task, digests in singles.items()}
    last = {task: digests[2:] for task, digests in tree.items()}
    two = {task: digests[:2] for task, digests in singles.items()}
    found = resampler.reductions(two, last, "test")
    assert np.array_equal(found, resampler.reductions(first, last, "test"))
    second = {task: digests[1:2] for task, digests in singles.items()}
    assert not np.array_equal(found, resampler.reductions(second, last, "test"))
