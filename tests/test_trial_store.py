"""The trial store: what is there is complete, whoever is killed, and damage is named."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_files import vouch

from synergy.errors import WorkspaceError
from synergy.files import is_partial, json_text, partial_path, write_atomically
from synergy.tree import SharingTree
from synergy.trials.record import TrialRecord, TrialResult, TrialRun
from synergy.trials.trial_store import TrialStore
from synergy.workspace import Workspace

TREE = SharingTree.single("gc", 8)
DIGEST = "0123abcd"
PATIENCE_S = 60.0
NAMES = [
    *("history.csv", "predictions.safetensors", "result.json", "trial.json"),
    "weights.safetensors",
]


def parts(number: int = 0) -> dict[str, Any]:
    """A trial that can be told from those of other numbers by every file."""
    return {
        "trial": {
            "format_version": 1,
            "tree": TREE.to_json(),
            "notation": TREE.notation(),
            "tasks": [{"name": "gc", "kind": "clip_classification", "classes": ["größer", "m"]}],
            "data": {"gc": "d"},
            "bank": "b",
            "encoder": {"name": "cnn8"},
            "training": {"epochs": 2},
            "seed": number,
            "distillation": None,
            "teachers": {},
            "pruning": None,
        },
        "result": TrialResult(
            digest=DIGEST,
            notation=TREE.notation(),
            seed=number,
            scores={"valid": {"gc": 0.5 + number}},
            metrics={"valid": {"gc": {"accuracy": 0.5 + number}}},
            kept_step=1,
            steps=2,
            params=3,
            clips_per_s=0.1,
            seconds=1 / 3,
            device="cpu",
            versions={"torch": "2.11.0"},
        ),
        "history": [{"epoch": 1, "loss": 0.1 + number}, {"epoch": 2, "loss": 1 / 3, "gc": 1.0}],
        "weights": {"w": torch.full((3, 4), float(number)), "n": torch.tensor(number)},
        "predictions": {"gc": np.arange(6, dtype=np.float16).reshape(2, 3) + number},
    }


def write(store: TrialStore, digest: str, trial: Any, result: TrialResult, **rest: Any) -> None:
    store.write(trial, TrialRun(result.model_copy(update={"digest": digest}), **rest))


def assert_holds(store: TrialStore, digest: str, number: int) -> None:
    expected = parts(number)
    assert store.trial(digest) == TrialRecord.model_validate(expected["trial"])
    files = store.result(digest).files
    told = {"digest": digest, "version": store.result(digest).version, "files": files}
    assert store.result(digest) == expected["result"].model_copy(update=told)
    assert store.history(digest) == expected["history"]
    weights, predictions = store.weights(digest), store.predictions(digest)
    assert weights.keys() == expected["weights"].keys()
    assert all(torch.equal(weights[name], w) for name, w in expected["weights"].items())
    assert predictions.keys() == {"gc"}
    np.testing.assert_array_equal(predictions["gc"], expected["predictions"]["gc"])
    assert predictions["gc"].dtype == np.float16


@pytest.fixture
def store(tmp_path: Path) -> TrialStore:
    return TrialStore(tmp_path / "trials")


def clean(store: TrialStore) -> None:
    """As the next command does."""
    with Workspace(store.folder.parent).lock("synergy run"):
        pass


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


# -- reading what was written -------------------------------------------------------------


def test_round_trip(store: TrialStore) -> None:
    assert store.done() == []
    assert not store.is_done(DIGEST)
    write(store, "ffff", **parts(2))
    write(store, DIGEST, **parts(1))
    assert store.done() == [DIGEST, "ffff"]
    assert store.is_done(DIGEST)
    assert_holds(store, DIGEST, 1)
    assert_holds(store, "ffff", 2)
    assert visible(store.path(DIGEST)) == NAMES
    assert set(store.result(DIGEST).files) == set(NAMES) - {"result.json"}
    assert [p for p in store.folder.iterdir() if is_partial(p)] == []


def test_files_are_readable_without_the_package(store: TrialStore) -> None:
    trial = {"seed": 1, "tasks": ["gc", "vad"], "name": "größer"}
    write(store, DIGEST, **{**parts(1), "trial": trial})
    folder = store.path(DIGEST)
    assert (folder / "trial.json").read_text(encoding="utf-8") == (
        '{\n  "name": "größer",\n  "seed": 1,\n  "tasks": [\n    "gc",\n    "vad"\n  ]\n}\n'
    )
    assert (folder / "history.csv").read_text() == (f"epoch,loss,gc\n1,1.1,\n2,{1 / 3!r},1.0\n")


def test_the_same_parts_give_the_same_bytes(store: TrialStore) -> None:
    other = TrialStore(store.folder.parent / "other")
    write(store, DIGEST, **parts(1))
    write(other, DIGEST, **{**parts(1), "weights": dict(reversed(parts(1)["weights"].items()))})
    for name in visible(store.path(DIGEST)):
        assert (store.path(DIGEST) / name).read_bytes() == (other.path(DIGEST) / name).read_bytes()


def test_predictions_are_optional(store: TrialStore) -> None:
    write(store, DIGEST, **{**parts(), "predictions": {}})
    assert store.predictions(DIGEST) == {}
    assert "predictions.safetensors" not in visible(store.path(DIGEST))


def test_odd_tensors_and_arrays(store: TrialStore) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    weights = {
        "transposed": base.T,
        "view": base[0],
        "same": base,
        "gradient": torch.nn.Parameter(base + 1),
        "half": base.to(torch.bfloat16),
    }
    arrays = {"scalar": np.float32(3), "strided": np.arange(10)[::3], "flags": np.ones(2, bool)}
    write(store, DIGEST, **{**parts(), "weights": weights, "predictions": arrays})
    for name, tensor in store.weights(DIGEST).items():
        assert torch.equal(tensor, weights[name])
        assert not tensor.requires_grad
    for name, array in store.predictions(DIGEST).items():
        np.testing.assert_array_equal(array, arrays[name])
        assert array.shape == arrays[name].shape


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["epoch", "loss", "valid/gc"]),
            st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False),
            min_size=1,
        ),
        max_size=4,
    )
)
def test_history_inverse(tmp_path_factory: pytest.TempPathFactory, rows: Any) -> None:
    store = TrialStore(tmp_path_factory.mktemp("trials"))
    write(store, DIGEST, **{**parts(), "history": rows})
    assert store.history(DIGEST) == rows
    kinds = [[type(value) for value in row.values()] for row in map(sorted_by_name, rows)]
    read = [[type(v) for v in row.values()] for row in map(sorted_by_name, store.history(DIGEST))]
    assert read == kinds


def sorted_by_name(row: dict[str, float]) -> dict[str, float]:
    return dict(sorted(row.items()))


# -- damage -------------------------------------------------------------------------------


@pytest.mark.parametrize("read", ["result", "trial", "history", "weights", "predictions"])
def test_a_trial_that_is_not_there(store: TrialStore, read: str) -> None:
    with pytest.raises(WorkspaceError, match=f"finished trial in .*{DIGEST}, found no result"):
        getattr(store, read)(DIGEST)


@pytest.mark.parametrize(
    ("read", "name"),
    [
        ("result", "result.json"),
        ("trial", "trial.json"),
        ("weights", "weights.safetensors"),
        ("predictions", "predictions.safetensors"),
    ],
)
@pytest.mark.parametrize("left", [0, 0.5])
def test_a_truncated_file_is_named_and_nothing_is_deleted(
    store: TrialStore, read: str, name: str, left: float
) -> None:
    write(store, DIGEST, **parts())
    path = store.path(DIGEST) / name
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * left)])
    names = visible(store.path(DIGEST))
    with pytest.raises(WorkspaceError) as caught:
        getattr(store, read)(DIGEST)
    assert f"{path} is missing or damaged" in str(caught.value)
    assert "run the same command again to repeat this trial" in str(caught.value)
    assert not store.is_done(DIGEST)
    assert visible(store.path(DIGEST)) == names


@pytest.mark.parametrize("text", ["[1]", "3", "{]", "\udcff"])
def test_a_result_that_is_no_object(store: TrialStore, text: str) -> None:
    write(store, DIGEST, **parts())
    (store.path(DIGEST) / "result.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(WorkspaceError, match="is missing or damaged"):
        store.result(DIGEST)


@pytest.mark.parametrize("name", ["trial.json", "history.csv", "weights.safetensors"])
def test_a_missing_file(store: TrialStore, name: str) -> None:
    write(store, DIGEST, **parts())
    (store.path(DIGEST) / name).unlink()
    with pytest.raises(WorkspaceError, match=f"{name} is missing or damaged"):
        getattr(store, name.partition(".")[0])(DIGEST)


def test_a_history_with_words(store: TrialStore) -> None:
    write(store, DIGEST, **parts())
    (store.path(DIGEST) / "history.csv").write_text("epoch,loss\n1,low\n")
    vouch(store.path(DIGEST))
    with pytest.raises(WorkspaceError, match=r"history\.csv is missing or damaged"):
        store.history(DIGEST)


@pytest.mark.parametrize("digest", ["", ".", "..", "../other", "a/b", "/etc", "a\0b", "a.partial"])
def test_no_path_leaves_the_folder(store: TrialStore, digest: str) -> None:
    with pytest.raises(WorkspaceError, match="expected the digest of a trial"):
        write(store, digest, **parts())
    with pytest.raises(WorkspaceError, match="expected the digest of a trial"):
        store.is_done(digest)


@pytest.mark.parametrize("part", ["trial", "result", "history"])
def test_nothing_is_kept_of_a_trial_with_nan(store: TrialStore, part: str) -> None:
    good, scores = parts(), {"valid": {"gc": float("nan")}}
    result = good["result"].model_copy(update={"scores": scores})
    bad = {"trial": scores, "result": result, "history": [{"loss": float("inf")}]}
    with pytest.raises(ValueError, match=r"not JSON compliant|finite numbers"):
        write(store, DIGEST, **{**good, part: bad[part]})
    assert list(store.folder.glob("*")) == []


# -- writers that collide or die ----------------------------------------------------------


def test_the_first_of_two_writers_counts(store: TrialStore) -> None:
    write(store, DIGEST, **parts(1))
    write(store, DIGEST, **parts(2))
    assert_holds(store, DIGEST, 1)
    assert [p for p in store.folder.iterdir() if is_partial(p)] == []


def test_a_folder_without_a_result_is_written_anew(store: TrialStore) -> None:
    write(store, DIGEST, **parts(1))
    (store.path(DIGEST) / "result.json").unlink()
    assert store.done() == []
    write(store, DIGEST, **parts(2))
    assert_holds(store, DIGEST, 2)


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_trial_is_not_done_and_is_replaced(store: TrialStore, name: str) -> None:
    write(store, DIGEST, **parts(1))
    path = store.path(DIGEST) / name
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    assert store.finished() == [DIGEST]
    assert store.done() == []
    assert list(store.damage(DIGEST)) == [name]
    write(store, DIGEST, **parts(2))
    assert store.done() == [DIGEST]
    assert_holds(store, DIGEST, 2)


def test_leftovers_are_no_trials_and_can_be_cleaned(store: TrialStore) -> None:
    write(store, DIGEST, **parts(1))
    leftover = partial_path(store.path("ffff"))
    shutil.copytree(store.path(DIGEST), leftover)
    assert store.done() == [DIGEST]
    write(store, "ffff", **parts(2))
    assert_holds(store, "ffff", 2)
    clean(store)
    assert not leftover.exists()
    assert store.done() == [DIGEST, "ffff"]


def write_many(folder: Path, number: int, barrier: Any) -> None:
    store = TrialStore(folder)
    content = parts(number)
    barrier.wait(PATIENCE_S)
    for i in range(40):
        write(store, f"d{i}", **content)


def test_two_processes_write_the_same_digests(store: TrialStore) -> None:
    write(store, "d0", **parts(0))
    (store.path("d0") / "result.json").unlink()  # both want to replace this one
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    writers = [
        context.Process(target=write_many, args=(store.folder, number, barrier))
        for number in (1, 2)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(PATIENCE_S)
        assert writer.exitcode == 0
        writer.close()
    assert len(store.done()) == 40
    for digest in store.done():
        assert_holds(store, digest, store.result(digest).seed)


WRITER = """
import sys
from pathlib import Path
from test_trial_store import TrialStore, parts, write

