"""`synergy show`: what is damaged or cannot be read is said, and counts for nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from small_cli import synergy
from small_files import edit
from small_pages import Elements
from small_reports import result_workspace

from synergy.records import SummaryFile, TreeFile
from synergy.report import render, summarise
from synergy.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return result_workspace(tmp_path / "run", seeds=(0,))


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


def test_trainings_that_cannot_be_listed_are_an_error_and_not_none(workspace, monkeypatch):
    listed = os.scandir

    def refused(path=".", *rest):
        if Path(path) == workspace.trials.folder:
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path, *rest)

    monkeypatch.setattr(os, "scandir", refused)
    for command in ("show", "report"):
        ran = synergy(command, "--workspace", workspace.folder)
        assert ran.code == 2
        assert ran.out == ""
        assert "trials, which cannot be listed: this user has no right to it" in ran.err


def test_damaged_trainings_are_named_and_left_out(workspace):
    before = synergy("show", "--workspace", workspace.folder, "--json").json
    assert before["damaged"] == {}
    flip(workspace.trials.path("gc-0") / "weights.safetensors")
    flip(workspace.trials.path("ac_gc_4-0") / "trial.json")
    (workspace.trials.path("ac_gc_5-0") / "history.csv").unlink()
    ran = synergy("show", "--workspace", workspace.folder, "--json")
    assert ran.json["trials"]["single"] == before["trials"]["single"] - 1
    assert ran.json["trials"]["pair"] == before["trials"]["pair"] - 2
    assert ran.json["damaged"] == {
        "ac_gc_4-0": {"trial.json": "its content is not what was written"},
        "ac_gc_5-0": {"history.csv": "it is missing"},
        "gc-0": {"weights.safetensors": "its content is not what was written"},
    }
    assert "gc-0/weights.safetensors is damaged" in ran.err
    assert "counts as not done; the command that trained it repeats it" in ran.err
    text = "".join(Elements(render(summarise(workspace), "run")).text)
    assert "3 trainings that are damaged: they count as not done and are trained again" in text
    assert "(ac_gc_4-0, ac_gc_5-0, gc-0)" in text


@pytest.mark.parametrize("split", ["valid", "test"])
def test_scores_that_are_not_there_are_dashes(workspace, split):
    summary = SummaryFile.read(workspace.summary)
    assert summary
    kept = {"test" if split == "valid" else "valid"}
    rows = [
        row.model_copy(update={name: {s: getattr(row, name)[s] for s in kept} for name in PARTS})
        for row in summary.rows
    ]
    summary.model_copy(update={"rows": tuple(rows)}).write(workspace.summary)
    ran = synergy("show", "--workspace", workspace.folder)
    assert ran.code == 0
    lines = [line.split() for line in ran.table if line.startswith(f"tree {split}")]
    assert lines == [["tree", split, "-", "-", "-", "-", "-", "51,102"]]


PARTS = ("scores", "mean_scores", "ar_pct", "ar_low", "ar_high")


def test_a_summary_without_rows_is_damaged(workspace):
    edit(workspace.summary, {"rows": []})
    ran = synergy("show", "--workspace", workspace.folder)
    assert ran.code == 2
    assert "summary.json is damaged (rows: Tuple should have at least 1 item" in ran.err


def test_a_table_from_a_folder_with_another_encoding_is_shown(workspace):
    tree = TreeFile.read(workspace.tree)
    assert tree
    tree.model_copy(update={"table": "/runs/\udce9/ar_table.csv"}).write(workspace.tree)
    for form in ([], ["--json"]):
        assert synergy("show", "--workspace", workspace.folder, *form).code == 0
    assert synergy("report", "--workspace", workspace.folder).code == 0
