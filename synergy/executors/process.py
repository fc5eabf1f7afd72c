"""Spawned worker processes that take jobs over pipes, one torch thread each."""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from types import ModuleType
from typing import Any

from synergy.errors import ConfigError, SynergyError
from synergy.executors.base import (
    Ended,
    Job,
    Report,
    Sharing,
    Work,
    attempt,
    core_count,
    failed,
    unless_by_machine,
)
from synergy.executors.interrupts import ENDING, interrupts_held
from synergy.executors.packing import (
    one_thread,
    packed_job,
    packed_message,
    packed_work,
)
from synergy.machine import MachineError, told

GRACE_S = 5.0
"""How long a worker may take to die after its pipe is closed."""


class ProcessExecutor:
    """Runs jobs in spawned processes that live until the executor is closed.

    A worker that dies fails the job that it had; a fresh one takes its place. Workers ignore
    Ctrl-C and are ended by this process; when this process is killed, they end by themselves. A
    run that does not come to its end ends all of them.
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

    shares: Sharing = "files"

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise ConfigError(f"workers: expected at least 1, found {workers}")
        self.workers = workers or core_count()
        self._idle: list[_Worker] = []
        self._busy: list[_Worker] = []

    @property
    def alive(self) -> int:
        """Workers that live at the moment."""
        return len(self._busy) + len(self._idle)

    def close(self) -> None:
        """End the workers."""
        with interrupts_held():
            while self._idle or self._busy:
                (self._idle or self._busy).pop().end()

    def run(
        self,
        work: Work,
        jobs: Iterable[Job],
        on_report: Callable[[str, Any], None],
        ahead: float = math.inf,
    ) -> Generator[Ended, None, None]:
        """Yield outcomes as they finish; see `Executor.run`.

        Work and jobs are pickled before the first one starts.

        Raises
        ------
        SynergyError
            If the work function or a payload cannot be pickled, or no worker can start.
        MachineError
            If a job failed by the machine.
        """
        packed = packed_work(work)
        waiting = deque(enumerate([packed_job(job) for job in jobs]))
        with_main = any(b"__main__" in data for data in (packed, *(j.payload for _, j in waiting)))
        busy = self._busy

        def deal() -> None:
            while waiting and len(busy) < self.workers:
                place, job = waiting[0]
                if place >= min((worker.place for worker in busy), default=place) + ahead:
                    return
                with _starting():
                    resource_tracker.ensure_running()  # its own start would let interrupts in
                    with interrupts_held():  # none must fall between start and bookkeeping
                        busy.append(self._free(with_main))
                waiting.popleft()
                busy[-1].give(place, job, packed)

        try:
            deal()
            while busy:
                wait([worker.connection for worker in busy], timeout=1.0)
                for worker in list(busy):
                    message = worker.hear()
                    if isinstance(message, tuple):
                        for content in message:
                            on_report(worker.key, content)
                        continue
                    with interrupts_held():  # or it would be in neither list
                        busy.remove(worker)
                        if message is not None:
                            self._idle.append(worker)
                    if message is None:
                        message = worker.obituary()
                    unless_by_machine(message)
                    deal()  # before the outcome is yielded: no worker waits for the caller
                    yield message
        except BaseException:
            self.close()
            raise

    def _free(self, with_main: bool) -> _Worker:
        """A worker that waits for a job and can import what it needs, or a new one."""
        while self._idle:
            worker = self._idle.pop()
            if worker.process.is_alive() and worker.with_main >= with_main:
                return worker
            worker.end()
        return _Worker(with_main)


class _Worker:
    """A process with at most one job; dead or alive, it has to be ended."""

    place = 0  # of its job among all
    key = ""
    started = False
    work = b""  # that it has

    def __init__(self, with_main: bool) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(
            target=_serve, args=(theirs,), name="synergy-worker", daemon=True
        )
        self.with_main = with_main
        main = sys.modules["__main__"]
        if not with_main:
            sys.modules["__main__"] = ModuleType("__main__")  # what is spawned would import it
        try:
            self.process.start()
        except OSError:
            self.connection.close()
            raise
        finally:
            sys.modules["__main__"] = main
            theirs.close()

    def give(self, place: int, job: Job, work: bytes) -> None:
        self.place, self.key = place, job.key
        with suppress(OSError):  # it died in the meantime: `hear` finds out
            if self.work != work:
                self.connection.send(work)
                self.work = work
            self.connection.send(job)

    def hear(self) -> tuple[Any, ...] | Ended | None:
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

    def obituary(self) -> Ended:
        self.process.join(GRACE_S)
        code = self.process.exitcode
        self.end()
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
        return Ended(self.key, error=f"the worker process {how} before the job was finished")

    def end(self) -> None:
        """Kill it: it holds nothing that it could tidy up."""
        self.process.kill()
        self.process.join()
        self.process.close()
        self.connection.close()


@contextmanager
def _starting() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MachineError(f"a worker process cannot be started: {told(error) or error}") from error


# -- inside a worker ----------------------------------------------------------------------


def _serve(connection: Connection) -> None:
    """Take packed work, then answer each packed `Job` with reports and an `Ended`.

    Work that comes later takes the place of the earlier one. A report is sent as ``(message,)``,
    the sign of life at the start as ``()``. Returns when the other end closes the connection.
    """
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")  # torch reads them on import
    # The terminal sends Ctrl-C to all processes; only the parent decides what happens then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    # What is to be noted about the data was noted by the process that prepared it before.
    logging.getLogger("synergy").addHandler(logging.NullHandler())

    def send(message: tuple[Any, ...] | Ended) -> None:
        connection.send_bytes(packed_message(message))

    try:
        threading.Thread(target=_end_with_parent, daemon=True).start()
        send(())
        packed = b""
        opened: list[Work] = []

        def open_and_work(payload: bytes, report: Report) -> Any:
            if not opened:
                opened.append(pickle.loads(packed))
            contents = pickle.loads(payload)
            one_thread()
            return opened[0](contents, report)

        while True:
            given: Job | bytes = connection.recv()
            if isinstance(given, Job):
                send(attempt(open_and_work, given, lambda message: send((message,))))
            else:
                packed = given
                opened.clear()
    except (EOFError, OSError):  # the parent has no more jobs, or is gone
        return
    except RuntimeError as error:  # no thread can be started
        send(failed("", error))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
