"""Size against accuracy reduction: predictions of the table as steps, measured models as points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from synergy.report.graphics.svg import add, svg, text_of, ticks

_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 14, 40
_LETTER = 6.3
_LINE = 14
_LONGEST = 30
_BESIDE = 14  # pixels from a mark within which its label needs no line

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Step:
    """A tree that a table predicts.

    Attributes
    ----------
    threshold : float
        From which on it is found, in percent.
    predicted_ar_pct : float
    params : float
    notation : str
    """

    threshold: float
    predicted_ar_pct: float
    params: float
    notation: str


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


@dataclass(frozen=True)
class _Frame:
    """The area of the plot and its scales."""

    width: float
    height: float
    most_ar: float
    sizes: tuple[float, float]

    def x(self, ar_pct: float) -> float:
        """Square root scale: most of what matters lies between 0 and a few percent."""
        share = math.sqrt(min(max(ar_pct, 0.0), self.most_ar) / self.most_ar)
        return _LEFT + share * (self.width - _LEFT - _RIGHT)

    def y(self, params: float) -> float:
        low, high = self.sizes
        share = (params - low) / (high - low)
        return self.height - _BOTTOM - share * (self.height - _TOP - _BOTTOM)


def frontier_svg(
    steps: Sequence[Step],
    marks: Sequence[Mark],
    whole: float,
    max_ar: float | None,
    width: float = 860,
    height: float = 460,
) -> str:
    """Draw the frontier.

    Parameters
    ----------
    steps : sequence of Step
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
    narrow = width < 600
    ars = [*(m.ar_pct for m in marks), *(s.predicted_ar_pct for s in steps)]
    ars += [s.threshold for s in steps] + ([max_ar] if max_ar is not None else [])
    sizes = [*(m.params for m in marks), *(s.params for s in steps)]
    least, most = min(sizes, default=0.0), max(sizes, default=1.0)
    span = max(most - least, 0.1 * most, 1.0)
    frame = _Frame(
        width,
        height,
        max([*ars, 1.0]) * 1.15,
        (max(0.0, least - 0.1 * span), most + 0.06 * span),
    )
    image = svg(
        width,
        height,
        "Parameters against accuracy reduction",
        f"{len(steps)} predicted trees and {len(legend_of(marks))} measured models; "
        "the numbers are in the tables of this page",
        f"frontier {'narrow' if narrow else 'wide'}",
    )
    _axes(image, frame, whole, max_ar)
    lines = _steps(image, frame, steps)
    legend = legend_of(marks)
    for split in ("valid", "test"):
        group = add(image, "g", {"class": f"split {split}"})
        shown = [mark for mark in marks if mark.split == split]
        _marks(group, frame, shown, legend if narrow else (), lines)
    return text_of(image)


def legend_of(marks: Sequence[Mark]) -> tuple[str, ...]:
    """Names of the measured models; the number of a point is the place of its name, from 1."""
    return tuple(dict.fromkeys(mark.label for mark in marks))


def _axes(image: Element, frame: _Frame, whole: float, max_ar: float | None) -> None:
    base, right = frame.height - _BOTTOM, frame.width - _RIGHT
    for size in ticks(*frame.sizes, 6):
        y = frame.y(size)
        add(image, "line", {"class": "grid", "x1": _LEFT, "x2": right, "y1": y, "y2": y})
        add(image, "text", {"class": "left", "x": _LEFT - 6, "y": y + 1}, _thousands(size))
        if whole:
            share = f"{100 * size / whole:.0f} %"
            add(image, "text", {"class": "left small", "x": _LEFT - 6, "y": y + 12}, share)
    free = 0.0  # x from which on the next label does not touch the one before
    for ar in (0, 0.5, 1, 2, 5, 10, 20, 50, 100):
        x = frame.x(ar)
        if ar > frame.most_ar or x < free:
            continue
        free = x + _LETTER * 6
        add(image, "line", {"class": "grid", "x1": x, "x2": x, "y1": _TOP, "y2": base})
        add(image, "text", {"class": "below", "x": x, "y": base + 15}, f"{ar:g} %")
    middle = (_LEFT + right) / 2
    words = "accuracy reduction (square-root scale)"
    add(image, "text", {"class": "below", "x": middle, "y": frame.height - 6}, words)
    if max_ar is not None:
        x = frame.x(max_ar)
        add(image, "line", {"class": "threshold", "x1": x, "x2": x, "y1": _TOP, "y2": base})
        at = {"class": "threshold", "x": x + 4, "y": _TOP + 10}
        add(image, "text", at, f"threshold {max_ar:g} %")


