"""The bootstrap over seeds and speakers, on trainings of a few steps."""

from __future__ import annotations

import shutil
from math import comb
from pathlib import Path

import numpy as np
import pytest
from small_field import TREE, tone_session

from synergy.errors import WorkspaceError
from synergy.stages.baseline import baseline
from synergy.stages.chance import MOST, halves
from synergy.stages.outcome import Outcome, outcome_of, reduction
from synergy.stages.resampling import Digests, Resampler
from synergy.stages.sweep import Session, sweep, trials_of
from synergy.tree import SharingTree


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


def outcome(*scores: float, of_seeds: tuple[int, ...]) -> Outcome:
    """A model of gender with these scores."""
    by_split = {split: {"gc": scores} for split in ("valid", "test")}
    return Outcome(SharingTree.single("gc", 8), (), by_split, (), of_seeds)


def test_the_ar_beside_an_interval_is_of_the_same_seeds():
    single = {"gc": outcome(0.9, 0.5, 0.4, of_seeds=(0, 1, 2))}
    lacks_the_first = outcome(0.3, 0.3, of_seeds=(1, 2))
    assert reduction(single, lacks_the_first, "test") == pytest.approx(100 * 0.15 / 0.45)
    tree = outcome(0.9, 0.3, 0.3, of_seeds=(0, 1, 2))
    assert reduction({"gc": outcome(0.5, 0.4, of_seeds=(1, 2))}, tree, "test") == pytest.approx(
        100 * 0.15 / 0.45
    )
    # without a seed in common all count
    assert reduction(single, outcome(0.3, 0.3, of_seeds=(7, 8)), "test") == pytest.approx(50)


def test_a_trial_without_its_predictions_is_named(trained, tmp_path):
    session, singles, tree = trained
    folder = Path(shutil.copytree(session.workspace.folder, tmp_path / "copy"))
    workspace = type(session.workspace)(folder)
    (workspace.trials.path(tree["gc"][0]) / "predictions.safetensors").unlink()
    again = Resampler(session.experiment, workspace.trials, draws=5)
    with pytest.raises(WorkspaceError, match=r"expected the predictions valid/gc in .*repeat this"):
        again.reductions(singles, tree, "valid")


def test_chance_looks_at_every_half_while_there_are_few():
    assert len(set(halves(6))) == comb(6, 3)
    drawn = list(halves(40))
    assert len(drawn) == MOST
    assert drawn == list(halves(40))
    assert all(len(set(half)) == 20 and max(half) < 40 for half in drawn)
    assert len(set(drawn)) > 0.99 * MOST
