"""A sweep that is killed again and again ends with the table of one that was left alone.

``make kill-test`` runs this with 20 kills; the suite with a few.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from small_corpora import row, write_manifest

from synergy.workspace import Workspace

KILLS = int(os.environ.get("SYNERGY_KILLS", "2"))
SEEDS = 1 + KILLS // 5
# What is never decided, on noise, uses its budget.
UNDECIDED = ("--max-ar", "0.5", "--budget", str(15 + 3 * KILLS))
SWEEPS = {"full": (), "adaptive": ("--sweep", "adaptive", *UNDECIDED)}


def small_config(folder: Path) -> Path:
    """Three tasks on half-second clips of noise; nothing to learn, but the same every time."""
    rows = [
        row(
            f"{split}/{number}.wav",
            split,
            f"{split}-{number % 4}",
            gender=("female", "male")[number % 2],
            word=("yes", "no", "stop")[number % 3],
            age=("old", "young")[number // 2 % 2],
        )
        for split in ("train", "valid", "test")
        for number in range(12)
    ]
    write_manifest(folder / "corpus", rows, seconds=0.5)
    tasks = {
        task: {"kind": "clip_classification", "corpora": {"noise": {"column": column}}}
        for task, column in (("gc", "gender"), ("ac", "age"), ("scr", "word"))
    }
    config = {
        "corpora": {"noise": {"format": "manifest", "folder": str(folder / "corpus")}},
        "tasks": tasks,
        "training": {
            "epochs": 4,
            "steps_per_epoch": 10,
            "clips_per_task": 8,
            "crop_s": 0.5,
        },
        "depths": [4, 6, 8],
        "seeds": SEEDS,
    }
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return file


def sweep(config: Path, workspace: Path, kind: str) -> subprocess.Popen[str]:
    """A sweep of pairs, started."""
    folders = ["--config", str(config), "--workspace", str(workspace)]
    return subprocess.Popen(
        [sys.executable, "-m", "synergy", "pairwise", *folders, *SWEEPS[kind], "--workers", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(workspace: Path) -> dict[str, bytes]:
    """Results that are there; their times tell one training from a second one."""
    # a folder whose writer was killed is hidden, and no result
    return {
        file.parent.name: file.read_bytes()
        for file in workspace.glob("trials/*/result.json")
        if not file.parent.name.startswith(".")
    }


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize(
    "kind",
    [
        "full",
        pytest.param(
            "adaptive",
            marks=pytest.mark.skipif(KILLS < 20, reason="takes minutes: make kill-test"),
        ),
    ],
)
def test_killed_and_started_again(tmp_path: Path, kind: str) -> None:
    config = small_config(tmp_path)
    calm = sweep(config, tmp_path / "calm", kind)
    output, _ = calm.communicate(timeout=600)
    assert calm.returncode == 0, output

    draw = random.Random(0)
    seen: dict[str, bytes] = {}
    for _ in range(KILLS):
        process = sweep(config, tmp_path / "killed", kind)
        # a random moment of the sweep itself, not of the seconds in which torch is imported
        more = draw.randint(0, 2)
        while process.poll() is None and len(finished(tmp_path / "killed")) < len(seen) + more:
            time.sleep(0.02)
        time.sleep(draw.uniform(0, 1))
        assert process.poll() is None, "the sweep was over before it was killed"
        process.kill()
        process.communicate(timeout=60)
        now = finished(tmp_path / "killed")
        assert {digest: now.get(digest) for digest in seen} == seen, "trained twice or lost"
        seen = now

    last = sweep(config, tmp_path / "killed", kind)
    output, _ = last.communicate(timeout=600)
    assert last.returncode == 0, output
    now = finished(tmp_path / "killed")
    assert {digest: now[digest] for digest in seen} == seen
    assert set(now) == set(finished(tmp_path / "calm"))
    spaces = [Workspace(tmp_path / name) for name in ("calm", "killed")]
    tables = [space.table_files("plain").table.read_bytes() for space in spaces]
    assert tables[0] == tables[1]
    print(f"\n{KILLS} kills, {len(seen)} of {len(now)} trials had been done at the last of them")
