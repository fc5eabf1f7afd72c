"""What the rest of the package knows of a kind of task: everything in which kinds differ.

Shapes: B batch, C channel, M mel, F frame of the features, E frame of the encoder's output,
K class.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from torch import Tensor, nn

from synergy import limits
from synergy.names import label_problem
from synergy.tasks.predictions import Prediction
from synergy.tasks.task_source import Findings, LabelledClip, Matching, TaskSource
from synergy.tasks.timelines import ClassTimeline, Timeline
from synergy.wording import Split, short_list

Arrays = Sequence[np.ndarray]
"""One array for each clip."""


class TaskKind(ABC):
    """One kind of task.

    What is not abstract fits a kind with one target, and one row of logits [K], for each clip;
    a kind that answers frame by frame replaces it.

    Attributes
    ----------
    name, metric : str
        Key in ``TASK_KINDS``, and the score that AR is taken of, higher is better, in [0, 1].
    counted : {"clips", "frames"}
        What `counts` counts.
    kept_as : type
        Precision in which the logits of a split are stored.
    threshold : float, or None
        Usual probability from which a frame is active; None for classes of clips.
    """

    name: ClassVar[str]
    metric: ClassVar[str]
    counted: ClassVar[str] = "clips"
    kept_as: ClassVar[type[np.floating]] = np.float32
    threshold: ClassVar[float | None] = None

    # -- from labels to targets -----------------------------------------------------------

    def classes_problem(self, classes: Sequence[str]) -> str:
        """Why these can be no classes of a task, empty if they can: asked before any training."""
        if self.threshold is not None and len(classes) != 1:
            return f"expected one name, that of what is detected, found {len(classes)}"
        if not 1 <= len(classes) <= limits.CLASSES:
            return f"expected 1 to {limits.CLASSES:,} names, found {len(classes):,}"
        repeated = [name for name, count in Counter(classes).items() if count > 1]
        if repeated:
            return f"expected every name once, found {short_list(repeated)} repeatedly"
        return next(filter(None, map(label_problem, classes)), "")

    @abstractmethod
    def source_problem(self, source: TaskSource) -> str | None:
        """What makes a source one of another kind of task, or None."""

    @abstractmethod
    def default_classes(self, found: Sequence[Matching]) -> tuple[str, ...]:
        """Classes where the configuration names none; empty where only clips would tell."""

    @abstractmethod
    def label(
        self, found: Matching, classes: tuple[str, ...], findings: Findings
    ) -> list[LabelledClip]:
        """Those of the clips that have a target; says in ``findings`` what is wrong or left out."""

    @abstractmethod
    def split_problems(
        self, split: Split, clips: Sequence[LabelledClip], classes: tuple[str, ...], hop_s: float
    ) -> list[str]:
        """What makes a split with these clips unusable, with frames ``hop_s`` seconds apart."""

    @abstractmethod
    def target(self, label: Any, frames: int, hop_s: float) -> np.ndarray:
        """Target of a clip of ``frames`` frames, from the target of its `LabelledClip`."""

    @abstractmethod
    def counts(self, targets: Arrays, classes: tuple[str, ...]) -> dict[str, int]:
        """How often each answer occurs."""

    # -- pieces of clips and their logits -------------------------------------------------

    def crop_target(self, target: np.ndarray, start: int, frames: int) -> np.ndarray:
        """Target of ``frames`` frames from ``start``, which may lie outside the clip."""
        return target

    def pieces(self, frames: int, length: int, hop: int) -> list[tuple[int, int]]:
        """First frame and number of frames of the pieces of a clip that teachers label.

        Windows of ``length`` frames, one every ``hop``; a clip that is no longer is one window.
        """
        starts = range(0, max(1, frames - length + 1), hop)
        return [(first, min(length, frames)) for first in starts]

    def crop_soft_label(self, labels: np.ndarray, start: int, frames: int, hop: int) -> np.ndarray:
        """Soft label of a crop, from the joined ones of the `pieces`: the nearest window's, [K]."""
        nearest = (2 * start + hop) // (2 * hop)
        return labels[min(max(nearest, 0), len(labels) - 1)]

    def of_feature_frames(self, logits: Tensor, frames: int, stride: int) -> Tensor:
        """Logits of the task from those of its decoder, for ``frames`` feature frames.

        The encoder gives one output frame for each ``stride`` feature frames.
        """
        return logits

    def unpadded(self, logits: np.ndarray, frames: int) -> np.ndarray:
        """Logits of one clip without those of the padding after its ``frames`` frames."""
        return logits

    def join(self, logits: Arrays) -> np.ndarray:
        """One array of the logits of several clips."""
        return np.stack(logits)

    def split(self, joined: np.ndarray, frames: Sequence[int]) -> list[np.ndarray]:
        """Inverse of `join` for clips of so many frames."""
        return list(joined)

    # -- training and scoring -------------------------------------------------------------

    @abstractmethod
    def build_head(self, channels: int, mels: int, classes: int) -> nn.Module:
        """Decoder from [B, C, M, E] and the valid frames [B] to logits ([B, K] or [B, E])."""

    @abstractmethod
    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean loss of a training batch, a scalar; logits [B, K] or [B, F], stacked targets."""

    @abstractmethod
    def distillation_loss(self, logits: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Mean distance of a training batch from a teacher's logits of one shape, a scalar.

        The gradient's size does not depend on ``temperature`` (Hinton et al. 2015).
        """

    @abstractmethod
    def scores(self, logits: Arrays, targets: Arrays) -> dict[str, float]:
        """Metrics over all clips of a split, from float32 logits per clip; contains `metric`."""

    @abstractmethod
    def resampled_scores(
        self, logits: Arrays, targets: Arrays, groups: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        """The score when groups of clips occur with other multiplicities, for bootstraps.

        Parameters
        ----------
        logits, targets
            As in `scores`.
        groups : int64 [n]
            Group of each clip, 0..G-1.
        weights : float64 [R, G]
            How often each group occurs in each of R resampled splits.

        Returns
        -------
        float64 [R]
            With weights of 1 the score itself; nan where the score is not defined, such as for
            a resampled split without any active frame.
        """

    def answers(self, logits: Arrays, targets: Arrays) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Class logits [A, K] and right classes, int64 [A], of the A answers to each clip."""
        return [row[None] for row in logits], [np.atleast_1d(target) for target in targets]

    @abstractmethod
    def prediction(
        self,
        logits: Tensor,
        classes: Sequence[str],
        thresholds: Sequence[float],
        frame_s: float,
        duration_s: float,
    ) -> Prediction:
        """What the logits of one recording say.

        Parameters
        ----------
        logits : Tensor [K], or [F] of frames that are ``frame_s`` seconds apart
        thresholds : sequence of float
            Probability that each class must reach, in [0, 1); for an activity, from which a frame
            is active.
        frame_s, duration_s : float
            Nothing is active after ``duration_s``.
        """

    def timeline(
        self, classes: Sequence[str], thresholds: Sequence[float], frame_s: float
    ) -> Timeline:
        """What puts together the segments of a long recording; arguments as of `prediction`."""
        return ClassTimeline(classes, thresholds)

    def exported_logits(self, logits: str) -> str:
        """Source of the task's logits in an exported model, from that of the decoder's."""
        return logits
