"""What a session hands to an executor: jobs, what each works with, and what all have in common.

Jobs read and write no file of the workspace: what they need of finished trials comes with them, and
their results are kept by the session alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch
import yaml

from synergy.config import RunConfig
from synergy.errors import WorkspaceError
from synergy.experiment import Experiment, prepare
from synergy.extensions import imports_allowed
from synergy.training.device import device_of
from synergy.training.distillation import ClipLabels, SoftLabels
from synergy.trials.record import OnTestRun, TrialRecord, TrialRun
from synergy.trials.teachers import Labelling, labellings, training_clips
from synergy.trials.trial import Trial, run_test, run_trial

Weights = Mapping[str, torch.Tensor]
Labels = Mapping[tuple[Labelling, ...], ClipLabels]
"""What the teachers of a task say together, by who they are and what they are asked."""


@dataclass(frozen=True)
class Inputs:
    """What a job works with.

    Attributes
    ----------
    experiment : Experiment
    weights : dict of digest to state dict
        Of the trials that the job needs.
    labels : Labels
        At least those of the job's teachers.
    device : str
        What is trained, or measured on test, is on.
    """

    experiment: Experiment
    weights: Mapping[str, Weights]
    labels: Labels = field(default_factory=dict)
    device: str = "cpu"


class SessionJob(Protocol):
    """Something that a session has done, by itself or elsewhere."""

    @property
    def label(self) -> str:
        """How people call it."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """Digests of the finished trials whose weights it works with."""
        ...

    @property
    def trains(self) -> bool:
        """Whether it is a training."""
        ...

    def run(self, inputs: Inputs, report: Callable[[Any], None]) -> Any:
        """Do it; whatever it returns can be pickled."""
        ...


@dataclass(frozen=True)
class TrialJob:
    """A trial to be trained, and measured on validation; on test, too, if ``test``."""

    trial: Trial
    test: bool = False
    trains = True

    @property
    def label(self) -> str:
        """Tree and seed."""
        return f"{self.trial.tree.notation()} seed {self.trial.seed}"

    @property
    def needs(self) -> tuple[str, ...]:
        """The trials that its masks are taken from."""
        return self.trial.pruning.digests if self.trial.pruning else ()

    def run(self, inputs: Inputs, report: Callable[[Any], None]) -> TrialRun:
        """Train and measure it."""
        trial, bank = self.trial, inputs.experiment.bank
        soft_labels = None
        if trial.distillation is not None:
            asked = labellings(trial, bank.hop_s)
            soft_labels = SoftLabels(
                trial.distillation,
                next(iter(asked.values()))[0].hop,
                {task: inputs.labels[teachers] for task, teachers in asked.items()},
            )
        data, parents = inputs.experiment.data_of(trial.seed), inputs.weights
        return run_trial(trial, bank, data, report, soft_labels, parents, self.test, inputs.device)


@dataclass(frozen=True)
class OnTestJob:
    """A finished trial without masks, to be measured on the test split."""

    trial: Trial
    trains = False

    @property
    def label(self) -> str:
        """Tree and seed."""
        return f"{self.trial.tree.notation()} seed {self.trial.seed} on test"

    @property
    def needs(self) -> tuple[str, ...]:
        """The trial."""
        return (self.trial.digest,)

    def run(self, inputs: Inputs, report: Callable[[Any], None]) -> OnTestRun:
        """Measure it."""
        (weights,) = inputs.weights.values()
        experiment = inputs.experiment
        data = experiment.data_of(self.trial.seed)
        return run_test(self.trial, weights, experiment.bank, data, inputs.device)


@dataclass(frozen=True)
class LabelJob:
    """A teacher to be asked about all training clips of its fold, which are its students', too."""

    labelling: Labelling
    teacher: TrialRecord
    trains = False

    @property
    def label(self) -> str:
        """The task and the teacher."""
        return f"soft labels of {self.labelling.spec.name} by {self.labelling.teacher}"

    @property
    def needs(self) -> tuple[str, ...]:
        """The teacher."""
        return (self.labelling.teacher,)

    def run(self, inputs: Inputs, report: Callable[[Any], None]) -> np.ndarray:
        """What the teacher says, as `Labelling.ask` gives it."""
        experiment = inputs.experiment
        (weights,) = inputs.weights.values()
        clips = training_clips(experiment.data_of(self.teacher.seed))
        return self.labelling.ask(self.teacher, weights, experiment.bank, clips)


@dataclass(frozen=True)
class Supply:
    """What all jobs of a run have in common.

    Attributes
    ----------
    source : Experiment or str
        The experiment, or the configuration by which a worker on the same machine prepares it once
        from the same files.
    data : str
        Fingerprint of the clips that the jobs were planned for.
    labels : Labels
    device : str
        As `synergy.training.device.device_of` takes it, where the job runs.
    """

    source: Experiment | str
    data: str
    labels: Labels = field(default_factory=dict)
    device: str = ""

    def experiment(self) -> Experiment:
        """The experiment of the source."""
        return _prepared(self.source) if isinstance(self.source, str) else self.source


@dataclass(frozen=True)
class Payload:
    """A job with the weights that it needs."""

    job: SessionJob
    weights: Mapping[str, Weights] = field(default_factory=dict)


def run_one(supply: Supply, payload: Payload, report: Callable[[Any], None]) -> Any:
    """Run one job of a session, wherever that is.

    Raises
    ------
    WorkspaceError
        If the data is no longer what the job was planned for.
    ConfigError
        If the device is not there.
    """
    torch.set_num_threads(1)
    experiment = supply.experiment()
    if experiment.bank.fingerprint != supply.data:
        raise WorkspaceError("a corpus changed while the command ran; start the command again")
    # on a cluster, only what trains has a GPU
    anywhere = not (payload.job.trains or torch.cuda.is_available())
    device = device_of("" if anywhere else supply.device)
    return payload.job.run(Inputs(experiment, payload.weights, supply.labels, device), report)


@lru_cache(maxsize=1)
def _prepared(config: str) -> Experiment:
    with imports_allowed():  # whoever made the session could import them
        return prepare(RunConfig.model_validate(yaml.safe_load(config)))
