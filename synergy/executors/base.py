"""What an executor is: it turns jobs into outcomes and knows nothing of what they are about."""

from __future__ import annotations

import math
import os
import traceback
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from synergy.errors import SynergyError
from synergy.machine import MachineError, told

Report = Callable[[Any], None]
"""Sends a message from a running job to the process that started it."""

Work = Callable[[Any, Report], Any]
"""``work(payload, report) -> value``: a function at the top level of a module, or a
`functools.partial` of one.

It is handed over once to each worker or node, a payload once for its job: what all jobs have in
common belongs to the partial.
"""

Sharing = Literal["memory", "files", "nothing"]
"""What jobs have in common with the process that started them."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What an executor may use.

    Attributes
    ----------
    workers : int, optional
        Jobs at the same time, at least 1; by default as many as there are cores.
    address : str
        Of a cluster, ``HOST:PORT`` or ``auto``; empty for this machine.
    gpus : float
        Share of a GPU for each job that trains, or a whole number of them.
    """

    workers: int | None = None
    address: str = ""
    gpus: float = 0.0


@dataclass(frozen=True, slots=True)
class Job:
    """One call of the work function, with a payload that can be pickled.

    The ``key`` comes back with reports and the outcome, the ``label`` is for messages. A job that
    ``trains`` may have a share of a GPU.
    """

    key: str
    payload: Any
    label: str = ""
    trains: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """How the job with this key ended.

    ``value`` is what the work function returned, None when it failed; then ``error`` says why in
    one sentence, and ``detail`` is the traceback, empty where there is none. With ``by_machine`` it
    failed for want of space or memory, say: no other job would fare better.
    """

    key: str
    value: Any = None
    error: str | None = None
    detail: str = ""
    by_machine: bool = False


class Executor(Protocol):
    """Runs jobs, in this process or elsewhere.

    Attributes
    ----------
    shares : Sharing
        What jobs have in common with this process: ``files`` are those of one machine.
    """

    shares: Sharing

    @property
    def workers(self) -> int:
        """Jobs at the same time, at least 1."""
        ...

    @property
    def alive(self) -> int:
        """Workers that live at the moment."""
        ...

    def run(
        self,
        work: Work,
        jobs: Iterable[Job],
        on_report: Callable[[str, Any], None],
        ahead: float = math.inf,
    ) -> Generator[Ended, None, None]:
        """Start the jobs in the given order and yield outcomes as they finish.

        Closing the generator ends what still runs; `contextlib.closing` does so for certain.
        An exception inside a job becomes an outcome with an error; KeyboardInterrupt in the
        calling process goes through. ``on_report`` is called in this process with the key of a
        job and each message that it reports, in the order of the reports and before the job's
        outcome. A job starts only when every job that stands ``ahead`` places before it, or more,
        has ended; at least 1.

        Raises
        ------
        SynergyError
            If the work cannot be handed to where it should run.
        MachineError
            If a job failed by the machine: as it would have without an executor.
        """
        ...

    def close(self) -> None:
        """End what lives between runs; nothing can be run any more."""
        ...


def attempt(work: Work, job: Job, report: Report) -> Ended:
    """Run one job here; whatever it raises, but KeyboardInterrupt, becomes the outcome."""
    try:
        return Ended(job.key, work(job.payload, report))
    except (Exception, SystemExit) as error:  # sys.exit in one job does not end the others
        return failed(job.key, error)


def failed(key: str, error: BaseException) -> Ended:
    """The outcome of a job that raised an error, which is being handled."""
    sentence = told(error)
    by_machine = sentence is not None
    if sentence is None:
        sentence = str(error)
        if not isinstance(error, SynergyError):
            sentence = ": ".join([type(error).__name__, *sentence.strip().splitlines()[:1]])
    return Ended(key, None, sentence, traceback.format_exc(), by_machine)


def unless_by_machine(ended: Ended) -> Ended:
    """The outcome itself; MachineError if the machine is why it failed."""
    if ended.by_machine:
        raise MachineError(ended.error or "")
    return ended


def core_count() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
