"""SIGINT and SIGTERM in a row, at any moment: an exit code and a sentence, never a traceback.

``make kill-test`` throws 60 pairs of signals at commands; the suite a few.
"""

from __future__ import annotations

import importlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_corpora import write_tone_project

from synergy.cli.ending import INTERRUPTED, KEPT, TERMINATED
from synergy.cli.signals import Signals, Terminated, raise_if_interrupted

ROOT = Path(__file__).resolve().parents[1]
STORMS = int(os.environ.get("SYNERGY_STORMS", "6"))
PATIENCE_S = 60.0
OF = {signal.SIGINT: (INTERRUPTED, "interrupted"), signal.SIGTERM: (TERMINATED, "terminated")}

needs_proc = pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs /proc")


# -- storms ---------------------------------------------------------------------------------------


def has_begun(process: subprocess.Popen[str]) -> bool:
    """Whether the command line has taken SIGTERM over, the first thing that it does."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def commands(folder: Path) -> list[tuple[list[str], float]]:
    """Commands and the seconds in which a signal should come."""
    (folder / "begun" / "trials").mkdir(parents=True)
    config = write_tone_project(folder / "project")
    trains = ["baseline", "--config", str(config), "--workspace", str(folder / "ws")]
    return [
        (["show", "--workspace", str(folder / "begun")], 0.6),
        (["--help"], 0.4),
        ([*trains, "--workers", "2"], 8.0),
        ([*trains, "--executor", "serial"], 6.0),
    ]


@needs_proc
def test_two_signals_in_a_row_end_a_command_as_documented(tmp_path):
    """What ends normally was done before the signal came, or has nothing left to be ended."""
    draw = random.Random(0)
    todo = commands(tmp_path)
    for number in range(STORMS):
        command, lasts_s = todo[number % len(todo)]
        pair = draw.choices((signal.SIGINT, signal.SIGTERM), k=2)
        delay_s, gap_s = draw.uniform(0, lasts_s), draw.choice((0.0, draw.uniform(0, 0.05)))
        send = draw.choice((os.kill, os.killpg))
        process = subprocess.Popen(
            [sys.executable, "-m", "synergy", *command],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        while not has_begun(process):
            time.sleep(0.001)
        try:
            process.wait(delay_s)
        except subprocess.TimeoutExpired:
            send(process.pid, pair[0])
            time.sleep(gap_s)
            if process.poll() is None:
                send(process.pid, pair[1])
        _, err = process.communicate(timeout=PATIENCE_S)
        storm = f"{command[0]} {pair} after {delay_s:.3f} s and {gap_s:.3f} s: {err}"
        words = {0: "", **{OF[number][0]: OF[number][1] for number in pair}}
        assert process.returncode in words, storm
        assert "Traceback" not in err and "Error" not in err and "ignored" not in err, storm
        if process.returncode:
            assert err.splitlines()[-1] == f"{words[process.returncode]}; {KEPT}", storm
        wait_for_the_end(process.pid)


def wait_for_the_end(session: int) -> None:
    """Until no worker is left."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    pytest.fail("a worker outlived the command")


# -- one after the other ----------------------------------------------------------------------


@pytest.fixture
def signals() -> Iterator[Signals]:
    """Signals taken over for a test."""
    frame = sys._getframe()
    taken = Signals(frame)
    taken.begin()
    yield taken
    taken.end()
    taken.leave(for_good=False)


@pytest.fixture(autouse=True)
def handlers_are_given_back() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    assert [signal.getsignal(number) for number in numbers] == before


def import_and_wait(name: str) -> None:
    importlib.import_module(name)
    wait_in_vain()


def drop_and_wait(things: list[object]) -> None:
    things.clear()
    wait_in_vain()


def wait_in_vain() -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        time.sleep(0.001)


def test_the_first_signal_raises_and_decides_and_the_second_does_nothing(signals):
    with pytest.raises(Terminated):
        signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(Terminated):
        raise_if_interrupted()


def test_nothing_is_raised_after_the_end(signals):
    signals.end()
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        raise_if_interrupted()


def test_a_signal_inside_an_import_waits_for_the_end_of_it(signals, tmp_path, monkeypatch):
    (tmp_path / "imports_slowly.py").write_text(
        "import signal\nsignal.raise_signal(signal.SIGINT)\nDONE = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        import_and_wait("imports_slowly")
    assert sys.modules.pop("imports_slowly").DONE


class Dying:
    """An object in whose end the signal comes, where Python drops what is raised."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def test_what_python_drops_is_raised_again(signals):
    with pytest.raises(KeyboardInterrupt):
        drop_and_wait([Dying()])


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        signals = Signals(sys._getframe())
        signals.begin()
        signal.raise_signal(signal.SIGINT)
        raise_if_interrupted()
        signals.end()
        signals.leave(for_good=False)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


# Says what is raised, goes on all the same, and ends only when it is killed.
DEAF = """
import sys, time
from synergy.cli.signals import Signals
Signals(sys._getframe()).begin()
try:
    print("begun", flush=True)
    time.sleep(60)
except KeyboardInterrupt as error:
    print(type(error).__name__, flush=True)
time.sleep(60)
"""


def test_the_third_signal_kills_what_does_not_listen():
    with subprocess.Popen(
        [sys.executable, "-c", DEAF], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "begun\n"
        running.send_signal(signal.SIGINT)
        assert running.stdout.readline() == "KeyboardInterrupt\n"
        # handled one by one: signals that wait are taken together
        for _ in range(2):
            time.sleep(0.1)
            assert running.poll() is None
            running.send_signal(signal.SIGTERM)
        assert running.wait(PATIENCE_S) == -signal.SIGTERM
        assert running.stdout.read() == ""