store = TrialStore(Path(sys.argv[1]))
content = [parts(i) for i in range(500)]
print("ready", flush=True)
for i in range(500):
    if not store.is_done(f"d{i}"):
        write(store, f"d{i}", **content[i])
"""


def test_writers_killed_at_any_moment_leave_whole_trials_only(store: TrialStore) -> None:
    paths = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
    for delay_ms in (0, 5, 20):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(store.folder)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdout=subprocess.PIPE,
            text=True,
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            before = set(store.done())
            time.sleep(delay_ms / 1000)  # the moment is meant to be arbitrary
            writer.kill()
        assert writer.returncode == -signal.SIGKILL  # it was still busy
        assert before <= set(store.done())
        for digest in store.done():
            assert_holds(store, digest, int(digest[1:]))
    clean(store)
    assert visible(store.folder) == store.done()
    write(store, "after", **parts(1))
    assert_holds(store, "after", 1)


# -- single files -------------------------------------------------------------------------


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "tree.json"
    write_atomically(path, json_text({"b": 1, "a": 2}))
    assert path.read_text() == json_text({"a": 2, "b": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_atomically(path, json_text({"a": float("inf")}))
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "\ud800")
    assert path.read_text() == json_text({"a": 2, "b": 1})
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="needs file modes")
def test_files_have_the_usual_mode(tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.touch()
    write_atomically(tmp_path / "file", "text")
    assert (tmp_path / "file").stat().st_mode == usual.stat().st_mode
