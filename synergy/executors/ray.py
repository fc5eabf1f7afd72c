"""Jobs as tasks of Ray, on the machines of a cluster or on this one.

The work is put into Ray's object store once, from where each node fetches it once; a job's payload
travels with its task, reports and the outcome come back in a stream. Ray places the tasks; a job
whose worker or node died is repeated from here, so that it is told and bounded.
"""

from __future__ import annotations

import logging
import math
import os
import pickle
import platform
import socket
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from queue import SimpleQueue
from typing import Any, Literal

from synergy.errors import SynergyError
from synergy.executors.base import (
    Ended,
    Job,
    Resources,
    Sharing,
    Work,
    attempt,
    unless_by_machine,
)
from synergy.executors.packing import one_thread, packed_job, packed_message
from synergy.executors.ray_cluster import RayCluster, one_line
from synergy.machine import MachineError, told
from synergy.wording import quoted, shown

REPEATS = 2
"""How often a job is repeated whose worker or node died."""

# Tasks for each one that can run: a worker that is done need not wait for this process.
_HANDED_OVER = 2
# Works that stay in the object store: with and without soft labels.
_KEPT = 2

_log = logging.getLogger(__name__)


@dataclass
class _Running:
    """A job that was handed to Ray."""

    place: int
    job: Job
    deaths: int = 0


class RayExecutor:
    """Runs jobs as tasks of Ray, of one CPU and one thread each.

    A job whose worker or node dies is repeated at most `REPEATS` times and fails alone after that.

    Parameters
    ----------
    resources : Resources
        Without ``workers``, all CPUs of the cluster are used, or of its GPUs what ``gpus`` allows.
        For the address see `RayCluster`, and for the errors.
    """

    shares: Sharing = "nothing"

    def __init__(self, resources: Resources | None = None) -> None:
        self._asked = resources or Resources()
        self._cluster = RayCluster(self._asked)
        self._stored: list[tuple[Work, Any]] = []

    @property
    def workers(self) -> int:
        """Jobs that can run at the same time as the cluster is now, at least 1."""
        return self._asked.workers or max(1, self._cluster.slots())

    @property
    def alive(self) -> int:
        """Jobs that the nodes that live have room for, at most those that were asked for."""
        return min(self._cluster.slots(), self.workers) if self._cluster.is_joined else 0

    def close(self) -> None:
        """Leave the cluster, which ends what runs there."""
        self._stored.clear()
        self._cluster.leave()

    def run(
        self,
        work: Work,
        jobs: Iterable[Job],
        on_report: Callable[[str, Any], None],
        ahead: float = math.inf,
    ) -> Generator[Ended, None, None]:
        """Yield outcomes as they finish; see `Executor.run`.

        Jobs are taken from ``jobs`` as there is room for them.

        Raises
        ------
        SynergyError
            If the cluster cannot be joined, its nodes have other versions or too little for a job,
            or work or payload cannot be pickled.
        MachineError
            If a job failed by the machine.
        """
        waiting = enumerate(jobs)
        following = next(waiting, None)
        if following is None:
            return
        ray = self._cluster.join()
        # Each job takes it from the store: in a list, or Ray would unpack it for every task.
        common = [self._put(ray, work)]
        # Not by `options`: Ray ends a worker that had a GPU only where it is said here.
        tasks = {
            trains: ray.remote(
                num_cpus=1,
                num_gpus=self._asked.gpus if trains else 0,
                num_returns="streaming",
                max_retries=0,
            )(_serve)
            for trains in (False, True)
        }
        running: dict[Any, _Running] = {}

        def start(each: _Running) -> None:
            hidden = each.job.trains and not self._asked.gpus
            key, payload = each.job.key, each.job.payload
            stream = tasks[each.job.trains].remote(common, key, payload, _versions(), hidden)
            running[stream] = each

        waits = False
        try:
            while True:
                while following is not None and len(running) < self._room:
                    place, job = following
                    if place >= min((r.place for r in running.values()), default=place) + ahead:
                        break
                    start(_Running(place, packed_job(job)))
                    following = next(waiting, None)
                if not running:
                    return
                ready = ray.wait([*running], num_returns=1, timeout=1.0)[0]
                if self._cluster.slots() == 0 and not waits:
                    _log.warning("no node is left that could run a job; waiting for one to join")
                waits = self._cluster.slots() == 0
                for stream in ready:
                    each = running[stream]
                    heard = self._heard(ray, stream, each, on_report)
                    del running[stream]
                    if heard == "more":
                        running[stream] = each  # at the end: all are heard in turn
                    elif heard == "again":
                        start(each)
                    else:
                        yield unless_by_machine(heard)
        except ray.exceptions.RayError as error:
            raise SynergyError(f"the cluster cannot go on: {one_line(error)}") from error
        finally:
            for stream in running:
                with suppress(Exception):  # of a cluster that is gone
                    ray.cancel(stream, force=True)

    @property
    def _room(self) -> int:
        """Tasks that may be handed to Ray."""
        return self._asked.workers or _HANDED_OVER * max(1, self._cluster.slots())

    def _put(self, ray: Any, work: Work) -> Any:
        """Where the work lies in the object store; the same one is put there once."""
        for place, (known, reference) in enumerate(self._stored):
            if known is work:
                self._stored.insert(0, self._stored.pop(place))
                return reference
        try:
            reference = ray.put(work)
        except Exception as error:
            if sentence := told(error):
                raise MachineError(sentence) from error
            raise SynergyError(
                f"expected work that can be pickled, found {one_line(error)}; "
                "use the serial executor or change it"
            ) from error
        self._stored = [(work, reference), *self._stored[: _KEPT - 1]]
        return reference

    def _heard(
        self, ray: Any, stream: Any, each: _Running, on_report: Callable[[str, Any], None]
    ) -> Ended | Literal["more", "again"]:
        """What comes next of a job: its outcome, more, or it is to be run again."""
        job, errors = each.job, ray.exceptions
        deaths = {getattr(errors, name, StopIteration): how for name, how in _DEATHS.items()}
        try:
            message = ray.get(next(stream))
        except tuple(deaths) as error:
            each.deaths += 1
            how = next(how for kind, how in deaths.items() if isinstance(error, kind))
            if each.deaths > REPEATS:
                said = f"its worker {how} before the job was finished, {each.deaths} times in a row"
                return Ended(job.key, error=said)
            _log.warning("%s is run again: its worker %s", shown(job.label or job.key), how)
            return "again"
        except errors.RayTaskError as error:  # before the work began
            if sentence := told(error.cause):
                raise MachineError(f"on a node of the cluster, {sentence}") from error
            raise SynergyError(
                f"a node of the cluster cannot run synergy ({quoted(one_line(error.cause))}); "
                "install there what is installed here, in the same versions"
            ) from error
        content = pickle.loads(message)
        if isinstance(content, Ended):
            return content
        for part in content:
            if isinstance(part, _Differs):
                raise SynergyError(
                    f"node {shown(part.node)} has {shown(part.found)}, this one has "
                    f"{part.expected}; install the same versions on all nodes"
                )
            on_report(job.key, part)
        return "more"


