"""``--log``: whom a session tells of every finished training."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from types import ModuleType

import pytest
from small_cli import synergy
from small_corpora import write_tone_project
from small_field import TREE, tone_session

from synergy.errors import ConfigError, MissingExtraError
from synergy.running.logs import LoggedTraining, log_of
from synergy.running.progress import Progress


class Notes(Progress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_a_log_gets_what_the_history_holds_once(tmp_path: Path):
    session = tone_session(tmp_path, seeds=1)
    told: list[LoggedTraining] = []
    session.logs = [told.append]
    trial = session.experiment.trial(TREE, 0)
    for _ in range(2):  # the second time it is found done
        session.train("a tree", [trial])
    (found,) = told
    assert (found.digest, found.trial) == (trial.digest, trial.to_json())
    assert TREE.notation() in found.label
    with (found.folder / "history.csv").open() as stream:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(stream)]
    assert len(rows) == len(found.history)
    for row, logged in zip(rows, found.history, strict=True):
        assert dict(logged) == pytest.approx(row)


def test_a_log_that_fails_costs_a_note_and_no_training(tmp_path: Path):
    notes = Notes()
    session = tone_session(tmp_path, progress=notes, seeds=1)

    def fail(training: LoggedTraining) -> None:
        raise OSError("the server is gone")

    session.logs = [fail]
    assert session.train("a tree", [session.experiment.trial(TREE, 0)]).done
    (note,) = [note for note in notes.notes if "not logged" in note]
    assert "the server is gone" in note


def test_events_are_written_below_the_workspace(tmp_path: Path, monkeypatch):
    written: dict[str, list[tuple[str, float, int]]] = {}

    class SummaryWriter:
        def __init__(self, folder: str) -> None:
            self.rows = written.setdefault(folder, [])

        def __enter__(self):
            return self

        def __exit__(self, *_: object) -> None: ...

        def add_scalar(self, key: str, value: float, step: int) -> None:
            self.rows.append((key, value, step))

    events = ModuleType("torch.utils.tensorboard")
    events.__dict__["SummaryWriter"] = SummaryWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", events)
    monkeypatch.setattr("synergy.running.logs.find_spec", lambda name: object())
    session = tone_session(tmp_path, seeds=1)
    session.logs = [log_of("tensorboard")]
    trial = session.experiment.trial(TREE, 0)
    session.train("a tree", [trial])
    ((folder, rows),) = written.items()
    assert Path(folder).parent == session.workspace.folder / "tensorboard"
    assert Path(folder).name.endswith(trial.digest)
    assert {step for _, _, step in rows} == {3}
    assert {"learning_rate", "gc_loss", "gc_score"} <= {key for key, _, _ in rows}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tensorbord", "did you mean 'tensorboard'?"),
        ("", "expected one of tensorboard"),
        ("nowhere_at_all:f", "the module nowhere_at_all cannot be imported"),
        ("json:nothing", "the module json has no nothing"),
        ("json:__doc__", "expected a function"),
    ],
)
def test_what_is_no_log_is_one_sentence(name, said):
    with pytest.raises(ConfigError) as caught:
        log_of(name)
    assert said in str(caught.value)


def test_a_missing_package_is_told_with_what_installs_it(monkeypatch, tmp_path: Path):
    monkeypatch.setattr("synergy.running.logs.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'synergy\[tensorboard\]'"):
        log_of("tensorboard")
    ran = synergy("baseline", "--log", "tensorboard", "--workspace", tmp_path / "ws")
    assert ran.code == 2
    assert not (tmp_path / "ws").exists()


def test_a_function_of_somebody_is_called_by_a_command(tmp_path: Path, monkeypatch):
    (tmp_path / "my_log.py").write_text(
        "told = []\ndef send(training):\n    told.append(training.label)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    config, workspace = write_tone_project(tmp_path), tmp_path / "ws"
    ran = synergy(
        *("baseline", "--config", config, "--workspace", workspace, "--executor", "serial"),
        *("--log", "my_log:send"),
    )
    assert ran.code == 0, ran.err
    assert sorted(sys.modules["my_log"].told) == ["gc seed 0", "scr seed 0", "vad seed 0"]
