"""Size against accuracy reduction: predictions of the table as steps, measured models as points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from synergy.report.graphics.axes import Axes
from synergy.report.graphics.label_places import Box, Place, Room
from synergy.report.graphics.svg import add, svg, text, text_of, ticks
from synergy.report.trees import DistinctTree
from synergy.wording import REPORTED

_MARGINS = (52, 14, 14, 40)  # pixels: left, right, top, bottom
_LETTER = 6.3
_LONGEST = 30


@dataclass(frozen=True)
class Mark:
    """A measured model.

    Attributes
    ----------
    label : str
    split : {"valid", "test"}
    ar_pct : float
    low, high : float, or None
        Interval of the AR, in percent.
    params : float
    kind : {"final", "other"}
    """

    label: str
    split: str
    ar_pct: float
    low: float | None
    high: float | None
    params: float
    kind: str = "other"


def frontier_svg(
    steps: Sequence[DistinctTree],
    marks: Sequence[Mark],
    whole: float,
    max_ar: float | None,
    width: float = 860,
    height: float = 460,
) -> str:
    """Draw the frontier.

    Parameters
    ----------
    steps : sequence of DistinctTree
        Ascending thresholds.
    marks : sequence of Mark
        Of both splits; the page shows one of them at a time.
    whole : float
        Parameters of independent models, for the second scale; 0 when it is not known.
    max_ar : float, or None
        The threshold of the run, a vertical line.
    width, height : float
        In pixels. Below 600 the points carry numbers, the places of their labels in
        `legend_of`.
    """
    narrow, legend = width < 600, legend_of(marks)
    ars = [*(m.ar_pct for m in marks), *(s.predicted_ar_pct for s in steps)]
    ars += [s.low for s in steps] + ([max_ar] if max_ar is not None else [])
    sizes = [*(m.params for m in marks), *(s.params for s in steps)]
    least, most = min(sizes, default=0.0), max(sizes, default=1.0)
    span = max(most - least, 0.1 * most, 1.0)
    ys = (max(0.0, least - 0.1 * span), most + 0.06 * span)
    # A square root scale: most of what matters lies between 0 and a few percent.
    axes = Axes(width, height, *_MARGINS, (0.0, max([*ars, 1.0]) * 1.15), ys, power=0.5)
    image = svg(
        width,
        height,
        "Parameters against accuracy reduction",
        f"{len(steps)} predicted trees and {len(legend)} measured models; "
        "the numbers are in the tables of this page",
        f"frontier {'narrow' if narrow else 'wide'}",
    )
    _grid(image, axes, whole, max_ar)
    lines = _steps(image, axes, steps)
    for split in REPORTED:
        group = add(image, "g", {"class": f"split {split}"})
        shown = [mark for mark in marks if mark.split == split]
        _marks(group, axes, shown, legend if narrow else (), lines)
    return text_of(image)


def legend_of(marks: Sequence[Mark]) -> tuple[str, ...]:
    """Names of the measured models; the number of a point is the place of its name, from 1."""
    return tuple(dict.fromkeys(mark.label for mark in marks))


def _grid(image: Element, axes: Axes, whole: float, max_ar: float | None) -> None:
    for size in ticks(*axes.ys, 6):
        y = axes.across(image, size)
        text(image, "left", axes.left - 6, y + 1, _thousands(size))
        if whole:
            share = f"{100 * size / whole:.0f} %"
            text(image, "left small", axes.left - 6, y + 12, share)
    free = 0.0  # x from which on the next label does not touch the one before
    for ar in (0, 0.5, 1, 2, 5, 10, 20, 50, 100):
        if ar > axes.xs[1] or axes.x(ar) < free:
            continue
        x = axes.upright(image, ar)
        free = x + _LETTER * 6
        text(image, "below", x, axes.base + 15, f"{ar:g} %")
    words = "accuracy reduction (square-root scale)"
    text(image, "below", (axes.left + axes.end) / 2, axes.height - 6, words)
    if max_ar is not None:
        x = axes.upright(image, max_ar, "threshold")
        text(image, "threshold", x + 4, axes.top + 10, f"threshold {max_ar:g} %")


def _steps(image: Element, axes: Axes, steps: Sequence[DistinctTree]) -> list[Box]:
    """Draw the predicted trees; returns what labels should not cover."""
    corners = [(axes.x(step.low), axes.y(step.params)) for step in steps]
    if not corners:
        return []
    path = [f"M{corners[0][0]:.1f} {corners[0][1]:.1f}"]
    path += [f"H{x:.1f}V{y:.1f}" for x, y in corners[1:]]
    path.append(f"H{axes.end:.1f}")
    add(image, "path", {"class": "steps", "d": "".join(path)})
    for number, (step, (x, y)) in enumerate(zip(steps, corners, strict=True)):
        at = {"cx": x, "cy": y, "r": 4}
        dot = add(image, "circle", {**at, "class": "step", "data-tree": str(number)})
        words = f"{step.notation}: {step.params:,.0f} parameters, predicted AR "
        add(dot, "title", words=f"{words}{step.predicted_ar_pct:.1f} %")
    ends = [*corners[1:], (axes.end, corners[-1][1])]
    boxes = [(x - 5, y - 5, x + 5, y + 5) for x, y in corners]
    for (x1, y1), (x2, y2) in zip(corners, ends, strict=True):
        boxes.append((x1, y1 - 1, x2, y1 + 1))
        boxes.append((x2 - 1, min(y1, y2), x2 + 1, max(y1, y2)))
    return boxes


def _marks(
    group: Element,
    axes: Axes,
    marks: Sequence[Mark],
    legend: Sequence[str],
    lines: Sequence[Box],
) -> None:
    merged = _merged(marks, legend)
    places = [(axes.x(mark.ar_pct), axes.y(mark.params)) for mark in merged]
    room = Room(axes, [(x - 6, y - 6, x + 6, y + 6) for x, y in places], [], list(lines))
    bars = add(group, "g", {"class": "bars"})
    for mark, (_, y) in zip(merged, places, strict=True):
        if mark.low is not None and mark.high is not None and mark.low < mark.high:
            x1, x2 = axes.x(mark.low), axes.x(mark.high)
            room.lines.append((x1, y - 1, x2, y + 1))
            caps = f"M{x1:.1f} {y - 3:.1f}v6m0 -3H{x2:.1f}m0 -3v6"
            add(bars, "path", {"d": caps, "class": mark.kind})
    # The run's own tree lies on top, and its label gets the best place.
    both = list(zip(merged, places, strict=True))
    for mark, place in sorted(both, key=lambda item: item[0].kind == "final"):
        _shape(group, mark, place)

    # Short labels fit close to their marks; the long ones then go around them.
    def turn(item: tuple[Mark, Place]) -> tuple[bool, int, float, float]:
        return item[0].kind != "final", len(item[0].label), *item[1]

    for mark, place in sorted(both, key=turn):
        _label(group, room, mark, place)


def _shape(group: Element, mark: Mark, place: Place) -> None:
    """A diamond for the run's own tree, a circle for others: not told by colour alone."""
    x, y = place
    if mark.kind == "final":
        path = f"M{x:.1f} {y - 7:.1f}l7 7l-7 7l-7 -7z"
        shape = add(group, "path", {"class": "mark final", "d": path})
    else:
        shape = add(group, "circle", {"class": "mark", "cx": x, "cy": y, "r": 4.5})
    add(shape, "title", words=_sentence(mark))


