"""Validation scores over epochs: a shared model's seeds beside those of the single-task model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from synergy.report.graphics.axes import Axes
from synergy.report.graphics.svg import add, number, svg, text, text_of, ticks

_WIDTH, _HEIGHT = 312, 176
_MARGINS = (40, 8, 10, 34)  # pixels: left, right, top, bottom
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
    """Draw curves over one pair of axes, later ones on top; a screen reader says ``name``."""
    image = svg(_WIDTH, _HEIGHT, name, _about(curves), "curves")
    values = sorted(score for curve in curves for _, score in curve.places)
    if not values:
        return text_of(image)
    low, high = values[int(_BELOW * len(values))], values[-1]
    margin = max(0.06 * (high - low), 0.5)
    last = max(curve.places[-1][0] for curve in curves if curve.places)
    first = min(curve.places[0][0] for curve in curves if curve.places)
    epochs = (first if last > first else last - 1, last)
    scores = (max(0.0, low - margin), min(100.0, high + margin))
    axes = Axes(_WIDTH, _HEIGHT, *_MARGINS, epochs, scores)
    for score in ticks(*scores, 4):
        y = axes.across(image, score)
        text(image, "left", axes.left - 5, y + 4, f"{score:g}")
    for epoch in ticks(*epochs, 6):
        if epoch == round(epoch):
            text(image, "below", axes.x(epoch), axes.base + 15, f"{epoch:g}")
    text(image, "below", (axes.left + _WIDTH) / 2, _HEIGHT - 4, "epoch")
    for curve in curves:
        _draw(image, curve, axes)
    return text_of(image)


def _draw(image: Element, curve: Curve, axes: Axes) -> None:
    places, low = list(curve.places), axes.ys[0]
    start = next((n for n, (_, score) in enumerate(places) if score >= low), 0)
    shown = places[start:]
    if start:  # where the climb from below the axis crosses it
        (before, under), (after, over) = places[start - 1], places[start]
        shown.insert(0, (after - (after - before) * (over - low) / (over - under), low))
    points = " ".join(f"{number(axes.x(e))},{number(axes.y(s))}" for e, s in shown)
    add(image, "polyline", {"class": curve.kind, "points": points})
    if curve.best is not None:
        epoch, score = places[curve.best]
        dot = {"class": curve.kind, "cx": axes.x(epoch), "cy": axes.y(score), "r": 3}
        add(image, "circle", dot)


def _about(curves: Sequence[Curve]) -> str:
    parts: list[str] = []
    for kind, words in (("single", "alone"), ("shared", "shared")):
        kept = [c.places[c.best][1] for c in curves if c.kind == kind and c.best is not None]
        if kept:
            parts.append(f"{words} kept {', '.join(f'{score:.1f} %' for score in kept)}")
    return "; ".join(parts)
