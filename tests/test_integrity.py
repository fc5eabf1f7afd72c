"""Bytes that changed on disk: named, never used, and made again where they can be."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path

import pytest
from small_cli import synergy
from small_corpora import write_tone_project

from synergy.files import CHANGED
from synergy.seals import Seals
from synergy.trials.trial_store import TrialStore

SERIAL = ("--executor", "serial")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A configuration and a workspace with every kind of file, soft labels and probes too."""
    folder = tmp_path_factory.mktemp("finished")
    config, workspace = write_tone_project(folder), folder / "ws"
    given = ("--config", config, "--workspace", workspace, *SERIAL)
    assert synergy("run", *given, "--distill", "--rounds", 0).code == 0
    assert synergy("pairwise", *given).code == 0
    assert synergy("compare", *given, "--methods", "tag").code == 0
    return config, workspace


@pytest.fixture
def workspace(finished, tmp_path):
    return Path(shutil.copytree(finished[1], tmp_path / "ws"))


def flip(file: Path, seed: int) -> None:
    """Change one bit of a file."""
    data = bytearray(file.read_bytes())
    place = random.Random(seed).randrange(8 * len(data))
    data[place // 8] ^= 1 << place % 8
    file.write_bytes(data)


def kinds(workspace: Path) -> dict[str, Path]:
    """One file of each kind that is read back."""
    store = TrialStore(workspace / "trials")
    alone = [digest for digest in store.finished() if len(store.trial(digest).tasks) == 1]
    single = next(digest for digest in alone if "test" in store.result(digest).scores)
    trial = store.path(single)
    loose = (
        "ar_table.csv",
        "ar_samples.csv",
        "ar_scores.csv",
        "ar_losses.csv",
        "config.yaml",
        "checksums.json",
    )
    results = ("tree.json", "summary.json", "comparisons.json")
    found = {name: workspace / name for name in (*loose, *results)}
    found |= {path.name: path for path in trial.iterdir()}
    found |= {f"model/{path.name}": path for path in (workspace / "model").iterdir()}
    found["soft labels"] = min((workspace / "soft_labels").iterdir())
    found["probe"] = min((workspace / "probes").iterdir())
    return found


def test_a_whole_workspace_is_verified(finished):
    ran = synergy("verify", "--workspace", finished[1])
    assert ran.code == 0, ran.err
    assert "every file is as it was written" in ran.out
    ran = synergy("verify", "--workspace", finished[1], "--json")
    assert ran.json["unsealed"] == []
    read = sum(ran.json["files"].values())
    unread = {"report.html", ".synergy.lock", ".lock"}
    there = [p for p in finished[1].rglob("*") if p.is_file() and p.name not in unread]
    assert read == len(there) - 1  # checksums.json vouches for others


def test_every_changed_bit_is_found(workspace):
    for number, (kind, file) in enumerate(kinds(workspace).items()):
        whole = file.read_bytes()
        flip(file, number)
        ran = synergy("verify", "--workspace", workspace, "--json")
        named = [Path(each["file"]) for each in ran.json["damage"]]
        own = file.relative_to(workspace)
        assert ran.code == 1, kind
        assert own in named, (kind, named)
        file.write_bytes(whole)


def test_the_bits_that_decide_nothing_may_change(workspace):
    """The layout of JSON is no content."""
    file = workspace / "summary.json"
    file.write_text(json.dumps(json.loads(file.read_text())))
    assert synergy("verify", "--workspace", workspace).code == 0


MADE_AGAIN = {
    "weights.safetensors": "is trained again",
    "predictions.safetensors": "is trained again",
    "trial.json": "is trained again",
    "history.csv": "is trained again",
    "result.json": "is trained again",
    "test.json": "",
    "test.safetensors": "",
    "soft labels": "computed again",
    "summary.json": "",
    "tree.json": "",
    "ar_table.csv": "",
    "ar_samples.csv": "",
    "model/spec.json": "",
    "model/weights.safetensors": "",
    "model/model.py": "",
}


def test_what_is_damaged_is_made_again(finished, workspace):
    config, before = finished[0], kept(workspace)
    every = kinds(workspace)
    for number, kind in enumerate(MADE_AGAIN):
        flip(every[kind], number)
    shutil.rmtree(workspace / "trials" / student(workspace))  # else nobody asks for soft labels
    again = ("--config", config, "--workspace", workspace, *SERIAL)
    ran = synergy("run", *again, "--distill", "--rounds", 0)
    assert ran.code == 0, ran.err
    assert all(words in ran.err for words in MADE_AGAIN.values()), ran.err
    assert kept(workspace) == before
    synergy("pairwise", "--config", config, "--workspace", workspace, *SERIAL)
    assert synergy("verify", "--workspace", workspace).code == 0


def student(workspace: Path) -> str:
    """Digest of a pair that learned from teachers."""
    store = TrialStore(workspace / "trials")
    pairs = [digest for digest in store.done() if len(store.trial(digest).tasks) == 2]
    return next(digest for digest in pairs if store.trial(digest).distillation)


def kept(workspace: Path) -> dict[str, bytes]:
    """The files of which no time is part."""
    names = ("ar_table_distilled.csv", "ar_samples_distilled.csv", "ar_scores_distilled.csv")
    model = sorted((workspace / "model").iterdir())
    return {str(f): f.read_bytes() for f in (*(workspace / n for n in names), *model)}


@pytest.mark.parametrize("name", ["features.f16", "index.csv", "meta.json"])
def test_damaged_features_are_computed_again(name, tmp_path, monkeypatch):
    monkeypatch.setenv("SYNERGY_CACHE", str(tmp_path / "cache"))
    config = write_tone_project(tmp_path)
    given = ("data", "check", "--config", config, "--json")
    assert synergy(*given).code == 0
    (file,) = (tmp_path / "cache" / "features").glob(f"*/{name}")
    whole = file.read_bytes()
    for seed in range(5):
        flip(file, seed)
        ran = synergy(*given)
        assert ran.code == 0
        assert "note: the features of corpus" in ran.err
        assert "computed again" in ran.err
        assert file.read_bytes() == whole


def test_the_checksums_of_a_killed_writer_accept_what_is_there(tmp_path):
    seals = Seals(tmp_path)
    file = tmp_path / "table.csv"
    with seals.exchanged("table.csv"):
        file.write_text("old")
    seals.exchanged("table.csv").__enter__()  # and never comes back
    file.write_text("new")
    assert seals.broken() == {}
    with seals.exchanged("table.csv"):
        file.write_text("newer")
    file.write_text("another")
    assert seals.broken() == {"table.csv": CHANGED}
    with seals.exchanged("table.csv"):
        file.unlink()
    assert seals.broken() == {}


def test_a_damaged_table_is_not_used(workspace):
    flip(workspace / "ar_table.csv", 3)
    for command in ("search", "show", "report"):
        ran = synergy(command, "--workspace", workspace)
        assert ran.code == 2
        assert "ar_table.csv is damaged (its content is not what was written)" in ran.err


def test_a_damaged_configuration_is_not_used(workspace):
    text = (workspace / "config.yaml").read_text()
    (workspace / "config.yaml").write_text(text.replace("epochs: ", "epochs: 1"))
    ran = synergy("plan", "--workspace", workspace)
    assert ran.code == 2
    assert "config.yaml is damaged" in ran.err
    ran = synergy("data", "check", "--config", workspace / "config.yaml")
    assert ran.code == 0, ran.err


def test_a_recording_that_changed_in_secret_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNERGY_CACHE", str(tmp_path / "cache"))
    config = write_tone_project(tmp_path)
    given = ("data", "check", "--config", config, "--json")
    assert synergy(*given, "--full").code == 0
    file = min(tmp_path.rglob("*.wav"))
    state, data = file.stat(), bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert synergy(*given).code == 0
    ran = synergy(*given, "--full")
    assert ran.code == 2
    assert f"{file.name}: its content has changed, though its size and time have not" in ran.err