# Names of errors, or StopIteration where a stream ends without an outcome.
_DEATHS = {
    "OutOfMemoryError": "was ended for want of memory",
    "NodeDiedError": "died with its node",
    "ObjectLostError": "died with its result",
    "WorkerCrashedError": "died (killed by hand or out of memory)",
    "StopIteration": "ended without an outcome",
}


@dataclass(frozen=True)
class _Differs:
    """A node has another version of something."""

    node: str
    found: str
    expected: str


# -- inside a worker ----------------------------------------------------------------------


def _serve(
    common: list[Any], key: str, payload: bytes, expected: Mapping[str, str], no_gpu: bool
) -> Generator[bytes, None, None]:
    """Work on one job; yields its reports and its outcome, packed."""
    os.environ["MKL_NUM_THREADS"] = "1"  # as Ray does for OpenMP; torch reads both on import
    if no_gpu:  # newer versions of Ray show all to a task that has none
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    found = _versions()
    for name, wanted in expected.items():
        if found.get(name) != wanted:
            other = f"{name} {found.get(name, 'not installed')}"
            yield packed_message((_Differs(socket.gethostname(), other, f"{name} {wanted}"),))
            return
    # Here, so that a node that lacks something is told from a job that fails.
    work, job = _opened(common[0]), Job(key, pickle.loads(payload))
    messages: SimpleQueue[bytes | None] = SimpleQueue()

    def answer() -> None:
        def report(message: Any) -> None:
            messages.put(packed_message((message,)))

        one_thread()
        messages.put(packed_message(attempt(work, job, report)))
        messages.put(None)

    threading.Thread(target=answer, daemon=True).start()
    while (message := messages.get()) is not None:
        yield message


@lru_cache(maxsize=1)
def _opened(common: Any) -> Work:
    """The work; its arrays lie in memory that the workers of a node share."""
    import ray

    return ray.get(common)


@lru_cache(maxsize=1)
def _versions() -> Mapping[str, str]:
    """What decides whether a node computes the same; Ray compares Python and itself."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2])}
    for name in ("synergy", "torch", "numpy"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
