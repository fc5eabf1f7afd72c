"""Learning from teachers: single-task models that label every clip for their task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from synergy.files import StrictModel


class DistillationConfig(StrictModel):
    """How much a model listens to its teachers.

    Each clip of a batch supervises every task, whatever corpus it comes from: with its label
    where it has one, and with the teachers' soft label everywhere.

    Attributes
    ----------
    weight : float
        Share of the soft labels in a task's loss, the rest is the loss on its own clips.
    temperature : float
        By which logits are divided before they are compared (Hinton et al. 2015).
    hop_s : float
        Teachers label windows of a crop's length, one every ``hop_s`` seconds; a crop gets the
        label of the nearest one.
    """

    weight: Annotated[float, Field(gt=0, le=1)] = 0.5
    temperature: Annotated[float, Field(ge=0.01, le=100)] = 2.0
    hop_s: Annotated[float, Field(ge=0.001, le=60)] = 0.25


ClipLabels = Mapping[int, np.ndarray]
"""Soft labels of one task by clip number, float32."""


@dataclass(frozen=True)
class SoftLabels:
    """What the teachers say about training clips.

    Attributes
    ----------
    hop : int
        Frames from one window to the next.
    logits : dict of task to ClipLabels
        Mean over the teachers of the task, of the `synergy.tasks.TaskKind.pieces` of a clip:
        [W, K] for its windows, or [F] for an activity.
    """

    settings: DistillationConfig
    hop: int
    logits: Mapping[str, ClipLabels]
