"""stdout and stderr that are closed, full, of another encoding or a terminal that goes away."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from small_corpora import write_tone_project

from synergy.cli.ending import READER_GONE

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that has just begun, with a name that few encodings have."""
    folder = tmp_path_factory.mktemp("streams") / "проба"
    (folder / "trials").mkdir(parents=True)
    return folder


def in_shell(redirection: str, *arguments: object, **environment: str) -> tuple[int, bytes, bytes]:
    """Exit code, stdout and stderr of a command whose streams a shell redirects."""
    line = [sys.executable, "-m", "synergy", *map(str, arguments)]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *line],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


FULL = (
    b"error: stdout: no space is left on that device; free some space there; everything that was "
    b"finished is kept; run the same command again to go on\n"
)


@pytest.mark.parametrize(
    ("redirection", "code", "err"),
    [
        (">&-", 0, b""),
        (">&- 2>&- <&-", 0, b""),
        (">/dev/full", 2, FULL),
        (">/dev/full 2>&1", 2, b""),
    ],
)
def test_what_stdout_does_not_take_is_told(workspace, redirection, code, err):
    assert in_shell(redirection, "show", "--workspace", workspace) == (code, b"", err)


def test_help_for_a_full_disk():
    assert in_shell(">/dev/full", "--help") == (2, b"", FULL)


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_what_stderr_does_not_take_is_lost_and_nothing_else(workspace, redirection):
    shown = in_shell("", "show", "--workspace", workspace)
    assert shown[0] == 0
    assert in_shell(redirection, "show", "--workspace", workspace) == (0, shown[1], b"")
    assert in_shell(redirection, "show", "--workspace", "/nowhere")[:2] == (2, b"")


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    ],
    ids=repr,
)
def test_what_an_encoding_lacks_is_replaced(workspace, environment):
    code, out, err = in_shell("", "show", "--workspace", workspace, **environment)
    assert (code, err) == (0, b"")
    assert "проба".encode() not in out
    code, _, err = in_shell("", "show", "--workspace", workspace / "нет", **environment)
    assert (code, err[:7]) == (2, b"error: ")


# What a command does with its three first descriptors, and what is left for others.
DESCRIPTORS = """
import os, sys
from synergy.cli.output import open_streams
open_streams()
assert all(os.get_inheritable(number) for number in range(3))
assert os.open(os.devnull, os.O_RDONLY) > 2
print("to", "stdout")
sys.stderr.write("to stderr")
"""


def test_a_file_never_gets_the_number_of_a_closed_stream(tmp_path):
    line = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", DESCRIPTORS]
    assert subprocess.run(line, cwd=ROOT, check=False).returncode == 0


def test_a_terminal_that_goes_away_does_not_end_the_training(tmp_path):
    """With live progress, in ASCII, until the terminal is closed."""
    config = write_tone_project(tmp_path)
    master, terminal = pty.openpty()
    line = ["baseline", "--config", config, "--workspace", tmp_path / "ws", "--executor", "serial"]
    with subprocess.Popen(
        [sys.executable, "-m", "synergy", *map(str, line)],
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm", "PYTHONIOENCODING": "ascii"},
        stdout=subprocess.PIPE,
        stderr=terminal,
    ) as running:
        os.close(terminal)
        seen = b""
        while not (b"single-task models" in seen and b"\x1b[" in seen):
            seen += os.read(master, 1000)
        os.close(master)
        out, _ = running.communicate(timeout=120)
    assert running.returncode == 0
    assert b"Each task alone" in out
    assert b"\x1b[" in seen


def test_a_reader_of_stderr_that_goes_away_ends_the_command(workspace):
    reader, writer = os.pipe()
    os.close(reader)
    line = [sys.executable, "-m", "synergy", "show", "--workspace", "/nowhere"]
    done = subprocess.run(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=writer, check=False)
    os.close(writer)
    assert (done.returncode, done.stdout) == (READER_GONE, b"")