def _merged(marks: Sequence[Mark], legend: Sequence[str]) -> list[Mark]:
    """One mark for models that are the same point, with all their names or numbers."""
    places: dict[tuple[float, float], list[Mark]] = {}
    for mark in marks:
        places.setdefault((round(mark.ar_pct, 6), mark.params), []).append(mark)
    merged: list[Mark] = []
    for same in places.values():
        names = list(dict.fromkeys(mark.label for mark in same))
        texts = [str(legend.index(name) + 1) for name in names] if legend else names
        kind = "final" if any(mark.kind == "final" for mark in same) else "other"
        merged.append(replace(same[0], label=", ".join(texts), kind=kind))
    return merged


def _label(group: Element, room: Room, mark: Mark, place: Place) -> None:
    """Write the label at the best place near its mark, with a line to it where it is not beside."""
    words = mark.label if len(mark.label) <= _LONGEST else f"{mark.label[: _LONGEST - 1]}…"
    found = room.take(place, _LETTER * len(words) + 4)
    if found is None:  # the tooltip and the tables still have it
        return
    (left, _, _, low), leader = found
    if leader:
        (x1, y1), (x2, y2) = leader
        add(group, "line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "class": "leader"})
    text(group, f"label {mark.kind}", left + 2, low - 2, words)


def _sentence(mark: Mark) -> str:
    interval = ""
    if mark.low is not None and mark.high is not None:
        interval = f" [{mark.low:.1f}, {mark.high:.1f}]"
    return f"{mark.label}: AR {mark.ar_pct:.1f} %{interval} ({mark.split}), {mark.params:,.0f}"


def _thousands(size: float) -> str:
    return f"{size / 1000:g}k" if size >= 1000 else f"{size:g}"
