"""Trainings on folds: what their scores are held against, and the stages with them."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_cli import synergy
from small_corpora import write_tone_project
from small_field import TREE, tone_session

from synergy.experiment import Recipe
from synergy.measuring.bench import train_singles
from synergy.measuring.bootstrap import Resampler
from synergy.measuring.chance import chance
from synergy.measuring.outcome import Outcome, levelled, reduction
from synergy.measuring.pairs import PairTrainer
from synergy.running.session import Session
from synergy.workspace import Workspace

FOLDS = 3
SCORES = st.dictionaries(st.integers(0, 8), st.floats(0.4, 0.6), max_size=9)
HARD = st.lists(st.floats(-0.2, 0.2), min_size=FOLDS, max_size=FOLDS)


@given(st.lists(SCORES, max_size=4))
def test_without_folds_scores_stay_as_they_are(models):
    assert levelled(models, 1) == models


@given(st.lists(SCORES, max_size=4), HARD)
def test_how_hard_a_fold_is_plays_no_part(models, hard):
    whole = dict.fromkeys(range(FOLDS), 0.5)  # so that every fold is known
    models = [whole, *models]
    harder = [{seed: score + hard[seed % FOLDS] for seed, score in m.items()} for m in models]
    before, after = levelled(models, FOLDS), levelled(harder, FOLDS)
    shift = fmean(hard)  # of all models alike
    for own, other in zip(before, after, strict=True):
        assert other == pytest.approx({seed: score + shift for seed, score in own.items()})


def test_models_with_all_folds_keep_their_means_and_the_others_get_what_they_lack():
    whole, partial = {0: 0.9, 1: 0.6, 2: 0.6}, {1: 0.5}
    level, other = levelled([whole, partial], FOLDS)
    assert fmean(level.values()) == pytest.approx(0.7)
    assert other[1] == pytest.approx(0.6)  # 0.1 below the other model in that fold


def test_levelled_scores_scatter_as_much_as_the_noise():
    rng = np.random.default_rng(0)
    squares = []
    for _ in range(400):
        draws = 0.5 + 0.01 * rng.standard_normal((2, FOLDS)) + 0.1 * rng.standard_normal(FOLDS)
        models = levelled([dict(enumerate(row)) for row in draws.tolist()], FOLDS)
        squares += [np.var([*own.values()], ddof=1) for own in models]
    assert np.sqrt(np.mean(squares)) == pytest.approx(0.01, rel=0.1)


def test_how_hard_a_fold_is_makes_no_chance():
    noise = 0.01 * np.random.default_rng(1).standard_normal((4, 6))
    whole = [{"valid": {"gc": tuple(0.8 + row)}} for row in noise]
    harder = [{"valid": {"gc": tuple(0.8 + row + np.resize([0.1, 0.0], 6))}} for row in noise]
    expected, found, mistaken = (
        chance(one, rest, 6, folds)["valid"].high
        for (one, *rest), folds in ((whole, 2), (harder, 2), (harder, 1))
    )
    assert found == pytest.approx(expected, rel=0.1)
    assert mistaken > 3 * expected


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Session, Outcome, Outcome]:
    """A session with two seeds on two folds, its single-task models and a distilled tree."""
    folder = Path(tmp_path_factory.mktemp("folds"))
    session = tone_session(folder, evaluation={"folds": 2})
    singles = train_singles(session, TREE.tasks)
    trials = session.experiment.trials([TREE], Recipe(distilled=True))
    results = session.train("tree", trials, test=True)
    assert not results.errors
    return session, singles, Outcome.of(results, trials)


def test_a_training_is_validated_on_the_clips_of_its_fold(trained):
    session, _, tree = trained
    seen = set()
    for seed, run in tree.runs["gc"].items():
        own = session.experiment.data_of(seed)["gc"].clips["valid"]
        kept = session.workspace.trials.predictions(run.digest)
        assert len(kept["valid/gc"]) == len(own)
        seen |= set(own.tolist())
    assert len(seen) == 36


def test_speakers_of_every_fold_are_drawn_for_themselves(trained):
    session, singles, tree = trained
    found = Resampler(session.experiment, session.workspace.trials, draws=50)
    assert not found.reductions(singles, singles, "valid").any()
    assert found.interval(singles, tree, "valid") is not None
    drawn = [found.group_weights(fold, "valid", "gc") for fold in (0, 1)]
    assert drawn[0].shape == drawn[1].shape == (50, 12)
    assert not np.array_equal(*drawn)
    # test is one and the same
    weights = [found.group_weights(fold, "test", "gc") for fold in (0, 1)]
    assert np.array_equal(*weights)
    first, last = (
        Outcome({t: {seed: runs[seed]} for t, runs in tree.runs.items()}, tree.errors)
        for seed in (0, 1)
    )
    scores = [found.scores([model.runs["gc"][s]], "valid", "gc") for s, model in
              ((0, first), (1, last))]  # fmt: skip
    both = found.scores([*tree.runs["gc"].values()], "valid", "gc")
    assert np.allclose(both, np.mean(scores, axis=0))
    assert reduction(singles, tree, "valid") >= 0


def test_soft_labels_are_of_the_clips_that_a_student_learns_from(trained):
    session, _, tree = trained
    for seed in tree.runs["gc"]:
        trial = session.experiment.trial(TREE, seed, Recipe(distilled=True))
        labels, problems = session._labels_for([trial])
        assert not problems
        learnt = session.experiment.data_of(seed)["gc"].clips["train"].tolist()
        assert all(set(by_clip) == set(learnt) for by_clip in labels.values())


def test_losses_are_taken_within_folds(trained):
    session, singles, _ = trained
    experiment = session.experiment
    pairs = experiment.trials([experiment.flat(("gc", "scr"), 8)], seeds=[1])
    assert not session.train("pair", pairs).errors
    session.train("more", experiment.trials([experiment.alone("gc")], seeds=[2, 3]))
    trainer = PairTrainer(session, singles, "plain")
    found = trainer.evidence(("gc", "scr", "vad"), (8,))
    assert len(found.singles["gc"]) == 4
    alone = {t.seed: session.workspace.trials.result(t.digest) for t in trainer.alone("gc")}
    scores = {seed: run.scores["valid"]["gc"] for seed, run in alone.items()}
    (run,) = (session.workspace.trials.result(trial.digest) for trial in pairs)
    lost = fmean(found.singles["gc"]) - found.pairs["gc", "scr", 8][0][0]
    assert lost == pytest.approx(fmean([scores[1], scores[3]]) - run.scores["valid"]["gc"])


def test_the_stages_run_on_folds_and_always_come_to_the_same(tmp_path):
    config = write_tone_project(tmp_path)
    text = config.read_text().replace("epochs: 2", "epochs: 1").replace("[4, 8]", "[8]")
    config.write_text(text + "evaluation: {folds: 2}\nseeds: 2\n")
    found = []
    for name in ("one", "two"):
        workspace = tmp_path / name
        common = ("--config", config, "--workspace", workspace, "--executor", "serial")
        for command in (["baseline"], ["pairwise"], ["synthesize", "--rounds", 0]):
            ran = synergy(*command, *common)
            assert ran.code == 0, ran.err
        # the table with samples, losses and the scores by seed, and the delivered network
        files = [*workspace.glob("ar_*.csv"), *(workspace / "model").glob("*.safetensors")]
        found.append({file.name: file.read_bytes() for file in files})
    assert len(found[0]) == 5
    assert found[0] == found[1]
    table = Workspace(tmp_path / "one").table().table
    assert {cell.seeds for cell in table.cells} == {2}
    other = tmp_path / "whole.yaml"
    other.write_text(text + "seeds: 2\n")
    ran = synergy("baseline", "--config", other, "--workspace", tmp_path / "one")
    assert ran.code == 2
    assert "evaluation.folds was 2 and is now 1" in ran.err
