"""The bootstrap over seeds and speakers, on trainings of a few steps."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from small_field import TREE, tone_session
from small_files import vouch

from synergy.errors import WorkspaceError
from synergy.measuring.bench import Bench, train_singles
from synergy.measuring.bootstrap import Resampler
from synergy.measuring.outcome import Outcome, reduction
from synergy.running.session import Session
from synergy.stages.pairwise import pairwise
from synergy.synthesis import Question
from synergy.trials.record import TrialResult
from synergy.wording import REPORTED


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Session, Outcome, Outcome]:
    """A session with three seeds, its single-task models and a tree."""
    session = tone_session(Path(tmp_path_factory.mktemp("bootstrap")), seeds=3)
    trials = session.experiment.trials([TREE])
    tree = Outcome.of(session.train("tree", trials, test=True), trials)
    return session, train_singles(session, TREE.tasks), tree


@pytest.fixture
def resampler(trained: tuple[Session, Outcome, Outcome]) -> Resampler:
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
    without, rest = (model.only(TREE.tasks, [1, 2]) for model in (singles, tree))
    expected = resampler.reductions(without, rest, "valid")
    # whichever side lacks the seed, and in whatever order the others come
    assert np.array_equal(resampler.reductions(without, tree, "valid"), expected)
    assert np.array_equal(resampler.reductions(singles, rest, "valid"), expected)
    turned = Outcome({t: dict(reversed(runs.items())) for t, runs in rest.runs.items()}, {})
    assert np.array_equal(resampler.reductions(without, turned, "valid"), expected)
    assert not np.array_equal(resampler.reductions(singles, tree, "valid"), expected)


def test_models_of_other_seeds_are_paired_in_their_order(trained, resampler):
    _, singles, tree = trained
    first, two = (singles.only(TREE.tasks, seeds) for seeds in ([0], [0, 1]))
    last = tree.only(TREE.tasks, [2])
    found = resampler.reductions(two, last, "test")
    assert np.array_equal(found, resampler.reductions(first, last, "test"))
    second = singles.only(TREE.tasks, [1])
    assert not np.array_equal(found, resampler.reductions(second, last, "test"))


def outcome(*scores: float, of_seeds: tuple[int, ...]) -> Outcome:
    """A model of gender with these scores."""
    runs = {
        seed: TrialResult.model_construct(scores={split: {"gc": score} for split in REPORTED})
        for seed, score in zip(of_seeds, scores, strict=True)
    }
    return Outcome({"gc": runs}, {"gc": ()})


def test_the_ar_beside_an_interval_is_of_the_same_seeds():
    single = outcome(0.9, 0.5, 0.4, of_seeds=(0, 1, 2))
    lacks_the_first = outcome(0.3, 0.3, of_seeds=(1, 2))
    assert reduction(single, lacks_the_first, "test") == pytest.approx(100 * 0.15 / 0.45)
    tree = outcome(0.9, 0.3, 0.3, of_seeds=(0, 1, 2))
    lacks_it_alone = outcome(0.5, 0.4, of_seeds=(1, 2))
    assert reduction(lacks_it_alone, tree, "test") == pytest.approx(100 * 0.15 / 0.45)
    # without a seed in common all count
    assert reduction(single, outcome(0.3, 0.3, of_seeds=(7, 8)), "test") == pytest.approx(50)


def test_a_trial_that_lost_its_predictions_or_kept_none_is_named(trained, tmp_path):
    session, singles, tree = trained
    folder = Path(shutil.copytree(session.workspace.folder, tmp_path / "copy"))
    workspace = type(session.workspace)(folder)
    trial = workspace.trials.path(tree.digests[0])
    (trial / "predictions.safetensors").unlink()
    again = Resampler(session.experiment, workspace.trials, draws=5)
    with pytest.raises(WorkspaceError, match=r"predictions\.safetensors is missing .* repeat this"):
        again.reductions(singles, tree, "valid")
    vouch(trial)
    with pytest.raises(WorkspaceError, match=r"expected the predictions valid/gc in .*repeat this"):
        again.reductions(singles, tree, "valid")


def test_too_few_speakers_have_no_interval_but_a_sentence(tmp_path):
    session = tone_session(tmp_path, seeds=1, speakers=9)
    assert session.experiment.notes[-1] == (
        "vad: 9 speakers in validation and 9 speakers in test; fewer than 10 tell nothing about "
        "others, so no interval is given there"
    )
    singles = train_singles(session, TREE.tasks)
    found = Resampler(session.experiment, session.workspace.trials)
    assert found.interval(singles, singles, "valid") is None
    assert found.difference(singles, singles, singles, "test") is None
    row = Bench(session, TREE.tasks).independent()
    assert (row.ar_pct["valid"], row.ar_low, row.ar_high) == (0.0, {}, {})
    pairs = pairwise(session, TREE.tasks, [8], Question())
    assert [(cell.ar_low, cell.ar_high) for cell in pairs.found.table.cells] == [(None, None)] * 3
    assert pairs.to_json()["null"]["ar_low"] is None
    assert pairs.notes[0].endswith("no lower AR of the table means anything")
    assert "[" not in pairs.notes[0]
