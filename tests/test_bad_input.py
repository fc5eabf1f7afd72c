"""Whatever is wrong with the input: one clear sentence, exit code 2, nothing lost."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bad_inputs import BASELINE, CASES, FROM_TABLE, TABLE, edit, manifest
from filelock import FileLock
from small_cli import content, synergy
from small_corpora import write_tone_project

from synergy.config import load_config
from synergy.experiment import prepare
from synergy.tree import SharingTree
from synergy.trials.trial_store import TrialStore

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def sound_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Corpus, configuration, table and workspace without a fault."""
    folder = tmp_path_factory.mktemp("project")
    write_tone_project(folder)
    (folder / "table.csv").write_text(TABLE, encoding="utf-8")
    workspace = folder / "ws"
    (workspace / "trials").mkdir(parents=True)
    (workspace / "ar_table.csv").write_text(TABLE, encoding="utf-8")
    return folder


@pytest.fixture
def project(sound_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to spoil, which is the current folder."""
    monkeypatch.delenv("SYNERGY_ELSEWHERE", raising=False)
    folder = Path(shutil.copytree(sound_project, tmp_path / "project"))
    config = load_config(folder / "tones.yaml")
    (folder / "ws" / "config.yaml").write_text(config.to_yaml(), encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


def arguments_of(command: str) -> list[str]:
    words = command.split()
    elsewhere = words[0] == "predict" or words[:2] == ["search", "--table"]
    return words if elsewhere else [*words, "--workspace", "ws"]


def check_sentence(code: int, out: str, err: str, sentence: str) -> None:
    said = [line for line in err.splitlines() if not line.startswith(("note: ", "features of "))]
    assert code == 2, err
    assert out == ""
    assert len(said) == 1, err
    assert said[0].startswith("error: ")
    assert re.search(sentence, said[0]), said[0]
    assert "Traceback" not in err


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_bad_input(project, case):
    case.spoil(project)
    before = content(project)
    ran = synergy(*arguments_of(case.command))
    check_sentence(ran.code, ran.out, ran.err, case.sentence)
    assert content(project) == before


def test_cases_have_names_of_their_own():
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))


def test_the_project_itself_is_sound(project):
    assert synergy("data", "check", "--config", "tones.yaml").code == 0
    assert synergy(*FROM_TABLE.split()).code == 0


@pytest.mark.parametrize("name", ["missing label column", "a damaged tree", "an AR of NaN"])
def test_bad_input_in_a_process_of_its_own(project, name):
    (case,) = [case for case in CASES if case.name == name]
    case.spoil(project)
    done = subprocess.run(
        [sys.executable, "-m", "synergy", *arguments_of(case.command)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    check_sentence(done.returncode, done.stdout, done.stderr, case.sentence)


def test_a_truncated_result_is_trained_again(project):
    experiment = prepare(load_config(project / "tones.yaml"))
    digest = experiment.trial(SharingTree.single("gc", 8), 0).digest
    store = TrialStore(project / "ws" / "trials")
    store.path(digest).mkdir()
    (store.path(digest) / "result.json").write_text('{"scores": {"val', encoding="utf-8")
    ran = synergy(*arguments_of(f"{BASELINE} --tasks gc --executor serial"))
    assert ran.code == 0, ran.err
    assert f"note: gc seed 0 is trained again: {digest}/result.json: expected JSON" in ran.err
    assert store.done() == [digest]


def test_all_problems_of_a_corpus_are_told_at_once(project):
    (project / "tones" / "test-03.wav").unlink()
    (project / "tones" / "test-04.wav").write_bytes(b"")
    edit(manifest(project), "train-00.wav,train", "train-00.wav,trian")
    ran = synergy(*arguments_of(BASELINE))
    assert ran.code == 2
    for name in ("test-03.wav", "test-04.wav", "did you mean 'train'"):
        assert name in ran.err


def test_all_problems_of_a_configuration_are_told_at_once(project):
    edit(project / "tones.yaml", "epochs: 2", "epochs: 0")
    edit(project / "tones.yaml", "clips_per_task: 8", "clips_per_task: true")
    ran = synergy(*arguments_of(BASELINE))
    assert ran.code == 2
    assert ran.err.splitlines()[:1] == ["error: tones.yaml: 2 problems"]
    for key in ("training.epochs: Input", "training.clips_per_task: Input"):
        assert f"\n  {key}" in ran.err


def test_a_workspace_in_use_says_by_whom(project):
    (project / "ws" / ".synergy.holder.json").write_text(
        '{"command": "synergy run", "host": "far", "pid": 7, "since": "2026-01-01T01:01:01"}'
    )
    with FileLock(project / "ws" / ".synergy.lock"):
        ran = synergy(*arguments_of(BASELINE))
    check_sentence(ran.code, ran.out, ran.err, r"ws is held by `synergy run` \(process 7 on far")


def test_demo_without_its_extra_names_the_install_command(tmp_path, monkeypatch):
    real = importlib.util.find_spec

    def found(name: str, *rest: str | None) -> object:
        return None if name == "espeakng_loader" else real(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", found)
    monkeypatch.setenv("SYNERGY_CACHE", str(tmp_path / "cache"))
    ran = synergy("data", "check", "--workspace", tmp_path / "ws")
    assert ran.code == 2
    assert "pip install" in ran.err.splitlines()[-1]
    assert not (tmp_path / "ws").exists()
