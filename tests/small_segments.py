"""Segments of frames that are surely active or not."""

from __future__ import annotations

import numpy as np
import torch

from synergy.tasks.timelines import ActivityTimeline


def segments(
    active: np.ndarray, frame_s: float, duration_s: float
) -> tuple[tuple[float, float], ...]:
    """Start and end of each, heard in one window; ``active`` is bool [F]."""
    timeline = ActivityTimeline("speech", 0.5, frame_s)
    logits = torch.where(torch.from_numpy(active), 9.0, -9.0)
    found = [*timeline.add(0.0, duration_s, logits), *timeline.end(duration_s)]
    return tuple((each.start_s, each.end_s) for each in found)
