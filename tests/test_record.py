"""The files of a trial as records: damage is named by field, other versions can be read."""

from __future__ import annotations

import json
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from small_files import age_trial, edit, values
from test_trial_store import DIGEST, TREE, assert_holds, parts, write

from synergy.errors import WorkspaceError
from synergy.files import json_text
from synergy.records import FrontierFile
from synergy.trials.trial_store import TrialStore


@pytest.fixture
def store(tmp_path: Path) -> TrialStore:
    return TrialStore(tmp_path / "trials")


@pytest.mark.parametrize(
    ("read", "change", "said"),
    [
        ("result", {"scores": 3}, r"result\.json is .* \(scores: "),
        ("result", {"seconds": "long"}, r"result\.json is .* \(seconds: "),
        ("result", {"seed": None}, r"result\.json is .* \(seed: "),
        ("trial", {"tasks": [{"name": "gc"}]}, r"trial\.json is .* \(tasks\.0\.kind: "),
        ("trial", {"tree": None}, r"trial\.json is .* \(tree: "),
    ],
)
def test_a_damaged_field_is_named(
    store: TrialStore, read: str, change: dict[str, Any], said: str
) -> None:
    write(store, DIGEST, **parts())
    edit(store.path(DIGEST) / f"{read}.json", change)
    with pytest.raises(WorkspaceError, match=said):
        getattr(store, read)(DIGEST)


def test_a_number_that_is_not_finite_is_damage(store: TrialStore) -> None:
    write(store, DIGEST, **parts())
    age_trial(store.path(DIGEST))
    file = store.path(DIGEST) / "trial.json"
    file.write_text(json.dumps(values(file) | {"encoder": {"channels": [inf]}}))
    with pytest.raises(WorkspaceError, match=r"trial\.json is .* \(expected JSON, found Infinity"):
        store.trial(DIGEST)


@pytest.mark.parametrize("name", ["weights", "predictions"])
def test_arrays_that_are_not_finite_are_damage(store: TrialStore, name: str) -> None:
    write(store, DIGEST, **parts())
    age_trial(store.path(DIGEST))
    odd = {"a": np.array([1.0, np.inf], np.float32)}
    save_file(odd, store.path(DIGEST) / f"{name}.safetensors")
    with pytest.raises(WorkspaceError, match=rf"{name}\.safetensors is .* \(expected finite num"):
        getattr(store, name)(DIGEST)


@pytest.mark.parametrize("text", ["inf", "-Infinity", "nan", "1e999", "9" * 400, "x"])
def test_a_history_of_no_finite_numbers_is_damage(store: TrialStore, text: str) -> None:
    write(store, DIGEST, **parts())
    age_trial(store.path(DIGEST))
    (store.path(DIGEST) / "history.csv").write_text(f"step,loss\n1,{text}\n")
    with pytest.raises(WorkspaceError, match=r"history\.csv is .* \(expected a number, found "):
        store.history(DIGEST)


def test_a_file_that_is_missing_is_named_without_what_a_terminal_obeys(
    store: TrialStore, caplog: pytest.LogCaptureFixture
) -> None:
    write(store, DIGEST, **parts())
    result = store.path(DIGEST) / "result.json"
    edit(result, {"files": {"\x1b[31mred": "0" * 32}})
    assert store.done() == []
    assert "red is damaged" in caplog.text
    assert "\x1b" not in caplog.text


def test_what_a_later_version_adds_is_read_over(store: TrialStore) -> None:
    write(store, DIGEST, **parts(1))
    edit(store.path(DIGEST) / "result.json", {"watts": 3})
    edit(store.path(DIGEST) / "trial.json", {"watts": 3})
    assert store.done() == [DIGEST]
    assert_holds(store, DIGEST, 1)


def test_a_trial_of_before_there_were_checksums_is_done(store: TrialStore) -> None:
    write(store, DIGEST, **parts(1))
    result = store.path(DIGEST) / "result.json"
    edit(result.parent / "trial.json", {}, without=("distillation", "teachers", "pruning"))
    age_trial(result.parent)
    assert not {"checksum", "files"} & values(result).keys()
    assert store.done() == [DIGEST]
    assert store.sealed_files(DIGEST) == ()
    assert_holds(store, DIGEST, 1)
    assert store.trial(DIGEST).sharing_tree == TREE
    edit(result, {}, without=("version",))  # of before there were versions
    assert_holds(TrialStore(store.folder), DIGEST, 1)


@pytest.mark.parametrize(
    "name", ["predictions.safetensors", "result.json", "trial.json", "weights.safetensors"]
)
def test_a_truncated_trial_of_before_there_were_checksums_is_not_done(
    store: TrialStore, name: str
) -> None:
    write(store, DIGEST, **parts(1))
    age_trial(store.path(DIGEST))
    file = store.path(DIGEST) / name
    file.write_bytes(file.read_bytes()[:-4])
    assert list(store.damage(DIGEST)) == [name]
    assert store.done() == []
    write(store, DIGEST, **parts(2))
    assert_holds(store, DIGEST, 2)


def test_a_result_of_this_version_needs_its_checksum(store: TrialStore) -> None:
    write(store, DIGEST, **parts())
    edit(store.path(DIGEST) / "result.json", {}, without=("checksum",))
    assert store.damage(DIGEST) == {"result.json": "its checksum is missing"}
    assert not store.is_done(DIGEST)


def test_results_of_before_there_were_checksums_are_read(tmp_path: Path) -> None:
    file = tmp_path / "frontier.json"
    rows = {"frontier": [], "trained": 3, "left_out": 0}
    for earlier in ({"version": 1}, {}):
        file.write_text(json_text({**earlier, **rows}))
        found = FrontierFile.read(file)
        assert found
        assert found.to_json()["trained"] == 3
        assert found.version == 1
    file.write_text(json_text({"version": 2, **rows}))
    with pytest.raises(WorkspaceError, match="its checksum is missing"):
        FrontierFile.read(file)
