"""What an exported model says about one recording.

Shapes: F feature frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

SHORTEST_PAUSE_S = 0.1
"""Shorter pauses inside a segment are filled."""
SHORTEST_SEGMENT_S = 0.1
"""Shorter segments are dropped, after pauses have been filled."""


@dataclass(frozen=True)
class PredictedSegment:
    """A stretch of a recording in seconds, what it is, and how probable that is on average."""

    start_s: float
    end_s: float
    label: str
    probability: float

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @property
    def text(self) -> str:
        """For people."""
        share = 100 * self.probability
        return f"{self.label} at {self.start_s:.2f}-{self.end_s:.2f} s, {share:.1f} %"


@dataclass(frozen=True)
class ClassPrediction:
    """What a clip is: the most probable class, and the probabilities of all, which sum to 1.

    There is no label where the most probable class does not reach its threshold.
    """

    label: str | None
    probabilities: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"label": self.label, "probabilities": dict(self.probabilities)}

    @property
    def text(self) -> str:
        """The three most probable classes, for people."""
        ranked = sorted(self.probabilities.items(), key=lambda pair: -pair[1])[:3]
        shares = ", ".join(f"{label} {100 * share:.1f} %" for label, share in ranked)
        return shares if self.label is not None else f"undecided: {shares}"


@dataclass(frozen=True)
class ActivityPrediction:
    """Where ``label`` is active.

    Attributes
    ----------
    segments : tuple of (float, float)
        Start and end of each active stretch in seconds, in order, without overlap.
    probabilities : float32 array [F]
        One per feature frame; frame f is centred at ``f * frame_s``.
    """

    label: str
    segments: tuple[tuple[float, float], ...]
    probabilities: np.ndarray
    frame_s: float

    def to_json(self) -> dict[str, Any]:
        """As JSON values, without the probabilities of the frames."""
        return {"label": self.label, "segments": [list(segment) for segment in self.segments]}

    @property
    def text(self) -> str:
        """Where it is active, for people."""
        spans = ", ".join(f"{start:.2f}-{end:.2f} s" for start, end in self.segments)
        return f"{self.label} at {spans}" if spans else f"no {self.label}"


Prediction = ClassPrediction | ActivityPrediction
