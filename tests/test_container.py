"""A container without a user name, a home, a temporary folder, room in shared memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from small_cli import synergy
from small_corpora import write_tone_project

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs namespaces of Linux")

BOX = Path(__file__).with_name("small_box.py")
TABLES = ("ar_table.csv", "ar_scores.csv")
# Each box has these, unless it says otherwise; None takes a variable away.
ENVIRONMENT = {
    **dict.fromkeys(("USER", "LOGNAME", "TMPDIR", "TORCHINDUCTOR_CACHE_DIR")),
    "HOME": "/root",
    "SYNERGY_CACHE": "{box}/cache",
}


def paired(command: str, folder: Path, config: Path, *options: object) -> list[str]:
    """A command that makes the table of one pair."""
    chosen = ("--config", config, "--workspace", folder / "ws", "--tasks", "gc,vad", "--depths", 8)
    return [command, *map(str, (*chosen, *options))]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each box, and the table of the pair as it is without one in ``free``."""
    base = tmp_path_factory.mktemp("boxes")
    config = write_tone_project(base / "corpus")
    ran = synergy(*paired("pairwise", base / "free", config, "--executor", "serial"))
    assert ran.code == 0, ran.err
    return base


@pytest.fixture(scope="module")
def boxes(base: Path) -> dict[str, dict[str, Any]]:
    """What became of the commands in each box, all of which run in one process."""
    config = base / "corpus" / "tones.yaml"
    plans: list[dict[str, Any]] = []

    def box(name: str, limits: str, commands: list[list[str]], **environment: str | None) -> None:
        folder = base / name
        folder.mkdir()
        chosen = {**ENVIRONMENT, **environment}
        plans.append(
            {
                "limits": limits.split(),
                "writable": str(folder),
                "environment": {k: v and v.format(box=folder) for k, v in chosen.items()},
                "commands": commands
                or [paired("pairwise", folder, config, "--executor", "serial")],
            }
        )

    box("no_name", "unknown_user", [])
    box("no_home", "unknown_user", [], HOME=None, SYNERGY_CACHE=None, TMPDIR="{box}")
    box("nothing_writable", "read_only", [], HOME="/")
    workspace = base / "everything" / "ws"
    recordings = sorted(config.parent.glob("tones/test-0*.wav"))
    all_limits = "small_shm read_only unknown_user few_files"
    everything = [
        paired("run", workspace.parent, config, "--workers", 1),
        ["report", "--workspace", str(workspace)],
        ["predict", str(workspace / "model"), *map(str, recordings)],
    ]
    box("everything", all_limits, everything, HOME=None)

    done = subprocess.run(
        [sys.executable, BOX, json.dumps(plans)], capture_output=True, text=True, check=True
    )
    results = json.loads(done.stdout)
    return {Path(p["writable"]).name: r for p, r in zip(plans, results, strict=True)}


@pytest.mark.parametrize("name", ["no_name", "no_home", "nothing_writable", "everything"])
def test_a_box_without_something_gives_the_same_table(base, boxes, name):
    ran = boxes[name]
    if "refused" in ran:
        pytest.skip(f"the system makes no such box: {ran['refused']}")
    assert set(ran["codes"]) == {0}, ran["errors"]
    for table in TABLES:
        there, free = (base / box / "ws" / table for box in (name, "free"))
        assert there.read_bytes() == free.read_bytes()


def test_the_three_stages_report_and_model_need_no_more_than_the_workspace(base, boxes):
    ran = boxes["everything"]
    if "refused" in ran:
        pytest.skip(f"the system makes no such box: {ran['refused']}")
    assert ran["codes"] == [0, 0, 0], ran["errors"]
    workspace = base / "everything" / "ws"
    assert (workspace / "model" / "weights.safetensors").is_file()
    assert "</html>" in (workspace / "report.html").read_text(encoding="utf-8")


def test_a_cache_without_a_home_is_one_of_this_user_alone_and_told(base, boxes):
    ran = boxes["no_home"]
    if "refused" in ran:
        pytest.skip(f"the system makes no such box: {ran['refused']}")
    (cache,) = (base / "no_home").glob("synergy-*")
    assert cache.stat().st_mode & 0o777 == 0o700
    assert (cache / "features").is_dir()
    (note,) = [line for line in ran["errors"][0].splitlines() if str(cache) in line]
    assert note.startswith("note: no home folder can be written")
