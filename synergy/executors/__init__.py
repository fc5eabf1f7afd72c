"""Ways to get jobs done; a new executor is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable

from synergy.executors.base import Ended, Executor, Job, Report, Resources, core_count
from synergy.executors.process import ProcessExecutor
from synergy.executors.ray import RayExecutor
from synergy.executors.serial import SerialExecutor

EXECUTORS: dict[str, Callable[[Resources], Executor]] = {
    "process": lambda resources: ProcessExecutor(resources.workers),
    "serial": lambda resources: SerialExecutor(),
    "ray": RayExecutor,
}

__all__ = [
    "EXECUTORS",
    "Ended",
    "Executor",
    "Job",
    "ProcessExecutor",
    "Report",
    "Resources",
    "SerialExecutor",
    "core_count",
]
