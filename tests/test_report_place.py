"""Where a report may be written, and what is left as it is."""

from __future__ import annotations

import os
import shutil

import pytest
from small_cli import synergy
from small_tables import PAPER


@pytest.fixture
def workspace(tmp_path):
    """As small as a workspace with something to report can be."""
    folder = tmp_path / "ws"
    (folder / "trials").mkdir(parents=True)
    shutil.copy(min(PAPER.glob("*ar*.csv")), folder / "ar_table.csv")
    (folder / ".synergy.lock").touch()
    return folder


def test_what_is_no_report_is_not_replaced(workspace, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "thesis.tex")
    (tmp_path / "thesis.tex").write_text("mine")
    (tmp_path / "page.html").write_text("<!doctype html><title>mine</title>")
    (tmp_path / "folder").mkdir()
    for name in ("fifo", "link", "thesis.tex", "page.html", "folder", "none/report.html"):
        before = state(tmp_path)
        ran = synergy("report", "--workspace", workspace, "--output", tmp_path / name)
        assert ran.code == 2, name
        assert ran.err.startswith("error: ")
        assert name.split("/")[0] in ran.err
        assert state(tmp_path) == before


def test_an_earlier_report_and_an_empty_file_are_replaced(workspace, tmp_path):
    file = tmp_path / "report.html"
    file.touch()
    for _ in range(2):
        assert synergy("report", "--workspace", workspace, "--output", file).code == 0
        assert file.stat().st_size > 10_000


def state(folder):
    """Name, time of change and kind of everything in a folder."""
    return sorted((p.name, p.lstat().st_mtime_ns, p.lstat().st_mode) for p in folder.iterdir())
