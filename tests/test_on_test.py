"""The test split: looked at for models that are reported, and for no other, once."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_cli import synergy
from small_corpora import write_tone_project
from small_field import TREE, tone_session
from small_files import values

from synergy.errors import TrainingError
from synergy.measuring.bench import train_singles
from synergy.measuring.outcome import Outcome
from synergy.running import jobs
from synergy.running.session import Session
from synergy.stages.verify import verify
from synergy.synthesis import ARTable
from synergy.trials.trial import Trial
from synergy.workspace import Workspace

SERIAL = ("--executor", "serial")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A session with a tree that was not looked at on test."""
    session = tone_session(Path(tmp_path_factory.mktemp("on_test")), seeds=1)
    session.train("tree", session.experiment.trials([TREE]))
    return session


@pytest.fixture
def session(trained: Session, tmp_path: Path) -> Session:
    """A copy of it that may be damaged."""
    shutil.copytree(trained.workspace.folder, tmp_path / "workspace")
    copy = tone_session(tmp_path, seeds=1)
    assert not copy.trained
    return copy


@pytest.fixture
def trial(session: Session) -> Trial:
    (found,) = session.experiment.trials([TREE])
    return found


def test_a_training_that_is_not_reported_has_no_test(session: Session, trial: Trial) -> None:
    results = session.train("tree", [trial])
    assert session.trained == 0
    assert results.done[trial.digest].scores.keys() == {"valid"}
    assert Outcome.of(results, [trial]).splits == ("valid",)
    keys = session.workspace.trials.predictions(trial.digest)
    assert {key.split("/")[0] for key in keys} == {"valid"}


def test_it_is_measured_on_test_later_and_not_trained_again(session: Session, trial: Trial) -> None:
    store = session.workspace.trials
    before = store.predictions(trial.digest)
    results = session.train("tree", [trial], test=True)
    assert session.trained == 0
    assert results.done[trial.digest].scores["test"].keys() == set(TREE.tasks)
    after = store.predictions(trial.digest)
    assert all(np.array_equal(after[key], value) for key, value in before.items())
    assert {key for key in after if key not in before} == {f"test/{task}" for task in TREE.tasks}
    file = store.path(trial.digest) / "test.json"
    at_once = file.read_bytes()
    # as if it had been asked for when it was trained
    shutil.rmtree(store.path(trial.digest))
    session.train("tree", [trial], test=True)
    assert session.trained == 1
    assert file.read_bytes() == at_once


@pytest.mark.parametrize("name", ["test.json", "test.safetensors"])
def test_what_is_damaged_is_named_and_measured_again(
    session: Session, trial: Trial, name: str
) -> None:
    session.train("tree", [trial], test=True)
    session = replace(session, workspace=Workspace(session.workspace.folder))  # a later command
    store = session.workspace.trials
    file = store.path(trial.digest) / name
    whole = file.read_bytes()
    file.write_bytes(whole[:-2] + b"{}")
    assert store.is_done(trial.digest)
    assert not store.is_tested(trial.digest)
    assert store.result(trial.digest).scores.keys() == {"valid"}
    (found,) = verify(session.workspace).damage
    assert found.file.name == name
    assert found.way_out == "it is measured again by the command that reports the model"
    results = session.train("tree", [trial], test=True)
    assert results.done[trial.digest].scores.keys() == {"valid", "test"}
    assert file.read_bytes() == whole
    assert session.trained == 0
    assert not verify(session.workspace).damage


def test_weights_of_another_network_are_told(session: Session, trial: Trial) -> None:
    """A folder that was exchanged by hand; its checksums fit."""
    store, experiment = session.workspace.trials, session.experiment
    train_singles(session, TREE.tasks)
    (other,) = experiment.trials([experiment.alone("gc")])
    shutil.rmtree(store.path(trial.digest))
    shutil.copytree(store.path(other.digest), store.path(trial.digest))
    for name in ("test.json", "test.safetensors"):
        (store.path(trial.digest) / name).unlink()
    results = session.train("tree", [trial], test=True)
    assert results.done == {}
    assert "holds the weights of another network" in results.errors[trial.digest]


def test_a_sweep_looks_at_test_only_when_it_is_told_to(tmp_path: Path) -> None:
    config, workspace = write_tone_project(tmp_path), tmp_path / "ws"
    options = ("--depths", 8, "--workspace", workspace, "--json", *SERIAL)
    ran = synergy("pairwise", "--config", config, *options)
    assert ran.code == 0, ran.err
    tasks = {file.parent: values(file)["tasks"] for file in workspace.glob("trials/*/trial.json")}
    tested = {folder for folder in tasks if (folder / "test.json").exists()}
    assert {len(tasks[folder]) for folder in tested} == {1}
    assert len(tested) == 3
    table = ARTable.from_csv(workspace / "ar_table.csv")
    assert [cell.test_ar_pct for cell in table.cells] == [None] * 3
    again = synergy("pairwise", "--with-test", *options)
    assert again.json["trained"] == 0
    assert again.json["notes"][-1] == (
        "the pairs were measured on test, too: it is no longer unseen"
    )
    cells = ARTable.from_csv(workspace / "ar_table.csv").cells
    assert all(cell.test_ar_pct is not None for cell in cells)
    assert [cell.ar_pct for cell in cells] == [cell.ar_pct for cell in table.cells]


def test_seeds_that_were_there_before_are_measured_on_test_too(tmp_path: Path) -> None:
    config, workspace = write_tone_project(tmp_path), tmp_path / "ws"
    options = ("--depths", 8, "--workspace", workspace, "--json", *SERIAL)
    assert synergy("pairwise", "--config", config, "--seeds", 2, *options).code == 0
    ran = synergy("pairwise", "--seeds", 1, "--with-test", *options)
    assert ran.code == 0, ran.err
    assert ran.json["trained"] == 0
    cells = ARTable.from_csv(workspace / "ar_table.csv").cells
    assert all(cell.seeds == 2 and cell.test_ar_pct is not None for cell in cells)


def test_a_single_task_model_whose_first_seed_fails_leaves_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = jobs.run_trial
    tries: list[str] = []

    def fails(trial, *rest):
        if trial.tree.tasks == ("gc",) and not trial.seed:
            tries.append(trial.digest)
            raise TrainingError("the loss became nan at step 3 of 8")
        return real(trial, *rest)

    monkeypatch.setattr(jobs, "run_trial", fails)
    config, workspace = write_tone_project(tmp_path), tmp_path / "ws"
    options = ("--depths", 8, "--workspace", workspace, "--json", *SERIAL)
    ran = synergy("pairwise", "--config", config, "--seeds", 2, *options)
    assert ran.code == 0, ran.err
    assert len(tries) == 1
    status = {(c["task_a"], c["task_b"]): c["status"] for c in ran.json["table"]}
    assert status == {("gc", "scr"): "failed", ("gc", "vad"): "failed", ("scr", "vad"): "measured"}
