"""Worker processes that try inputs, and what watches over them."""

from __future__ import annotations

import math
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from random import Random
from typing import Any

from fuzz.findings import Finding, Findings
from fuzz.judging import Limits
from fuzz.sandbox import Sandbox
from fuzz.target import Target
from fuzz.targets import TARGETS

CHUNK_S = 1.0
PATIENCE_S = 60.0
"""A worker that is busy with one input for so long is killed: code in C hears no alarm."""

_processes = get_context("spawn")  # a fork of threads that hold locks would hang


@dataclass
class Tally:
    """Of one class: outcomes by verdict, and the seconds that they took."""

    verdicts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def inputs(self) -> int:
        """How many were tried."""
        return self.verdicts.total()


@dataclass
class Work:
    """What is left of a class: the next number, and the last one if there is one."""

    following: int = 0
    end: int | None = None
    per_second: float = 20.0

    def chunk(self) -> range:
        """The next numbers, of about a second."""
        count = max(1, round(self.per_second * CHUNK_S))
        end = self.following + count if self.end is None else self.end
        numbers = range(self.following, min(end, self.following + count))
        self.following = numbers.stop
        return numbers

    @property
    def is_done(self) -> bool:
        """Whether every number was given away."""
        return self.end is not None and self.following >= self.end


@contextmanager
def made(folder: Path, names: list[str]) -> Iterator[dict[str, Target]]:
    """Classes of inputs with their sound files below an empty folder."""
    sandbox = Sandbox(folder)
    with sandbox.entered():
        yield {name: TARGETS[name].kind(sandbox) for name in names}


Service = Callable[[Connection, Path, int, list[str], Limits], None]
"""What a worker runs."""


def serve(pipe: Connection, folder: Path, seed: int, names: list[str], limits: Limits) -> None:
    """A worker: takes a class with numbers, sends findings, and its counts at the end of each."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the workers
    log = os.open(folder.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 2)  # decoders write there what is of no interest
    with made(folder, names) as targets:
        pipe.send(("ready", None))
        while (order := pipe.recv()) is not None:
            name, numbers = order
            tally, started = Counter[str](), time.monotonic()
            for number in numbers:
                pipe.send(("trying", number))
                case, outcome = targets[name].run(seed, number, limits)
                tally[outcome.verdict] += 1
                if outcome.verdict == "finding":
                    found = (name, seed, number, outcome.kind, outcome.details, case)
                    pipe.send(("finding", Finding(*found)))
            pipe.send(("done", (tally, time.monotonic() - started)))


class _Worker:
    """A process, and what it is busy with."""

    def __init__(self, service: Service, *settings: Any) -> None:
        self.pipe, other = _processes.Pipe()
        self.process = _processes.Process(target=service, args=(other, *settings), daemon=True)
        self.process.start()
        other.close()
        self.name = ""
        self.numbers = range(0)
        self.number = -1
        self.is_dismissed = False
        self.since = time.monotonic() + PATIENCE_S  # making the sound files takes time

    def take(self, name: str, numbers: range) -> None:
        self.name, self.numbers, self.number = name, numbers, -1
        self.since = time.monotonic()
        self.pipe.send((name, numbers))

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


class Fleet:
    """Tries inputs of some classes in several processes until there are enough.

    Parameters
    ----------
    seed : int
    work : dict of name to Work
    findings : Findings
    workers : int
        1 or more.
    limits : Limits
    until : float
        A time of `time.monotonic` after which nothing new begins.
    service : callable
        What a worker runs; a function of a module, which it imports.
    """

    def __init__(
        self,
        seed: int,
        work: dict[str, Work],
        findings: Findings,
        workers: int,
        limits: Limits,
        until: float = math.inf,
        service: Service = serve,
    ) -> None:
        self._seed, self._work, self._findings = seed, work, findings
        self._count, self._limits, self._until = workers, limits, until
        self._service = service
        self._made = 0
        self.tallies = {name: Tally() for name in work}

    def run(self, progress: Callable[[], None] = lambda: None) -> None:
        """Try everything; ``progress`` is called now and then."""
        with tempfile.TemporaryDirectory(prefix="synergy-fuzz-") as root:
            workers = [self._worker(Path(root)) for _ in range(self._count)]
            try:
                while workers:
                    for pipe in wait([worker.pipe for worker in workers], timeout=1.0):
                        worker = next(w for w in workers if w.pipe is pipe)
                        if not self._hear(worker):
                            workers.remove(worker)
                            workers += self._instead(worker, Path(root))
                    for worker in list(workers):
                        if time.monotonic() - worker.since > PATIENCE_S:
                            workers.remove(worker)
                            workers += self._instead(worker, Path(root))
                    progress()
            finally:
                for worker in workers:
                    worker.kill()

    def _worker(self, root: Path) -> _Worker:
        folder = root / f"worker{self._made}"
        folder.mkdir()
        self._made += 1
        return _Worker(self._service, folder, self._seed, list(self._work), self._limits)

    def _hear(self, worker: _Worker) -> bool:
        """What a worker says; False when it has ended."""
        try:
            word, what = worker.pipe.recv()
        except (EOFError, ConnectionError):
            return False
        worker.since = time.monotonic()
        match word:
            case "trying":
                worker.number = what
            case "finding":
                self._findings.add(what)
            case "done":
                self._count_in(worker.name, *what)
        return word not in ("ready", "done") or self._give(worker)

    def _count_in(self, name: str, verdicts: Counter[str], seconds: float) -> None:
        tally = self.tallies[name]
        tally.verdicts += verdicts
        tally.seconds += seconds
        self._work[name].per_second = max(1.0, verdicts.total() / max(seconds, 1e-3))

    def _give(self, worker: _Worker) -> bool:
        """Give a worker the class that had the least time so far; False when nothing is left."""
        left = [name for name, work in self._work.items() if not work.is_done]
        worker.name = ""
        if not left or time.monotonic() > self._until:
            worker.is_dismissed = True
            worker.pipe.send(None)
            return True  # it ends by itself, which is heard
        name = min(left, key=lambda name: self.tallies[name].seconds)
        self.tallies[name].seconds += 1e-6  # so that two workers do not take the same
        worker.take(name, self._work[name].chunk())
        return True

    def _instead(self, worker: _Worker, root: Path) -> list[_Worker]:
        """Another worker where one died or was killed in the middle of an input."""
        if worker.is_dismissed:
            worker.kill()
            return []
        worker.process.join(0.5)
        code = worker.process.exitcode
        hangs = code is None
        worker.kill()
        if not worker.name:
            log = "".join(file.read_text(errors="replace") for file in root.glob("*.log"))
            raise RuntimeError(f"a worker ended with {code} before its first input\n{log}")
        name, number = worker.name, worker.number
        kind = "hangs and hears no alarm" if hangs else f"the process died with {code}"
        case = self._case(name, number, root) if number >= 0 else None
        found = Finding(name, self._seed, number, kind, kind, *([case] if case else []))
        self._findings.add(found)
        done = range(worker.numbers.start, number + 1)
        verdicts = Counter({"refused": len(done) - 1, "finding": 1})
        self._count_in(name, verdicts, time.monotonic() - worker.since)
        if self._work[name].end is not None:  # what was given away and not tried
            self.tallies[name].verdicts["skipped"] += worker.numbers.stop - done.stop
        return [self._worker(root)]

    def _case(self, name: str, number: int, root: Path) -> Any:
        """The input that ended a process, made without trying it."""
        folder = root / f"case{self._made}"
        folder.mkdir()
        with made(folder, [name]) as targets:
            return targets[name].case(Random(f"{self._seed}/{name}/{number}"))
