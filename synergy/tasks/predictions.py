"""What an exported model says about one recording.

Shapes: F feature frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

SHORTEST_PAUSE_S = 0.1
"""Shorter pauses inside a segment are filled."""
SHORTEST_SEGMENT_S = 0.1
"""Shorter segments are dropped, after pauses have been filled."""


@dataclass(frozen=True)
class ClassPrediction:
    """What a clip is: the most probable class, and the probabilities of all, which sum to 1."""

    label: str
    probabilities: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"label": self.label, "probabilities": dict(self.probabilities)}

    @property
    def text(self) -> str:
        """The three most probable classes, for people."""
        ranked = sorted(self.probabilities.items(), key=lambda pair: -pair[1])[:3]
        return ", ".join(f"{label} {100 * share:.1f} %" for label, share in ranked)


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


def segments(
    active: np.ndarray, frame_s: float, duration_s: float
) -> tuple[tuple[float, float], ...]:
    """Stretches of ``active`` frames (bool [F]), in seconds; none ends after ``duration_s``.

    Frame f stands for the time from ``f * frame_s`` to ``(f + 1) * frame_s``.
    """
    edges = np.flatnonzero(np.diff(active, prepend=False, append=False)).reshape(-1, 2)
    runs: list[list[float]] = []
    for start_s, end_s in np.minimum(edges * frame_s, duration_s).tolist():
        if runs and start_s - runs[-1][1] < SHORTEST_PAUSE_S - 1e-9:
            runs[-1][1] = end_s
        else:
            runs.append([start_s, end_s])
    return tuple(
        (round(start_s, 6), round(end_s, 6))
        for start_s, end_s in runs
        if end_s - start_s >= SHORTEST_SEGMENT_S - 1e-9
    )
