"""Spawned worker processes that take jobs over pipes, one torch thread each."""

from __future__ import annotations

import math
import multiprocessing
import pickle
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import ModuleType
from typing import Any

from synergy.errors import ConfigError, SynergyError
from synergy.executors.base import Job, Outcome, Work, core_count
from synergy.executors.worker import serve

GRACE_S = 5.0
"""How long a worker may take to end by itself before it is killed."""


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
    ahead : float
        A job starts only when every job that stands this many places before it, or more, has
        ended; at least 1. By default none waits for another one.

    Raises
    ------
    ConfigError
        If ``workers`` is below 1.
    """

    def __init__(self, workers: int | None = None, ahead: float = math.inf) -> None:
        if workers is not None and workers < 1:
            raise ConfigError(f"workers: expected at least 1, found {workers}")
        self.workers = workers or core_count()
        self.ahead = ahead

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
        return self._run(deque(enumerate([_packed(work, job) for job in jobs])), on_report)

    def _run(
        self, waiting: deque[tuple[int, Job]], on_report: Callable[[str, Any], None]
    ) -> Generator[Outcome, None, None]:
        with_main = any(b"__main__" in job.payload for _, job in waiting)
        crew: list[_Worker] = []
        leaving: list[_Worker] = []

        def may_start() -> bool:
            first = min((worker.place for worker in crew), default=math.inf)
            return bool(waiting) and waiting[0][0] < first + self.ahead

        def deal() -> None:
            for worker in [w for w in crew if w.place == math.inf]:
                if may_start():
                    worker.give(*waiting.popleft())
                else:
                    leaving.append(worker)
                    crew.remove(worker)
                    worker.connection.close()
            while may_start() and len(crew) < self.workers:
                resource_tracker.ensure_running()  # its own start would let interrupts in
                with _interrupts_held():  # none must fall between start and bookkeeping
                    crew.append(_start(with_main))
                crew[-1].give(*waiting.popleft())

        try:
            deal()
            while crew:
                wait([worker.connection for worker in crew], timeout=1.0)
                for worker in list(crew):
                    message = worker.hear()
                    if isinstance(message, tuple):
                        for content in message:
                            on_report(worker.key, content)
                        continue
                    if message is None:
                        crew.remove(worker)
                        message = worker.obituary()
                    worker.place = math.inf
                    deal()  # before the outcome is yielded: no worker waits for the caller
                    yield message
        finally:
            with _interrupts_held():
                _end(crew, grace_s=0.0)
                _end(leaving, grace_s=GRACE_S)


@dataclass(slots=True, eq=False)
class _Worker:
    process: SpawnProcess
    connection: Connection
    key: str = ""
    place: float = math.inf
    """Of its job among all; infinite when it has none."""
    started: bool = False

    def give(self, place: int, job: Job) -> None:
        self.place, self.key = place, job.key
        with suppress(OSError):  # it died in the meantime: `hear` finds out
            self.connection.send_bytes(pickle.dumps(job))

    def hear(self) -> tuple[Any, ...] | Outcome | None:
        """Reports, an outcome, or None when the worker is dead and left nothing unread."""
        with suppress(EOFError, OSError):
            if self.connection.poll():
                message = pickle.loads(self.connection.recv_bytes())
                self.started = True
                return message
            # Its end of the pipe may outlive it in a process that the job forked.
            if self.process.is_alive() or self.connection.poll():
                return ()
        return None

    def obituary(self) -> Outcome:
        self.process.join(GRACE_S)
        code = self.process.exitcode
        _end([self], grace_s=0.0)
        if code is None:
            how = "closed its pipe"
        elif code < 0:
            names = {s.value: s.name for s in signal.Signals}
            how = f"was ended by {names.get(-code, f'signal {-code}')}"
            how += " (killed by hand or out of memory)" if how.endswith("SIGKILL") else ""
        elif not self.started:  # no fault of the job: the next worker would fare the same
            raise SynergyError(
                f"the worker processes cannot start (exit code {code}, its message stands above); "
                "a script that defines the work itself needs the guard "
                'if __name__ == "__main__":'
            )
        else:
            how = f"ended with exit code {code}"
        return Outcome(self.key, error=f"the worker process {how} before the job was finished")


def _packed(work: Work, job: Job) -> Job:
    try:
        return Job(job.key, pickle.dumps((work, job.payload)))
    except Exception as error:
        raise SynergyError(
            f"job {job.key}: expected a work function at the top level of a module and a payload "
            f"that can be pickled, found {error}; use the serial executor or change them"
        ) from error


def _start(with_main: bool) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), name="synergy-worker", daemon=True)
    try:
        with _main_module_hidden(not with_main):
            process.start()
    except OSError as error:
        ours.close()
        raise SynergyError(
            f"a worker process cannot be started: {error}; use fewer workers"
        ) from error
    finally:
        theirs.close()
    return _Worker(process, ours)


def _end(workers: Sequence[_Worker], grace_s: float) -> None:
    """End and reap processes: by themselves, then SIGTERM, then SIGKILL."""
    for patience_s, stop in ((grace_s, SpawnProcess.terminate), (GRACE_S, SpawnProcess.kill)):
        deadline = time.monotonic() + patience_s
        for worker in workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
        for worker in workers:
            stop(worker.process)
    for worker in workers:
        worker.process.join()
        worker.process.close()
        worker.connection.close()


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
def _interrupts_held() -> Iterator[None]:
    """An interrupt that comes inside takes effect at the end.

    A process started inside is deaf to SIGINT until it can ignore it for good: it inherits the
    mask. The handler is for interrupts that another thread of this process takes.
    """
    in_main = threading.current_thread() is threading.main_thread()
    can_block = hasattr(signal, "pthread_sigmask")
    came: list[int] = []
    handler = in_main and signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    mask = can_block and signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if can_block:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask or ())
        if in_main:
            signal.signal(signal.SIGINT, handler or signal.SIG_DFL)
            if came:
                signal.raise_signal(signal.SIGINT)
