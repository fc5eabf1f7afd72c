"""Segments of long recordings, out of windows that come one after the other.

Shapes: K class, F feature frame of a window.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from synergy.tasks.predictions import SHORTEST_PAUSE_S, SHORTEST_SEGMENT_S, PredictedSegment

_MARGIN_S = 1e-9  # 0.3 - 0.2 is below 0.1


class Timeline(ABC):
    """What one task says about one recording, in order of time and without overlap."""

    @abstractmethod
    def add(self, start_s: float, end_s: float, logits: Tensor) -> Iterator[PredictedSegment]:
        """Take the next window, [K] or [F]; gives the segments that no later window changes.

        Windows begin ever later and are of one length.
        """

    @abstractmethod
    def end(self, duration_s: float) -> Iterator[PredictedSegment]:
        """The segments that are left when all windows of ``duration_s`` seconds are there."""


class ClassTimeline(Timeline):
    """The class of each window; neighbours of one class are one segment, with their mean.

    A window stands for the time that is nearer to its middle than to that of any other. Its
    class is the most probable one, if that reaches its threshold; else none.
    """

    def __init__(self, classes: Sequence[str], thresholds: Sequence[float]) -> None:
        self._classes, self._thresholds = classes, thresholds
        self._start_s = self._middle_s = 0.0
        self._label: str | None = None
        self._shares: list[float] = []

    def add(self, start_s: float, end_s: float, logits: Tensor) -> Iterator[PredictedSegment]:
        """Take the logits [K] of a window; a segment when its class ends."""
        shares = torch.softmax(logits.double(), dim=0)
        best = int(logits.argmax())
        share = float(shares[best])
        label = self._classes[best] if share >= self._thresholds[best] else None
        middle_s = (start_s + end_s) / 2
        if label != self._label:
            yield from self._until((self._middle_s + middle_s) / 2 if start_s else 0.0)
            self._label = label
        self._shares.append(share)
        self._middle_s = middle_s

    def end(self, duration_s: float) -> Iterator[PredictedSegment]:
        """The last segment."""
        yield from self._until(duration_s)

    def _until(self, end_s: float) -> Iterator[PredictedSegment]:
        start_s, self._start_s, shares, self._shares = self._start_s, end_s, self._shares, []
        if self._label is not None:
            yield PredictedSegment(
                round(start_s, 6), round(end_s, 6), self._label, sum(shares) / len(shares)
            )


class ActivityTimeline(Timeline):
    """Stretches of active frames; of frames in several windows the mean probability counts.

    Frame f stands for the time from ``f * frame_s`` to ``(f + 1) * frame_s``. Frames are active
    where the probability reaches the threshold; then pauses shorter than `SHORTEST_PAUSE_S` are
    filled and segments shorter than `SHORTEST_SEGMENT_S` dropped. So a threshold that rises only
    shrinks what is active.
    """

    def __init__(self, label: str, threshold: float, frame_s: float) -> None:
        self._label, self._threshold, self._frame_s = label, threshold, frame_s
        # Frames that later windows may change: sums of probabilities, and of how many windows.
        self._first = 0
        self._sums = self._counts = np.zeros(0, np.float32)
        self._total = 0.0  # of all probabilities before them
        self._run: tuple[int, int, float, float] | None = None  # frames, and totals at these

    def add(self, start_s: float, end_s: float, logits: Tensor) -> Iterator[PredictedSegment]:
        """Take the logits [F] of a window; segments that a long enough pause ends before it."""
        first = round(start_s / self._frame_s)
        yield from self._settle(first - self._first)
        missing = (0, max(0, len(logits) - len(self._sums)))
        self._sums, self._counts = np.pad(self._sums, missing), np.pad(self._counts, missing)
        self._sums[: len(logits)] += torch.sigmoid(logits).cpu().numpy()
        self._counts[: len(logits)] += 1

    def end(self, duration_s: float) -> Iterator[PredictedSegment]:
        """The segments that are left; none ends after ``duration_s``."""
        yield from self._settle(len(self._sums))
        yield from self._closed(duration_s)

    def _settle(self, frames: int) -> Iterator[PredictedSegment]:
        """Nothing changes so many frames any more."""
        active = self._sums[:frames] / self._counts[:frames]
        totals = self._total + np.cumsum(np.pad(active.astype(np.float64), (1, 0)))
        edges = np.diff(active >= self._threshold, prepend=False, append=False)
        for start, end in np.flatnonzero(edges).reshape(-1, 2).tolist():
            run = (self._first + start, self._first + end, float(totals[start]), float(totals[end]))
            if self._run is None:
                self._run = run
            elif (run[0] - self._run[1]) * self._frame_s < SHORTEST_PAUSE_S - _MARGIN_S:
                self._run = (self._run[0], run[1], self._run[2], run[3])
            else:
                yield from self._closed(self._run[1] * self._frame_s)
                self._run = run
        self._sums, self._counts = self._sums[frames:], self._counts[frames:]
        self._first, self._total = self._first + frames, float(totals[-1])

    def _closed(self, latest_s: float) -> Iterator[PredictedSegment]:
        """The stretch that is held, unless it is too short."""
        if self._run is None:
            return
        first, last, before, after = self._run
        start_s, end_s = (min(frame * self._frame_s, latest_s) for frame in (first, last))
        if end_s - start_s >= SHORTEST_SEGMENT_S - _MARGIN_S:
            mean = (after - before) / (last - first)
            yield PredictedSegment(round(start_s, 6), round(end_s, 6), self._label, mean)
