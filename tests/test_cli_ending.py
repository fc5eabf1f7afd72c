"""How commands begin and end: help, wrong use, signals, closed pipes, bugs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from small_cli import Ran, synergy
from small_corpora import write_tone_project

import synergy as package
from synergy.cli.ending import BUG, INTERRUPTED, READER_GONE, TERMINATED
from synergy.tree import SharingTree

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of a few steps beside its corpus."""
    return write_tone_project(tmp_path_factory.mktemp("tones"))


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace that has just begun."""
    (tmp_path / "ws" / "trials").mkdir(parents=True)
    return tmp_path / "ws"


def process(*arguments: object, **options) -> subprocess.Popen[str]:
    """The command line in a process and a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "synergy", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


# -- help ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["pairwise", "--help"], ["data", "check", "--help"]]
)
def test_help_imports_nothing_heavy(arguments):
    heavy = {"torch", "torchaudio", "torchmetrics", "pandas", "numpy", "networkx"}
    program = (
        "import sys\n"
        "from synergy.cli import main\n"
        f"assert main({arguments!r}) == 0\n"
        f"print(*sorted({heavy | {'rich', 'yaml'}!r} & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.split()) == (0, [])
    assert done.stdout


def test_version():
    assert synergy("--version") == Ran(0, f"synergy {package.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["pairwis"], "No such command 'pairwis'. Did you mean 'pairwise'?"),
        (["pairwise", "--sed", "3"], "No such option: --sed (Possible options: --seed, --seeds"),
        (["predict"], "Missing argument"),
        (["show", "9" * 400], "unexpected extra argument(s) (" + "9" * 59 + "…)"),
    ],
)
def test_wrong_use(arguments, sentence):
    ran = synergy(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert sentence in ran.err
    assert ran.err.splitlines()[-1].endswith("--help")


def test_without_a_command_there_is_help():
    ran = synergy()
    assert ran.code == 2
    assert "pairwise" in ran.err


def test_public_names_are_there():
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert package.SharingTree is SharingTree
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="SharingTee"):
        _ = package.SharingTee


# -- how commands end -------------------------------------------------------------------------


def long_config(config: Path) -> Path:
    """The same project, with trainings that nobody waits for."""
    file = config.with_name("long.yaml")
    endless = "epochs: 1000, steps_per_epoch: 1000"
    file.write_text(config.read_text().replace("epochs: 2, steps_per_epoch: 4", endless))
    return file


@pytest.mark.parametrize(
    ("executor", "number", "code", "word"),
    [
        ("process", signal.SIGINT, INTERRUPTED, "interrupted"),
        ("process", signal.SIGTERM, TERMINATED, "terminated"),
        ("serial", signal.SIGINT, INTERRUPTED, "interrupted"),
    ],
)
def test_a_signal_ends_the_command_and_its_workers(config, tmp_path, executor, number, code, word):
    arguments = ("--config", long_config(config), "--workspace", tmp_path / "ws")
    with process("baseline", *arguments, "--workers", 1, "--executor", executor) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith("single-task models: 3 trainings"):
                break
        time.sleep(0.3)
        running.send_signal(number)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (code, "")
    kept = "everything that was finished is kept; run the same command again to go on"
    assert err.splitlines()[-1] == f"{word}; {kept}"
    assert "Traceback" not in err
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:  # the session is empty when no worker is left
        try:
            os.killpg(running.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("a worker outlived the command")


def test_a_reader_that_goes_away_is_no_error(workspace):
    with process("show", "--workspace", workspace) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        err = running.stderr.read()
    assert (running.returncode, err) == (READER_GONE, "")


def test_an_unexpected_exception_is_one_sentence_and_a_file(config, workspace, monkeypatch):
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by zero\nand more")

    monkeypatch.setattr("synergy.stages.baseline.baseline", broken)
    ran = synergy("baseline", "--config", config, "--workspace", workspace)
    assert (ran.code, ran.out) == (BUG, "")
    last = ran.err.splitlines()[-1]
    assert last.startswith("error: this is a bug in synergy (ZeroDivisionError: by zero);")
    assert "Traceback" not in ran.err
    file = Path(last.rpartition(" ")[2])
    assert file.parent == workspace
    assert "in broken" in file.read_text()


def test_no_temporary_folder_is_needed(workspace, monkeypatch):
    def nowhere(*_: object, **__: object) -> None:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", nowhere)
    assert synergy("--version").code == 0
    monkeypatch.setattr("tempfile.mkstemp", nowhere)
    monkeypatch.setattr("synergy.stages.show.show", lambda _: 1 / 0)
    ran = synergy("show", "--workspace", workspace)
    assert ran.code == 70
    assert "ZeroDivisionError" in ran.err
    assert "could not be written" in ran.err


def test_a_full_disk_is_no_bug(config, workspace, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "trials/x")

    monkeypatch.setattr("synergy.stages.baseline.baseline", full)
    ran = synergy("baseline", "--config", config, "--workspace", workspace)
    assert ran.code == 2
    assert "error: trials/x: no space is left on that device; free some space there" in ran.err


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED)]
)
def test_a_swallowed_interrupt_is_raised_again(config, workspace, monkeypatch, number, code):
    def deaf(session, *_: object) -> None:
        with suppress(KeyboardInterrupt):  # as extension modules do while they are imported
            signal.raise_signal(number)
        session.progress.training("gc", {"step": 1, "steps": 2, "clips_per_s": 1.0})

    monkeypatch.setattr("synergy.stages.baseline.baseline", deaf)
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    assert synergy("baseline", "--config", config, "--workspace", workspace).code == code
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before


def test_the_signal_that_came_decides_and_not_what_a_library_made_of_it(monkeypatch):
    from synergy.cli import ending, signals

    monkeypatch.setattr(signals, "_came", [signal.SIGTERM])
    assert ending.interrupted(KeyboardInterrupt()) == TERMINATED
    monkeypatch.setattr(signals, "_came", [])
    assert ending.interrupted(KeyboardInterrupt()) == INTERRUPTED
