"""What the rest of the package knows of a kind of task: its decoder, its loss, its score.

Shapes: B batch, C channel, M mel, F frame of the features, E frame of the encoder's output,
K class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from torch import Tensor, nn

from synergy.tasks.predictions import Prediction


@dataclass(frozen=True)
class TaskSpec:
    """A task as networks and results know it.

    Attributes
    ----------
    name : str
    kind : str
        Key in ``TASK_KINDS``.
    classes : tuple of str
        Names in the order of the logits; for an activity, the one label that is detected.
    """

    name: str
    kind: str
    classes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The specification as JSON values."""
        return {"name": self.name, "kind": self.kind, "classes": list(self.classes)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TaskSpec:
        """Inverse of `to_json`."""
        return cls(data["name"], data["kind"], tuple(data["classes"]))


class TaskKind(Protocol):
    """One kind of task."""

    @property
    def name(self) -> str:
        """Key in ``TASK_KINDS``."""
        ...

    @property
    def per_frame(self) -> bool:
        """True when the targets are one value per feature frame instead of one per clip."""
        ...

    @property
    def metric(self) -> str:
        """Name of the score: the metric that AR is taken of, higher is better, in [0, 1]."""
        ...

    def build_head(self, channels: int, mels: int, classes: int) -> nn.Module:
        """Decoder from [B, C, M, E] and the valid frames [B] to logits ([B, K] or [B, E])."""
        ...

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean loss of a training batch, a scalar.

        ``logits`` are [B, K], or [B, F] where ``per_frame``; ``targets`` are class numbers [B]
        or activity per feature frame [B, F] in {0, 1}.
        """
        ...

    def distillation_loss(self, logits: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Mean distance of a training batch from a teacher's logits, a scalar.

        Both are [B, K], or [B, F] where ``per_frame``. The gradient's size does not depend on
        ``temperature`` (Hinton et al. 2015).
        """
        ...

    def resampled_scores(
        self,
        logits: list[np.ndarray],
        targets: list[np.ndarray],
        groups: np.ndarray,
        weights: np.ndarray,
    ) -> np.ndarray:
        """The score when groups of clips occur with other multiplicities, for bootstraps.

        Parameters
        ----------
        logits, targets : list of arrays
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
        ...

    def scores(self, logits: list[np.ndarray], targets: list[np.ndarray]) -> dict[str, float]:
        """Metrics over all clips of a split; contains `metric`.

        Parameters
        ----------
        logits : list of float32 arrays
            Per clip [K], or [F] where ``per_frame``.
        targets : list of arrays
            Per clip a class number [], or activity [F].
        """
        ...

    @property
    def threshold(self) -> float | None:
        """Usual probability from which a frame is active; None where nothing is detected."""
        ...

    def prediction(
        self,
        logits: Tensor,
        classes: Sequence[str],
        threshold: float | None,
        frame_s: float,
        duration_s: float,
    ) -> Prediction:
        """What the logits of one recording say.

        Parameters
        ----------
        logits : Tensor [K], or [F] of frames that are ``frame_s`` seconds apart
        classes : sequence of str
        threshold : float, optional
            Probability from which a frame is active, in (0, 1); the usual one if None.
        frame_s, duration_s : float
            Nothing is active after ``duration_s``.
        """
        ...

    def exported_logits(self, logits: str) -> str:
        """Source of the task's logits in an exported model, from that of the decoder's."""
        ...
