"""What the JSON files of a finished trial hold; no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AliasChoices, Field

from synergy import limits
from synergy.files import Artefact, StrictModel
from synergy.quantities import Count, Score, Seconds, Text
from synergy.tree import SharingTree

if TYPE_CHECKING:
    import numpy as np
    import torch

    from synergy.tasks import TaskSpec


class TaskRecord(StrictModel, extra="ignore"):
    """A task of a trial, see `synergy.tasks.TaskSpec`."""

    name: str
    kind: str
    classes: tuple[str, ...]

    @property
    def spec(self) -> TaskSpec:
        """The task as networks know it; imports torch."""
        from synergy.tasks import TaskSpec

        return TaskSpec(self.name, self.kind, self.classes)


class TrialRecord(StrictModel, extra="ignore"):
    """``trial.json``: a `synergy.trials.trial.Trial` in its JSON form.

    Files of before there were teachers and masks lack ``distillation``, ``teachers`` and
    ``pruning``.
    """

    format_version: Count
    tree: dict[str, Any]
    notation: Text
    tasks: tuple[TaskRecord, ...]
    data: dict[str, str]
    bank: str
    encoder: dict[str, Any]
    training: dict[str, Any]
    seed: Count
    distillation: dict[str, Any] | None = None
    teachers: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    pruning: dict[str, Any] | None = None

    @property
    def sharing_tree(self) -> SharingTree:
        """The tree; raises TreeError if the file describes none."""
        return SharingTree.from_json(self.tree)


# What a later version adds does not make a training unreadable; writing refuses NaN.
class TrialResult(Artefact, extra="ignore", allow_inf_nan=True):
    """``result.json``: what one training gave.

    ``scores[split][task]`` is the metric that AR is taken of, in [0, 1], on validation, and on test
    as soon as ``test.json`` has it; ``metrics[split][task]`` holds all. The kept weights were
    reached after ``kept_step`` of the ``steps`` optimiser steps; ``params`` are those that are not
    pruned. ``clips_per_s`` tells the speed of the training, ``seconds`` the time with everything
    around it. ``files`` are the checksums of the files beside it.
    """

    digest: Text
    notation: Text
    seed: Count
    scores: Mapping[str, Mapping[str, Score]]
    metrics: Mapping[str, Mapping[str, Mapping[str, float]]]
    # as earlier versions called it, when it was always that of the best validation
    kept_step: Annotated[Count, Field(validation_alias=AliasChoices("kept_step", "best_step"))]
    steps: Count
    params: Count
    clips_per_s: Annotated[float, Field(ge=0, le=limits.COUNT)]
    seconds: Seconds
    device: Text
    versions: Mapping[str, str]
    files: Mapping[str, str] = Field(default_factory=dict)


# As above.
class OnTest(Artefact, extra="ignore", allow_inf_nan=True):
    """``test.json``: how a finished training does on the test split, once it is to be reported.

    ``scores[task]`` and ``metrics[task]`` are as in `TrialResult`; ``files`` is the checksum of the
    predictions.
    """

    digest: Text
    scores: Mapping[str, Score]
    metrics: Mapping[str, Mapping[str, float]]
    files: Mapping[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class OnTestRun:
    """How a network does on the test split; ``predictions["test/task"]`` as in `TrialRun`."""

    result: OnTest
    predictions: dict[str, np.ndarray]


@dataclass(frozen=True)
class TrialRun:
    """What one training gave.

    A row of ``history`` is a validation, and may lack a column; ``weights`` is the state dict that
    is kept. ``predictions["valid/task"]`` are the logits of all clips of the task, in the order of
    its clips; those of activities are joined, float16. ``test`` is there if it was asked for.
    """

    result: TrialResult
    history: list[dict[str, float]]
    weights: dict[str, torch.Tensor]
    predictions: dict[str, np.ndarray] = field(default_factory=dict)
    test: OnTestRun | None = None
