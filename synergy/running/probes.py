"""What is measured that is no trial, such as affinities of tasks; the session keeps the results."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from synergy.records import ProbeFile
from synergy.running.jobs import Inputs
from synergy.seeding import digest
from synergy.trials.trial import Trial

ProbeWork = Callable[["Probe", Inputs, Callable[[int], None]], dict[str, Any]]
"""A function at the top level of a module that measures a probe; it runs in a worker.

Its last argument takes the number of units that are done. Returns JSON values.
"""


@dataclass(frozen=True)
class Probe:
    """Something to be measured on trials.

    Attributes
    ----------
    label : str
        Name of whoever asks.
    trials : tuple of Trial
        What is measured on: finished trials, or settings of a training that the probe runs.
    settings : dict of str to number
        With the trials, everything that decides the result.
    work : ProbeWork
    units : int
        How much there is to do, as `work` counts it.
    trains : bool
        Whether the probe is a training.
    """

    label: str
    trials: tuple[Trial, ...]
    settings: Mapping[str, float]
    work: ProbeWork
    units: int
    trains: bool = False

    @cached_property
    def digest(self) -> str:
        """Identity: a hash of the label, the trials and the settings."""
        return digest([self.label, [t.digest for t in self.trials], dict(self.settings)])

    @property
    def file(self) -> str:
        """Name of the file that keeps the result."""
        return f"{self.label}-{self.digest}.json"

    @property
    def needs(self) -> tuple[str, ...]:
        """Digests of the trials whose weights it measures on."""
        return () if self.trains else tuple(trial.digest for trial in self.trials)

    def run(self, inputs: Inputs, report: Callable[[Any], None]) -> ProbeFile:
        """Measure it; in a worker."""
        started = time.perf_counter()
        result = self.work(self, inputs, report)
        return ProbeFile(
            probe=self.label,
            settings=dict(self.settings),
            trials=tuple(trial.digest for trial in self.trials),
            result=result,
            seconds=time.perf_counter() - started,
        )
