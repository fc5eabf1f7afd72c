"""One job after the other, in this process: for debugging and for a single core."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable
from typing import Any

from synergy.executors.base import Ended, Job, Sharing, Work, attempt, unless_by_machine


class SerialExecutor:
    """Runs jobs in this process, with the threads that it has."""

    shares: Sharing = "memory"
    workers = 1
    alive = 1

    def close(self) -> None:
        """Nothing lives between runs."""

    def run(
        self,
        work: Work,
        jobs: Iterable[Job],
        on_report: Callable[[str, Any], None],
        ahead: float = math.inf,
    ) -> Generator[Ended, None, None]:
        """Yield the outcome of each job, in order; see `Executor.run`."""
        failures: list[Exception] = []

        for job in jobs:

            def report(message: Any, key: str = job.key) -> None:
                try:
                    on_report(key, message)
                except Exception as error:
                    failures.append(error)
                    raise

            outcome = attempt(work, job, report)
            if failures:  # of the caller's function, not of the job
                raise failures[0]
            yield unless_by_machine(outcome)
