"""Ways to get jobs done; a new executor is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable

from synergy.trials.executors.base import Executor, Job, Outcome, Report, Work
from synergy.trials.executors.process import ProcessExecutor
from synergy.trials.executors.serial import SerialExecutor

EXECUTORS: dict[str, Callable[[int | None], Executor]] = {
    "process": ProcessExecutor,
    "serial": SerialExecutor,
}

__all__ = [
    "EXECUTORS",
    "Executor",
    "Job",
    "Outcome",
    "ProcessExecutor",
    "Report",
    "SerialExecutor",
    "Work",
]
