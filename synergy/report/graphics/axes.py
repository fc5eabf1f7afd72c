"""The area of a plot between its margins, and its scales."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from synergy.report.graphics.svg import add


@dataclass(frozen=True)
class Axes:
    """Two scales in an image with margins, all in pixels; a value outside lies on the edge.

    ``xs`` and ``ys`` are the smallest and the largest value, ``power`` is that of the horizontal
    scale: 0.5 for one of square roots.
    """

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    xs: tuple[float, float]
    ys: tuple[float, float]
    power: float = 1.0

    @property
    def base(self) -> float:
        """Lower edge of the plot."""
        return self.height - self.bottom

    @property
    def end(self) -> float:
        """Right edge of the plot."""
        return self.width - self.right

    def x(self, value: float) -> float:
        """Place of a value from left to right."""
        return self.left + _share(value, self.xs) ** self.power * (self.end - self.left)

    def y(self, value: float) -> float:
        """Place of a value from the bottom up."""
        return self.base - _share(value, self.ys) * (self.base - self.top)

    def across(self, image: Element, value: float) -> float:
        """Draw the grid line of a value on the vertical scale; returns its place."""
        y = self.y(value)
        add(image, "line", {"class": "grid", "x1": self.left, "x2": self.end, "y1": y, "y2": y})
        return y

    def upright(self, image: Element, value: float, kind: str = "grid") -> float:
        """Draw the line of a value on the horizontal scale; returns its place."""
        x = self.x(value)
        add(image, "line", {"class": kind, "x1": x, "x2": x, "y1": self.top, "y2": self.base})
        return x


def _share(value: float, ends: tuple[float, float]) -> float:
    low, high = ends
    return (min(max(value, low), high) - low) / (high - low)
