"""Commands under limits of the shell: the limit is named, and it is no bug."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_corpora import write_tone_project

ROOT = Path(__file__).resolve().parents[1]
KEPT = "everything that was finished is kept; run the same command again to go on"


def in_shell(before: str, *arguments: object, cwd: Path = ROOT) -> tuple[int, str]:
    """Exit code and stderr of a command, started by a shell that does something before."""
    line = [sys.executable, "-m", "synergy", *map(str, arguments)]
    done = subprocess.run(
        ["bash", "-c", f'{before} && exec "$@"', "bash", *line],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of a few steps beside its corpus."""
    return write_tone_project(tmp_path_factory.mktemp("limits"))


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on address space")
@pytest.mark.parametrize("kilobytes", [400_000, 1_000_000])
def test_too_little_address_space_is_named_with_its_limit(config, kilobytes):
    code, err = in_shell(f"ulimit -v {kilobytes}", "data", "check", "--config", config)
    said = f"error: {kilobytes / 2**20:.1f} GB of address space are not enough; raise that limit"
    assert (code, err) == (2, f"{said} (ulimit -v); {KEPT}\n")


def test_a_limit_on_the_size_of_files_is_named(config, tmp_path):
    arguments = ("baseline", "--config", config, "--workspace", tmp_path / "ws")
    code, err = in_shell("ulimit -f 0", *arguments)
    assert code == 2
    assert "the file would be larger than the system allows" in err
    assert "Traceback" not in err


def test_a_working_folder_that_is_gone_is_told(config, tmp_path):
    (tmp_path / "gone").mkdir()
    arguments = ("data", "check", "--config", config)
    code, err = in_shell("rmdir ../gone", *arguments, cwd=tmp_path / "gone")
    assert code == 2
    assert err == ("error: the working folder is not there any more; change into one that exists\n")