def _steps(image: Element, frame: _Frame, steps: Sequence[Step]) -> list[Box]:
    """Draw the predicted trees; returns what labels should not cover."""
    corners = [(frame.x(step.threshold), frame.y(step.params)) for step in steps]
    if not corners:
        return []
    path = [f"M{corners[0][0]:.1f} {corners[0][1]:.1f}"]
    path += [f"H{x:.1f}V{y:.1f}" for x, y in corners[1:]]
    path.append(f"H{frame.width - _RIGHT:.1f}")
    add(image, "path", {"class": "steps", "d": "".join(path)})
    for number, (step, (x, y)) in enumerate(zip(steps, corners, strict=True)):
        at = {"cx": x, "cy": y, "r": 4}
        dot = add(image, "circle", {**at, "class": "step", "data-tree": str(number)})
        words = f"{step.notation}: {step.params:,.0f} parameters, predicted AR "
        add(dot, "title", text=f"{words}{step.predicted_ar_pct:.1f} %")
    ends = [*corners[1:], (frame.width - _RIGHT, corners[-1][1])]
    boxes = [(x - 5, y - 5, x + 5, y + 5) for x, y in corners]
    for (x1, y1), (x2, y2) in zip(corners, ends, strict=True):
        boxes.append((x1, y1 - 1, x2, y1 + 1))
        boxes.append((x2 - 1, min(y1, y2), x2 + 1, max(y1, y2)))
    return boxes


def _marks(
    group: Element,
    frame: _Frame,
    marks: Sequence[Mark],
    legend: Sequence[str],
    lines: Sequence[Box],
) -> None:
    merged = _merged(marks, legend)
    places = [(frame.x(mark.ar_pct), frame.y(mark.params)) for mark in merged]
    room = _Room(frame, [(x - 6, y - 6, x + 6, y + 6) for x, y in places], [], list(lines))
    bars = add(group, "g", {"class": "bars"})
    for mark, (_, y) in zip(merged, places, strict=True):
        if mark.low is not None and mark.high is not None and mark.low < mark.high:
            x1, x2 = frame.x(mark.low), frame.x(mark.high)
            room.lines.append((x1, y - 1, x2, y + 1))
            caps = f"M{x1:.1f} {y - 3:.1f}v6m0 -3H{x2:.1f}m0 -3v6"
            add(bars, "path", {"d": caps, "class": mark.kind})
    # The run's own tree lies on top, and its label gets the best place.
    both = list(zip(merged, places, strict=True))
    for mark, place in sorted(both, key=lambda item: item[0].kind == "final"):
        _shape(group, mark, place)

    # Short labels fit close to their marks; the long ones then go around them.
    def turn(item: tuple[Mark, tuple[float, float]]) -> tuple[bool, int, float, float]:
        return item[0].kind != "final", len(item[0].label), *item[1]

    for mark, place in sorted(both, key=turn):
        _label(group, room, mark, place)


def _shape(group: Element, mark: Mark, place: tuple[float, float]) -> None:
    """A diamond for the run's own tree, a circle for others: not told by colour alone."""
    x, y = place
    if mark.kind == "final":
        path = f"M{x:.1f} {y - 7:.1f}l7 7l-7 7l-7 -7z"
        shape = add(group, "path", {"class": "mark final", "d": path})
    else:
        shape = add(group, "circle", {"class": "mark", "cx": x, "cy": y, "r": 4.5})
    add(shape, "title", text=_sentence(mark))


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


