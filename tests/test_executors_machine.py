"""Executors on a machine that lacks something: the work ends with the cause, all of it."""

from __future__ import annotations

import errno
import logging
import os
import resource
import signal
from contextlib import closing

import pytest

from synergy.executors import Ended, Job, ProcessExecutor, Report
from synergy.executors.interrupts import interrupts_held
from synergy.machine import MachineError


def fail(what: str, report: Report) -> str:
    """Fail as the machine makes a job fail."""
    report(what)
    match what:
        case "disk":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "trials/x")
        case "memory":
            raise MemoryError
        case "thread":
            raise RuntimeError("can't start new thread")
        case "note":
            logging.getLogger("synergy.anything").warning("noted before")
    return what


def run(*jobs: Job) -> list[Ended]:
    """What one worker makes of some jobs."""
    with closing(ProcessExecutor(1)) as executor:
        return list(executor.run(fail, jobs, lambda *_: None))


def test_too_few_descriptors_for_a_worker_are_named() -> None:
    free = os.dup(0)
    os.close(free)
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 2, most))
    try:
        with pytest.raises(MachineError, match="cannot be started: this process has too many"):
            run(Job("a", "fine"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


def test_a_worker_notes_nothing_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    (ended,) = run(Job("a", "note"))
    assert ended.value == "note"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGALRM])
def test_a_signal_between_start_and_bookkeeping_comes_afterwards(number: int) -> None:
    came: list[int] = []
    before = signal.signal(number, lambda number, _: came.append(number))
    try:
        with interrupts_held():
            os.kill(os.getpid(), number)
            assert came == []
        assert came == [number]
    finally:
        signal.signal(number, before)
