"""Executors: one contract for all, and what only processes can suffer."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from executor_contract import (
    PATIENCE_S,
    Contract,
    ContractOfWorkers,
    act,
    alive,
    double,
    read_until_busy,
    run,
    wait_until,
)

from synergy.errors import ConfigError, SynergyError
from synergy.executors import EXECUTORS, Ended, Job, ProcessExecutor, Resources
from synergy.executors.base import Report


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No test leaves a process, a file descriptor or a changed environment behind."""
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # lives as long as this process
    environment = dict(os.environ)
    handler = signal.getsignal(signal.SIGINT)
    descriptors = open_descriptors()
    yield
    assert multiprocessing.active_children() == []
    assert open_descriptors() == descriptors
    environment["PYTEST_CURRENT_TEST"] = os.environ["PYTEST_CURRENT_TEST"]
    assert dict(os.environ) == environment
    assert signal.getsignal(signal.SIGINT) is handler


def open_descriptors() -> int:
    folder = Path("/dev/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


# -- the contract -------------------------------------------------------------------------


class TestProcess(ContractOfWorkers):
    name = "process"


class TestSerial(Contract):
    name = "serial"


def test_serial_lets_an_interrupt_through() -> None:
    def interrupt(payload: Any, report: Report) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(EXECUTORS["serial"](Resources()).run(interrupt, [Job("a", 1)], lambda *_: None))


# -- processes ----------------------------------------------------------------------------


def processes(workers: int, *payloads: Any, work: Any = act) -> dict[str, Ended]:
    """What a pool that is closed afterwards makes of some payloads."""
    with closing(ProcessExecutor(workers)) as executor:
        return run(executor, *payloads, work=work)


def outcomes_of(workers: int, jobs: list[Job], on_report: Any) -> Iterator[Ended]:
    with closing(ProcessExecutor(workers)) as executor:
        yield from executor.run(act, jobs, on_report)


def test_default_is_one_worker_for_each_core() -> None:
    assert 1 <= ProcessExecutor().workers <= (os.cpu_count() or 1)


@pytest.mark.parametrize("workers", [0, -1])
def test_no_workers(workers: int) -> None:
    with pytest.raises(ConfigError, match=f"at least 1, found {workers}"):
        ProcessExecutor(workers)


def test_workers_persist_and_have_one_thread() -> None:
    outcomes = processes(1, ("pid", None), ("environment", None), ("threads", None), ("pid", None))
    assert outcomes["0"].value == outcomes["3"].value != os.getpid()
    assert outcomes["1"].value == ("1", "1")
    assert outcomes["2"].value == 1  # the environment of this process: see `nothing_left`


def test_jobs_run_at_the_same_time_and_outcomes_come_as_they_finish(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    order = []
    jobs = [Job("slow", ("wait for file", gate)), Job("quick", ("return", 1))]
    for outcome in outcomes_of(2, jobs, lambda *_: None):
        order.append(outcome.key)
        gate.touch()
    assert order == ["quick", "slow"]


@pytest.mark.parametrize(
    ("death", "error"),
    [
        (("kill", None), "was ended by SIGKILL (killed by hand or out of memory)"),
        (("os exit", 3), "ended with exit code 3"),
    ],
)
def test_a_worker_that_dies_is_told_with_the_cause(death: Any, error: str) -> None:
    outcomes = processes(1, ("return", 0), death, ("return", 2), death, ("return", 4))
    assert [outcomes[key].value for key in "024"] == [0, 2, 4]
    for key in "13":
        assert outcomes[key].error == f"the worker process {error} before the job was finished"


def test_a_worker_killed_from_outside(tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    def kill(key: str, message: tuple[str, int]) -> None:
        if key == "victim":
            os.kill(message[1], signal.SIGKILL)

    jobs = [
        Job("other", ("wait for file", gate)),
        Job("victim", ("wait for file", tmp_path / "never")),
        Job("next", ("return", 1)),
    ]
    outcomes = {}
    for outcome in outcomes_of(2, jobs, kill):
        outcomes[outcome.key] = outcome
        if len(outcomes) == 2:
            gate.touch()
    assert outcomes["other"] == Ended("other", gate)
    assert "SIGKILL" in (outcomes["victim"].error or "")
    assert outcomes["next"] == Ended("next", 1)


def test_workers_live_until_the_executor_is_closed() -> None:
    with closing(ProcessExecutor(1)) as executor:
        first, again = (run(executor, ("pid", None))["0"].value for _ in range(2))
        assert first == again
        assert executor.alive == 1
        other = run(executor, 3, work=double)["0"].value
        assert (other, executor.alive) == (6, 1)  # the same worker with other work
        assert run(executor, ("pid", None))["0"].value == first
    assert executor.alive == 0


def test_a_worker_that_died_between_two_runs_fails_no_job() -> None:
    with closing(ProcessExecutor(1)) as executor:
        first = run(executor, ("pid", None))["0"].value
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: not alive(first))
        again = run(executor, ("pid", None))["0"]
        assert again.error is None
        assert again.value != first


def test_a_run_that_is_given_up_leaves_no_worker(tmp_path: Path) -> None:
    jobs = [Job("a", ("return", 1)), Job("b", ("wait for file", tmp_path / "never"))]
    with closing(ProcessExecutor(2)) as executor:
        with closing(executor.run(act, jobs, lambda *_: None)) as outcomes:
            assert next(outcomes).key == "a"
        assert executor.alive == 0
        assert run(executor, ("return", 2))["0"].value == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_dead_worker_is_noticed_though_its_pipe_is_still_open(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    began = time.monotonic()
    outcomes = processes(1, ("fork and die", gate), ("return", 1))
    gate.touch()
    assert time.monotonic() - began < PATIENCE_S / 2
    assert "exit code 7" in (outcomes["0"].error or "")
    assert outcomes["1"].value == 1


def test_what_cannot_be_pickled_is_refused_before_anything_starts() -> None:
    with pytest.raises(SynergyError, match=r"job 1: expected .* can be pickled"):
        processes(1, 1, threading.Lock())
    with pytest.raises(SynergyError, match="top level of a module"):
        processes(1, 1, work=lambda p, r: p)


def test_works_from_a_thread() -> None:
    outcomes: dict[str, Ended] = {}
    thread = threading.Thread(target=lambda: outcomes.update(processes(1, ("return", 1))))
    thread.start()
    thread.join(PATIENCE_S)
    assert outcomes == {"0": Ended("0", 1)}


# -- whole programs, interrupted and killed -----------------------------------------------

PROGRAM = """
import os, sys
from synergy.executors import Job, ProcessExecutor
from executor_contract import act

def say(*words):
    print(*words, flush=True)

say("program")
jobs = [Job("a", ("return", 1)), Job("b", ("return", 2))]
jobs += [Job(key, ("wait for file", "never")) for key in "cdef"]
try:
    for outcome in ProcessExecutor(2).run(act, jobs, lambda key, report: say("start", key)):
        say("done", outcome.key, outcome.value)
except KeyboardInterrupt:
    say("interrupted")
    sys.exit(130)
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A program, without a guard, in which two jobs are done and two run for ever."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    paths = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
    with subprocess.Popen(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def test_ctrl_c_ends_the_workers_and_keeps_what_is_done(program: subprocess.Popen[str]) -> None:
    lines = read_until_busy(program)
    os.killpg(program.pid, signal.SIGINT)  # as the terminal does: workers get it too
    # The workers hold stdout as well: it ends when the last one has gone.
    output, complaints = program.communicate(timeout=PATIENCE_S)
    assert program.returncode == 130
    assert output.splitlines() == ["interrupted"]
    assert complaints == ""
    assert lines.count("program") == 1  # no worker ran the script again


def test_ctrl_c_while_workers_start(program: subprocess.Popen[str]) -> None:
    assert program.stdout is not None
    assert program.stdout.readline() == "program\n"
    os.killpg(program.pid, signal.SIGINT)
    output, complaints = program.communicate(timeout=PATIENCE_S)
    assert complaints == "" or "KeyboardInterrupt" in complaints.splitlines()[-1]
    assert program.returncode in (130, -signal.SIGINT)
    assert "start c" not in output


def test_workers_end_when_their_parent_is_killed(program: subprocess.Popen[str]) -> None:
    read_until_busy(program)
    program.kill()
    began = time.monotonic()
    _, complaints = program.communicate(timeout=PATIENCE_S)
    assert time.monotonic() - began < PATIENCE_S / 2
    assert (program.returncode, complaints) == (-signal.SIGKILL, "")


def test_a_script_that_defines_the_work_needs_the_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from synergy.errors import SynergyError\n"
        "from synergy.executors import Job, ProcessExecutor\n"
        "def work(payload, report):\n    return payload\n"
        "def main():\n"
        "    return list(ProcessExecutor(1).run(work, [Job('a', 1)], print))\n"
        "import sys\n"
        "if sys.argv[1] == 'guarded':\n"
        "    if __name__ == '__main__':\n        print(main())\n"
        "else:\n"
        "    try:\n        main()\n"
        "    except SynergyError as error:\n        print(error)\n"
    )

    def output(kind: str) -> str:
        return subprocess.run(
            [sys.executable, str(script), kind],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        ).stdout

    assert output("guarded").strip() == str([Ended("a", 1)])
    assert 'needs the guard if __name__ == "__main__":' in output("bare")
