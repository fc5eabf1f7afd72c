"""A trial: one tree, trained once with one seed on fixed data."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch

from synergy.encoders import Encoder
from synergy.errors import WorkspaceError
from synergy.files import StrictModel
from synergy.network import build_network
from synergy.seeding import digest
from synergy.sparsity import TaskMaskedNetwork
from synergy.tasks import TaskSpec
from synergy.tasks.clips import ClipBank, TaskData
from synergy.training.config import TrainingConfig
from synergy.training.distillation import DistillationConfig, SoftLabels
from synergy.training.loop import Logits, Metrics, measured, train
from synergy.training.pruning import Pruning, build_pruned
from synergy.tree import SharingTree
from synergy.trials.record import OnTest, OnTestRun, TrialResult, TrialRun
from synergy.wording import Split

# Raised when the same settings would no longer lead to the same result.
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Trial:
    """Everything that decides the result of one training.

    ``tasks`` are in the order of the tree's. ``data`` holds the digest of each task's clips and
    targets, ``bank`` is the fingerprint of audio, features and normalisation. With ``distillation``
    the training learns from ``teachers`` too: for every task of the tree, the digests of the
    single-task trials whose soft labels are averaged. What ``pruning`` names stays zero.
    """

    tree: SharingTree
    tasks: tuple[TaskSpec, ...]
    data: Mapping[str, str]
    bank: str
    encoder: Encoder
    training: TrainingConfig
    seed: int
    distillation: DistillationConfig | None = None
    teachers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pruning: Pruning | None = None

    def to_json(self) -> dict[str, Any]:
        """The fully resolved trial as JSON values."""
        assert isinstance(self.encoder, StrictModel)
        return {
            "format_version": FORMAT_VERSION,
            "tree": self.tree.to_json(),
            "notation": self.tree.notation(),
            "tasks": [task.to_json() for task in self.tasks],
            "data": dict(self.data),
            "bank": self.bank,
            "encoder": self.encoder.model_dump(mode="json"),
            "training": self.training.model_dump(mode="json"),
            "seed": self.seed,
            "distillation": self.distillation and self.distillation.model_dump(mode="json"),
            "teachers": {task: list(digests) for task, digests in self.teachers.items()},
            "pruning": self.pruning and self.pruning.model_dump(mode="json"),
        }

    @cached_property
    def digest(self) -> str:
        """Identity of the trial: a hash of `to_json`, never of a difference to defaults."""
        return digest(self.to_json())


def run_trial(
    trial: Trial,
    bank: ClipBank,
    data: Mapping[str, TaskData],
    report: Callable[[Mapping[str, Any]], None] = lambda message: None,
    soft_labels: SoftLabels | None = None,
    parents: Mapping[str, Mapping[str, torch.Tensor]] | None = None,
    test: bool = False,
    device: str = "cpu",
) -> TrialRun:
    """Train and measure on a device, with ``test`` on the test split too.

    ``report`` gets a message after each validation. ``soft_labels`` are those of the trial's
    teachers, see `synergy.trials.teachers`; ``parents`` are the weights, by digest, of the trials
    that the masks are taken from.

    Raises
    ------
    TrainingError
        When a loss becomes non-finite.
    WorkspaceError
        When the weights of a parent are not those of such a network.
    """
    started = time.perf_counter()
    settings = (trial.tree, trial.encoder, trial.tasks, bank.mels, trial.seed)
    masking = None
    if trial.pruning is None:
        network = build_network(*settings)
    else:
        network, masking = build_pruned(*settings, trial.pruning, parents or {})
    network.to(device)
    trained = train(
        network,
        bank,
        [data[task.name] for task in trial.tasks],
        trial.training,
        trial.seed,
        report,
        soft_labels,
        masking,
        test,
    )
    metrics = trained.scores["valid"]
    result = TrialResult(
        digest=trial.digest,
        notation=trial.tree.notation(),
        seed=trial.seed,
        scores={"valid": _headline(trial, metrics)},
        metrics={"valid": metrics},
        kept_step=trained.kept_step,
        steps=trial.training.steps,
        params=sum(p.numel() for p in network.parameters()) - (masking.pruned if masking else 0),
        clips_per_s=trained.clips_per_s,
        seconds=time.perf_counter() - started,
        device=device,
        versions={"torch": torch.__version__, "python": platform.python_version()},
    )
    masked = isinstance(network, TaskMaskedNetwork)
    weights = network.task_weights() if masked else network.state_dict()
    weights = {name: tensor.cpu() for name, tensor in weights.items()}
    predictions = _predictions(trial, "valid", trained.logits["valid"])
    on_test = _test_run(trial, trained.logits["test"], trained.scores["test"]) if test else None
    return TrialRun(result, trained.history, weights, predictions, on_test)


def run_test(
    trial: Trial,
    weights: Mapping[str, torch.Tensor],
    bank: ClipBank,
    data: Mapping[str, TaskData],
    device: str = "cpu",
) -> OnTestRun:
    """Measure the kept weights of a finished trial without masks on the test split.

    Raises
    ------
    WorkspaceError
        If they are those of another network.
    TrainingError
        If a logit or a score is not finite.
    """
    settings = (trial.tree, trial.encoder, trial.tasks, bank.mels, trial.seed)
    network = build_network(*settings)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise WorkspaceError(
            f"trial {trial.digest} holds the weights of another network; delete its folder and run "
            "the same command again to repeat it"
        ) from error
    network.to(device)
    tasks = [data[task.name] for task in trial.tasks]
    found = measured(network, bank, tasks, "test", trial.training.steps, trial.training)
    return _test_run(trial, *found)


def _test_run(trial: Trial, logits: Logits, metrics: Metrics) -> OnTestRun:
    found = OnTest(digest=trial.digest, scores=_headline(trial, metrics), metrics=metrics)
    return OnTestRun(found, _predictions(trial, "test", logits))


def _headline(trial: Trial, metrics: Metrics) -> dict[str, float]:
    """The metric that AR is taken of, by task."""
    return {task.name: metrics[task.name][task.rules.metric] for task in trial.tasks}


def _predictions(trial: Trial, split: Split, logits: Logits) -> dict[str, np.ndarray]:
    """Logits as they are kept."""
    kinds = {task.name: task.rules for task in trial.tasks}
    return {
        f"{split}/{task}": kinds[task].join(values).astype(kinds[task].kept_as)
        for task, values in logits.items()
    }