@dataclass(frozen=True)
class _Room:
    """What lies in the plot: labels keep off marks and labels, and off lines where they can."""

    frame: _Frame
    marks: list[Box]
    labels: list[Box]
    lines: list[Box]

    def cost(self, box: Box, leader: Sequence[Box]) -> float:
        """How bad it is to put a label here, in pixels of a longer way; infinite if impossible."""
        frame = self.frame
        if box[0] <= _LEFT or box[2] >= frame.width - 2:
            return math.inf
        if box[1] < _TOP - 4 or box[3] > frame.height - _BOTTOM:
            return math.inf
        if any(_overlap(box, other) for other in (*self.marks, *self.labels)):
            return math.inf
        crossed = sum(any(_overlap(s, other) for s in leader) for other in self.labels)
        return 40.0 * crossed + 24.0 * sum(_overlap(box, line) for line in self.lines)


def _label(group: Element, room: _Room, mark: Mark, place: tuple[float, float]) -> None:
    """Write the label at the best place near its mark, with a line to it where it is not beside."""
    text = mark.label if len(mark.label) <= _LONGEST else f"{mark.label[: _LONGEST - 1]}…"
    wide = _LETTER * len(text) + 4
    best: tuple[float, Box, list[Box]] | None = None
    for left, middle in _candidates(place, wide):
        box = (left, middle - 7, left + wide, middle + 6)
        end = _nearest(place, box)
        away = math.dist(place, end)
        if best is not None and away >= best[0]:
            break  # candidates come by distance, so none that follows can be better
        leader = _along(place, end) if away > _BESIDE else []
        cost = away + room.cost(box, leader)
        if cost < (math.inf if best is None else best[0]):
            best = (cost, box, leader)
    if best is None:  # the tooltip and the tables still have it
        return
    _, box, leader = best
    room.labels.append(box)
    room.lines.extend(leader)
    if leader:
        x2, y2 = _nearest(place, box)
        line = {"x1": place[0], "y1": place[1], "x2": x2, "y2": y2}
        add(group, "line", {**line, "class": "leader"})
    add(group, "text", {"x": box[0] + 2, "y": box[3] - 2, "class": f"label {mark.kind}"}, text)


def _candidates(place: tuple[float, float], wide: float) -> list[tuple[float, float]]:
    """Left edge and middle line of a label around a place, the nearest first."""
    x, y = place
    found = [(x + 9, y), (x - 9 - wide, y)]
    for line in range(1, 11):
        for part in range(-6, 17, 2):
            left = x - part / 10 * wide
            found += [(left, y - line * _LINE - 1), (left, y + line * _LINE + 1)]

    def away(candidate: tuple[float, float]) -> float:
        left, middle = candidate
        return math.dist(place, _nearest(place, (left, middle - 7, left + wide, middle + 6)))

    return sorted(found, key=away)


def _nearest(place: tuple[float, float], box: Box) -> tuple[float, float]:
    """The point of a box, a little inside its sides, that is nearest to a place."""
    return (
        min(max(place[0], box[0] + 3), box[2] - 3),
        min(max(place[1], box[1] + 2), box[3] - 2),
    )


def _along(start: tuple[float, float], end: tuple[float, float]) -> list[Box]:
    """Small boxes along a line, without its beginning in the mark."""
    steps = max(2, int(math.dist(start, end) / 6))
    places = [
        (start[0] + n / steps * (end[0] - start[0]), start[1] + n / steps * (end[1] - start[1]))
        for n in range(1, steps)
    ]
    return [(x - 1, y - 1, x + 1, y + 1) for x, y in places if math.dist((x, y), start) > 9]


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _sentence(mark: Mark) -> str:
    interval = ""
    if mark.low is not None and mark.high is not None:
        interval = f" [{mark.low:.1f}, {mark.high:.1f}]"
    return f"{mark.label}: AR {mark.ar_pct:.1f} %{interval} ({mark.split}), {mark.params:,.0f}"


def _thousands(size: float) -> str:
    return f"{size / 1000:g}k" if size >= 1000 else f"{size:g}"
