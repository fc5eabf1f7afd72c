"""What every executor has to keep, with work at the top level so that workers can import it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from synergy.errors import DataError, SynergyError
from synergy.executors import EXECUTORS, Ended, Executor, Job, Report, Resources
from synergy.machine import MachineError

PATIENCE_S = 60.0


# -- work, at the top level so that workers can import it ---------------------------------


def double(payload: int, report: Report) -> int:
    report(f"doubling {payload}")
    report({"half": payload})
    return 2 * payload


def add(common: bytes, payload: int, report: Report) -> int:
    return len(common) + payload


def act(payload: tuple[str, Any], report: Report) -> Any:
    """Do what the payload says."""
    what, argument = payload
    report(("pid", os.getpid()))
    match what:
        case "return":
            return argument
        case "data error":
            raise DataError(argument)
        case "value error":
            raise ValueError(argument)
        case "exit":
            sys.exit(argument)
        case "os exit":
            os._exit(argument)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "wait for file":
            wait_until(Path(argument).exists)
            return argument
        case "fork and die":  # the child keeps the pipe of the worker open
            if os.fork() == 0:
                try:
                    wait_until(Path(argument).exists)
                finally:
                    os._exit(0)
            os._exit(7)
        case "disk":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "trials/x")
        case "memory":
            raise MemoryError
        case "unpicklable":
            return lambda: None
        case "environment":
            return os.environ.get("OMP_NUM_THREADS"), os.environ.get("MKL_NUM_THREADS")
        case "threads":
            import torch

            return torch.get_num_threads()
        case "pid":
            return os.getpid()
        case "main":
            return getattr(sys.modules["__main__"], "__file__", None)
    raise AssertionError(what)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def read_until_busy(process: subprocess.Popen[str]) -> list[str]:
    """Lines of a program in which two jobs are done and two run for ever."""
    assert process.stdout is not None
    lines: list[str] = []
    while not {"start c", "start d", "done a 1", "done b 2"} <= set(lines):
        line = process.stdout.readline()
        assert line, f"ended early: {lines}, {process.stderr and process.stderr.read()}"
        lines.append(line.strip())
    return lines


def run(executor: Executor, *payloads: Any, work: Any = act) -> dict[str, Ended]:
    jobs = [Job(str(i), payload) for i, payload in enumerate(payloads)]
    outcomes = list(executor.run(work, jobs, lambda key, message: None))
    assert len({outcome.key for outcome in outcomes}) == len(outcomes)
    return {outcome.key: outcome for outcome in outcomes}


# -- the contract -------------------------------------------------------------------------


class Contract:
    """Tests of one executor; a subclass names it."""

    name: str

    @pytest.fixture
    def executor(self) -> Iterator[Executor]:
        with closing(EXECUTORS[self.name](Resources(1))) as executor:
            yield executor

    def test_outcomes_and_reports_in_the_given_order(self, executor: Executor) -> None:
        seen: list[tuple[str, Any]] = []
        jobs = [Job(f"job {n}", n) for n in (3, 1, 2)]
        outcomes = []
        for outcome in executor.run(double, jobs, lambda *report: seen.append(report)):
            assert seen[-1][0] == outcome.key  # reports come before the outcome
            outcomes.append(outcome)
        assert outcomes == [Ended("job 3", 6), Ended("job 1", 2), Ended("job 2", 4)]
        assert seen == [
            (f"job {n}", message) for n in (3, 1, 2) for message in (f"doubling {n}", {"half": n})
        ]

    def test_no_jobs(self, executor: Executor) -> None:
        assert run(executor) == {}

    def test_failures_do_not_touch_the_others(self, executor: Executor) -> None:
        outcomes = run(
            executor,
            ("data error", "clip a.wav: expected audio, found none"),
            ("value error", "one\nsecond line"),
            ("value error", ""),
            ("exit", 5),
            ("return", None),
            ("return", [1, "two"]),
        )
        assert [outcomes[str(i)].error for i in range(6)] == [
            "clip a.wav: expected audio, found none",
            "ValueError: one",
            "ValueError",
            "SystemExit: 5",
            None,
            None,
        ]
        assert "second line" in outcomes["1"].detail
        assert "in act" in outcomes["1"].detail
        assert outcomes["5"] == Ended("5", [1, "two"])

    def test_closing_early_starts_nothing_more(self, executor: Executor, tmp_path: Path) -> None:
        never = tmp_path / "never"
        jobs = [Job("a", ("return", 1)), *(Job(k, ("wait for file", never)) for k in "bcd")]
        with closing(executor.run(act, jobs, lambda *_: None)) as outcomes:
            assert next(outcomes) == Ended("a", 1)

    def test_an_error_of_the_caller_is_not_one_of_the_job(self, executor: Executor) -> None:
        def refuse(key: str, message: Any) -> None:
            raise RuntimeError("the display is gone")

        with pytest.raises(RuntimeError, match="the display is gone"):
            list(executor.run(double, [Job("a", 1), Job("b", 2)], refuse))

    def test_work_brings_along_what_its_jobs_have_in_common(self, executor: Executor) -> None:
        outcomes = run(executor, 1, 2, work=partial(add, bytes(300_000)))
        assert [outcomes[key].value for key in "01"] == [300_001, 300_002]

    @pytest.mark.parametrize(
        ("what", "sentence"),
        [
            ("disk", "trials/x: no space is left on that device; free some space there"),
            ("memory", "there is not enough memory; use fewer --workers"),
        ],
    )
    def test_a_job_that_the_machine_fails_ends_all(
        self, executor: Executor, what: str, sentence: str
    ) -> None:
        began: list[str] = []
        jobs = [Job("a", ("return", 1)), Job("b", (what, None)), Job("c", ("return", 3))]
        with closing(executor.run(act, jobs, lambda key, _: began.append(key))) as outcomes:
            assert next(outcomes).value == 1
            with pytest.raises(MachineError) as caught:
                next(outcomes)
        assert str(caught.value) == sentence
        assert began == ["a", "b"]


class ContractOfWorkers(Contract):
    """Of executors whose jobs run in other processes."""

    def test_few_jobs_start_ahead_of_one_that_takes_long(self, tmp_path: Path) -> None:
        gate, began = tmp_path / "gate", list[str]()
        jobs = [Job("0", ("wait for file", gate)), *(Job(str(n), ("return", n)) for n in (1, 2, 3))]
        with closing(EXECUTORS[self.name](Resources(2))) as executor:
            for ended in executor.run(act, jobs, lambda key, _: began.append(key), ahead=2):
                if ended.key == "1":
                    assert "2" not in began  # two places after the first, which goes on
                    gate.touch()
        assert sorted(began) == list("0123")

    def test_closing_early_ends_what_runs(self, executor: Executor, tmp_path: Path) -> None:
        pids: list[int] = []

        def stop(key: str, message: tuple[str, int]) -> None:
            pids.append(message[1])
            raise RuntimeError("enough")

        with pytest.raises(RuntimeError, match="enough"):
            list(executor.run(act, [Job("a", ("wait for file", tmp_path / "never"))], stop))
        wait_until(lambda: not alive(pids[0]))

    def test_a_worker_that_dies_fails_its_own_job_alone(self, executor: Executor) -> None:
        deaths = (("kill", None), ("os exit", 3))
        outcomes = run(executor, ("return", 0), deaths[0], ("return", 2), deaths[1], ("return", 4))
        assert [outcomes[key].value for key in "024"] == [0, 2, 4]
        for key in "13":
            assert "before the job was finished" in (outcomes[key].error or "")

    def test_a_result_that_cannot_be_pickled(self, executor: Executor) -> None:
        outcomes = run(executor, ("unpicklable", None), ("return", 1))
        assert "cannot be pickled" in (outcomes["0"].error or "")
        assert outcomes["1"].value == 1

    def test_what_cannot_be_pickled_is_refused(self, executor: Executor) -> None:
        with pytest.raises(SynergyError, match=r"job 1: expected .* can be pickled"):
            run(executor, 1, threading.Lock())

    def test_large_messages_both_ways(self, executor: Executor) -> None:
        block = bytes(3_000_000)
        outcomes = run(executor, ("return", block), ("return", block))
        assert [outcome.value == block for outcome in outcomes.values()] == [True, True]

    def test_one_thread(self, executor: Executor) -> None:
        outcomes = run(executor, ("environment", None), ("threads", None))
        assert [outcomes[key].value for key in "01"] == [("1", "1"), 1]
