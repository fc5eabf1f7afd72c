"""Validation scores over epochs: a shared model's seeds beside those of the single-task model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from synergy.report.graphics.svg import add, points, svg, text_of, ticks

Place = Callable[[float], float]

_WIDTH, _HEIGHT = 312, 176
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 8, 10, 34
_BELOW = 0.25  # of all points may fall below the axis: what counts is where the climb ends


@dataclass(frozen=True)
class Curve:
    """One training.

    Attributes
    ----------
    kind : {"single", "shared"}
    places : tuple of (float, float)
        Epoch and score in percent, ascending.
    best : int, or None
        Place of the epoch whose weights were kept.
    """

    kind: str
    places: tuple[tuple[float, float], ...]
    best: int | None = None


def curves_svg(name: str, curves: Sequence[Curve]) -> str:
    """Draw curves over one pair of axes.

    Parameters
    ----------
    name : str
        What a screen reader says.
    curves : sequence of Curve
        Later ones lie on top.
    """
    image = svg(_WIDTH, _HEIGHT, name, _about(curves), "curves")
    values = sorted(score for curve in curves for _, score in curve.places)
    if not values:
        return text_of(image)
    low, high = values[int(_BELOW * len(values))], values[-1]
    margin = max(0.06 * (high - low), 0.5)
    low, high = max(0.0, low - margin), min(100.0, high + margin)
    last = max(curve.places[-1][0] for curve in curves if curve.places)
    first = min(curve.places[0][0] for curve in curves if curve.places)
    first = first if last > first else last - 1

    def x(epoch: float) -> float:
        return _LEFT + (epoch - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)

    def y(score: float) -> float:
        share = (min(max(score, low), high) - low) / (high - low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    _axes(image, x, y, (first, last), (low, high))
    for curve in curves:
        _draw(image, curve, x, y, low)
    return text_of(image)


def _axes(
    image: Element,
    x: Place,
    y: Place,
    epochs: tuple[float, float],
    scores: tuple[float, float],
) -> None:
    for score in ticks(*scores, 4):
        line = {"class": "grid", "x1": _LEFT, "x2": _WIDTH - _RIGHT, "y1": y(score), "y2": y(score)}
        add(image, "line", line)
        add(image, "text", {"class": "left", "x": _LEFT - 5, "y": y(score) + 4}, f"{score:g}")
    base = _HEIGHT - _BOTTOM
    for epoch in ticks(*epochs, 6):
        if epoch == round(epoch):
            add(image, "text", {"class": "below", "x": x(epoch), "y": base + 15}, f"{epoch:g}")
    add(image, "text", {"class": "below", "x": (_LEFT + _WIDTH) / 2, "y": _HEIGHT - 4}, "epoch")


def _draw(image: Element, curve: Curve, x: Place, y: Place, low: float) -> None:
    places = list(curve.places)
    start = next((n for n, (_, score) in enumerate(places) if score >= low), 0)
    shown = places[start:]
    if start:  # where the climb from below the axis crosses it
        (before, under), (after, over) = places[start - 1], places[start]
        shown.insert(0, (after - (after - before) * (over - low) / (over - under), low))
    line = {"class": curve.kind, "points": points([(x(e), y(s)) for e, s in shown])}
    add(image, "polyline", line)
    if curve.best is not None:
        epoch, score = places[curve.best]
        add(image, "circle", {"class": curve.kind, "cx": x(epoch), "cy": y(score), "r": 3})


def _about(curves: Sequence[Curve]) -> str:
    parts: list[str] = []
    for kind, words in (("single", "alone"), ("shared", "shared")):
        kept = [c.places[c.best][1] for c in curves if c.kind == kind and c.best is not None]
        if kept:
            reached = ", ".join(f"{score:.1f} %" for score in kept)
            parts.append(f"{words} kept {reached}")
    return "; ".join(parts)
