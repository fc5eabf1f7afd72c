"""The files of a trial as records: damage is named by field, other versions can be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_trial_store import DIGEST, TREE, assert_holds, parts, write

from synergy.errors import WorkspaceError
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


def test_files_of_other_versions_are_read(store: TrialStore) -> None:
    write(store, DIGEST, **parts(1))
    assert json.loads((store.path(DIGEST) / "result.json").read_text())["version"] == 1
    edit(store.path(DIGEST) / "result.json", {"watts": 3}, without=("version",))
    edit(store.path(DIGEST) / "trial.json", {}, without=("distillation", "teachers", "pruning"))
    assert_holds(store, DIGEST, 1)
    assert store.trial(DIGEST).sharing_tree == TREE


def edit(file: Path, change: dict[str, Any], without: tuple[str, ...] = ()) -> None:
    data = {**json.loads(file.read_text(encoding="utf-8")), **change}
    kept = {name: value for name, value in data.items() if name not in without}
    file.write_text(json.dumps(kept), encoding="utf-8")
