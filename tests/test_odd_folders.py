"""A whole run below a folder whose name is not UTF-8."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from small_cli import synergy
from small_corpora import write_tone_project

from synergy.config import load_config


def test_a_run_below_a_folder_that_is_not_utf_8_comes_to_its_end(
    tmp_path: Path, tmp_path_factory
) -> None:
    """The configuration is written, read back by every command, and handed to the workers."""
    made = write_tone_project(tmp_path_factory.mktemp("made")).parent
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    shutil.copytree(made, folder)
    workspace = folder / "ws"
    where = ("--workspace", workspace)
    small = ("--tasks", "gc,vad", "--depths", "8", "--rounds", "0", "--executor", "serial")
    ran = synergy("run", "--config", folder / "tones.yaml", *where, *small)
    assert ran.code == 0, ran.err
    assert load_config(workspace / "config.yaml").tasks.keys() == {"gc", "scr", "vad"}
    for command in (("show",), ("report",), ("search",), ("plan", "--tasks", "gc,vad")):
        ran = synergy(*command, *where)
        assert ran.code == 0, ran.err
    assert (workspace / "report.html").is_file()
    ran = synergy("predict", workspace / "model", folder / "tones" / "test-00.wav")
    assert ran.code == 0, ran.err
    assert "caf\\xe9" in ran.out
