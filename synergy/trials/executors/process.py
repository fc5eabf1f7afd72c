"""Spawned worker processes that take jobs over pipes, one torch thread each."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import ModuleType
from typing import Any

from synergy.errors import ConfigError, SynergyError
from synergy.trials.executors.base import Job, Outcome, Work
from synergy.trials.executors.worker import serve

GRACE_S = 5.0
"""How long a worker may take to end by itself before it is killed."""

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class ProcessExecutor:
    """Runs jobs in spawned processes that live until there is nothing left to do.

    A worker that dies fails the job that it had; a fresh one takes its place. Workers ignore
    Ctrl-C and are ended by this process; when this process is killed, they end by themselves.
    A job cannot start multiprocessing children of its own.

    The module ``__main__`` is not imported by the workers, so a script without the guard
    ``if __name__ == "__main__":`` works, unless the work function or a payload is defined in
    the script itself: then the guard is needed.

    Parameters
    ----------
    workers : int, optional
        Number of processes, at least 1; by default one for each core that this process may use.

    Raises
    ------
    ConfigError
        If ``workers`` is below 1.
    """

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise ConfigError(f"workers: expected at least 1, found {workers}")
        self.workers = workers or _core_count()

    def run(
        self, work: Work, jobs: Iterable[Job], on_report: Callable[[str, Any], None]
    ) -> Generator[Outcome, None, None]:
        """Yield outcomes as they finish; see `Executor.run`.

        All jobs are pickled before the first one starts.

        Raises
        ------
        SynergyError
            If the work function or a payload cannot be pickled, or no worker can start.
        """
        return self._run(deque(_packed(work, job) for job in jobs), on_report)

    def _run(
        self, waiting: deque[tuple[str, bytes]], on_report: Callable[[str, Any], None]
    ) -> Generator[Outcome, None, None]:
        with_main = any(b"__main__" in packed for _, packed in waiting)
        crew: dict[Connection, _Worker] = {}
        leaving: list[_Worker] = []

        def hire() -> None:
            with _interrupts_held():  # an interrupt must not fall between start and bookkeeping
                worker = _start(with_main)
                crew[worker.connection] = worker
            worker.give(*waiting.popleft())

        try:
            for _ in range(min(self.workers, len(waiting))):
                hire()
            while crew:
                for worker in _with_news(list(crew.values())):
                    message = worker.hear()
                    if isinstance(message, tuple):
                        for content in message:
                            on_report(worker.key, content)
                        continue
                    # The next job starts before the outcome is yielded: no worker waits for
                    # what the caller does with it.
                    if message is None:
                        del crew[worker.connection]
                        message = worker.obituary()
                        if waiting:
                            hire()
                    elif waiting:
                        worker.give(*waiting.popleft())
                    else:
                        del crew[worker.connection]
                        leaving.append(worker)
                        worker.connection.close()
                    yield message
        finally:
            with _interrupts_held():
                _end(list(crew.values()), grace_s=0.0)
                _end(leaving, grace_s=GRACE_S)


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    connection: Connection
    key: str = ""
    started: bool = False

    def give(self, key: str, packed: bytes) -> None:
        self.key = key
        with suppress(OSError):  # it died in the meantime: `hear` finds out
            self.connection.send_bytes(pickle.dumps((key, packed)))

    def hear(self) -> tuple[Any, ...] | Outcome | None:
        """Reports, an outcome, or None when the worker is dead."""
        try:
            if not self.connection.poll():
                return None
            message = pickle.loads(self.connection.recv_bytes())
        except (EOFError, OSError):
            return None
        self.started = True
        return message

    def is_dead(self) -> bool:
        """Whether it ended and left nothing unread.

        Its end of the pipe may outlive it in a process that the job forked.
        """
        return not self.process.is_alive() and not self.connection.poll()

    def obituary(self) -> Outcome:
        self.process.join(GRACE_S)
        code = self.process.exitcode
        _end([self], grace_s=0.0)
        if code is None:
            how = "closed its pipe"
        elif code < 0:
            how = f"was ended by {_signal_name(-code)}"
            if -code == getattr(signal, "SIGKILL", None):
                how += " (killed by hand or out of memory)"
        elif not self.started:  # no fault of the job: the next worker would fare the same
            raise SynergyError(
                f"the worker processes cannot start (exit code {code}, its message stands above); "
                "a script that defines the work itself needs the guard "
                'if __name__ == "__main__":'
            )
        else:
            how = f"ended with exit code {code}"
        return Outcome(self.key, error=f"the worker process {how} before the job was finished")


def _packed(work: Work, job: Job) -> tuple[str, bytes]:
    try:
        return job.key, pickle.dumps((work, job.payload))
    except Exception as error:
        raise SynergyError(
            f"job {job.key}: expected a work function at the top level of a module and a payload "
            f"that can be pickled, found {error}; use the serial executor or change them"
        ) from error


def _with_news(workers: list[_Worker]) -> list[_Worker]:
    """Workers that sent something or died; may be none after a second."""
    ready = set(wait([worker.connection for worker in workers], timeout=1.0))
    return [w for w in workers if w.connection in ready or w.is_dead()]


def _start(with_main: bool) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), name="synergy-worker", daemon=True)
    try:
        with _environment(_ONE_THREAD), _main_module_hidden(not with_main), _interrupts_blocked():
            process.start()
    except OSError as error:
        ours.close()
        raise SynergyError(
            f"a worker process cannot be started: {error}; use fewer workers"
        ) from error
    finally:
        theirs.close()
    return _Worker(process, ours)


def _end(workers: list[_Worker], grace_s: float) -> None:
    """End and reap processes: by themselves, then SIGTERM, then SIGKILL."""
    _join(workers, grace_s)
    for worker in workers:
        worker.process.terminate()
    _join(workers, GRACE_S)
    for worker in workers:
        worker.process.kill()
        worker.process.join()
        worker.process.close()
        worker.connection.close()


def _join(workers: list[_Worker], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))


def _core_count() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Variables that a process started inside finds; torch reads them once, on import."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _main_module_hidden(hide: bool) -> Iterator[None]:
    """A process spawned inside does not import the caller's script."""
    main = sys.modules["__main__"]
    if hide:
        sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """A process started inside is deaf to SIGINT until it can ignore it for good."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # its own start would lift the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """An interrupt that comes inside takes effect at the end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
        if came:
            signal.raise_signal(signal.SIGINT)
