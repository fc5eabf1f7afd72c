"""Where labels fit beside their marks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from synergy.report.graphics.axes import Axes

_LINE = 14
_BESIDE = 14  # pixels from a mark within which its label needs no line

Place = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, upper, right and lower edge."""


@dataclass(frozen=True)
class Room:
    """What lies in the plot: labels keep off marks and labels, and off lines where they can."""

    axes: Axes
    marks: list[Box]
    labels: list[Box]
    lines: list[Box]

    def take(self, place: Place, wide: float) -> tuple[Box, tuple[Place, Place] | None] | None:
        """Take the best room for a label near a place, and a line to it where it is not beside.

        None where all is taken.
        """
        best: tuple[float, Box, list[Box]] | None = None
        for away, box in _candidates(place, wide):
            if best is not None and away >= best[0]:
                break  # candidates come by distance, so none that follows can be better
            leader = _along(place, _nearest(place, box)) if away > _BESIDE else []
            cost = away + self._cost(box, leader)
            if cost < (math.inf if best is None else best[0]):
                best = (cost, box, leader)
        if best is None:
            return None
        _, box, leader = best
        self.labels.append(box)
        self.lines.extend(leader)
        return box, (place, _nearest(place, box)) if leader else None

    def _cost(self, box: Box, leader: Sequence[Box]) -> float:
        """How bad it is to put a label here, in pixels of a longer way; infinite if impossible."""
        axes, (left, upper, right, lower) = self.axes, box
        inside = left > axes.left and right < axes.width - 2
        if not (inside and upper >= axes.top - 4 and lower <= axes.base):
            return math.inf
        if any(_overlap(box, other) for other in (*self.marks, *self.labels)):
            return math.inf
        crossed = sum(any(_overlap(s, other) for s in leader) for other in self.labels)
        return 40.0 * crossed + 24.0 * sum(_overlap(box, line) for line in self.lines)


def _candidates(place: Place, wide: float) -> list[tuple[float, Box]]:
    """Boxes of a label around a place with their distances, the nearest first."""
    x, y = place
    found = [(x + 9, y), (x - 9 - wide, y)]
    for line in range(1, 11):
        for part in range(-6, 17, 2):
            left = x - part / 10 * wide
            found += [(left, y - line * _LINE - 1), (left, y + line * _LINE + 1)]
    boxes = [(left, middle - 7, left + wide, middle + 6) for left, middle in found]
    away = [(math.dist(place, _nearest(place, box)), box) for box in boxes]
    return sorted(away, key=lambda candidate: candidate[0])


def _nearest(place: Place, box: Box) -> Place:
    """The point of a box, a little inside its sides, that is nearest to a place."""
    return (
        min(max(place[0], box[0] + 3), box[2] - 3),
        min(max(place[1], box[1] + 2), box[3] - 2),
    )


def _along(start: Place, end: Place) -> list[Box]:
    """Small boxes along a line, without its beginning in the mark."""
    (x1, y1), (x2, y2) = start, end
    steps = max(2, int(math.dist(start, end) / 6))
    shares = [n / steps for n in range(1, steps)]
    places = [(x1 + share * (x2 - x1), y1 + share * (y2 - y1)) for share in shares]
    return [(x - 1, y - 1, x + 1, y + 1) for x, y in places if math.dist((x, y), start) > 9]


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
