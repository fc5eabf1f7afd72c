"""Ways to get jobs done; a new executor is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable

from synergy.executors.base import Ended, Executor, Job, Report, core_count
from synergy.executors.process import ProcessExecutor
from synergy.executors.serial import SerialExecutor

EXECUTORS: dict[str, Callable[[int | None], Executor]] = {
    "process": ProcessExecutor,
    "serial": SerialExecutor,
}

__all__ = ["EXECUTORS", "Ended", "Executor", "Job", "ProcessExecutor", "Report", "core_count"]
