"""Size against accuracy reduction: predictions of the table as steps, measured models as points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from synergy.report.graphics.axes import Axes
from synergy.report.graphics.label_places import Box, Place, Room
from synergy.report.graphics.svg import add, svg, text, text_of, ticks
from synergy.report.trees import DistinctTree
from synergy.rows import Row
from synergy.wording import REPORTED

_MARGINS = (52, 14, 14, 40)  # pixels: left, right, top, bottom
_LETTER = 6.3
_LONGEST = 30


@dataclass(frozen=True)
class _Mark:
    """Models that are one point, by the first of them, with all their names or numbers."""

    row: Row
    label: str
    kind: str
    place: Place


def frontier_svg(
    steps: Sequence[DistinctTree],
    rows: Sequence[Row],
    ours: Row | None,
    whole: float,
    max_ar: float | None,
    width: float = 860,
    height: float = 460,
) -> str:
    """Draw predicted trees, by ascending threshold, as steps, and measured models as points.

    The row ``ours`` of the run's tree is a diamond, its threshold in percent a vertical line.
    ``whole``, parameters of independent models, is for a second scale; 0 when it is not known.
    The page shows one split at a time. Sizes are in pixels; below 600 the points carry numbers,
    the places of their names in `legend_of`.
    """
    narrow, legend = width < 600, legend_of(rows)
    ars = [1.0, *([] if max_ar is None else [max_ar])]
    ars += [ar for row in rows for ar in row.ar_pct.values() if row.params]
    ars += [ar for step in steps for ar in (step.low, step.predicted_ar_pct)]
    sizes = [*(row.params for row in rows if row.ar_pct and row.params), *(s.params for s in steps)]
    least, most = min(sizes, default=0.0), max(sizes, default=1.0)
    span = max(most - least, 0.1 * most, 1.0)
    ys = (max(0.0, least - 0.1 * span), most + 0.06 * span)
    # A square root scale: most of what matters lies between 0 and a few percent.
    axes = Axes(width, height, *_MARGINS, (0.0, max(ars) * 1.15), ys, power=0.5)
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
        marks = _merged(axes, rows, ours, split, legend if narrow else ())
        _marks(group, axes, marks, split, lines)
    return text_of(image)


def legend_of(rows: Sequence[Row]) -> tuple[str, ...]:
    """Names of what is a point; the number of a point is the place of its name, from 1."""
    return tuple(dict.fromkeys(row.name for row in rows if row.params and row.ar_pct))


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


def _merged(
    axes: Axes, rows: Sequence[Row], ours: Row | None, split: str, legend: Sequence[str]
) -> list[_Mark]:
    places: dict[tuple[float, int], list[Row]] = {}
    for row in rows:
        if row.params and split in row.ar_pct:
            places.setdefault((round(row.ar_pct[split], 6), row.params), []).append(row)
    merged: list[_Mark] = []
    for (_, params), same in places.items():
        names = dict.fromkeys(row.name for row in same)
        label = ", ".join(str(legend.index(name) + 1) if legend else name for name in names)
        kind = "final" if any(row is ours for row in same) else "other"
        place = axes.x(same[0].ar_pct[split]), axes.y(params)
        merged.append(_Mark(same[0], label, kind, place))
    return merged


def _marks(
    group: Element, axes: Axes, marks: Sequence[_Mark], split: str, lines: Sequence[Box]
) -> None:
    boxes = [(x - 6, y - 6, x + 6, y + 6) for x, y in (mark.place for mark in marks)]
    room = Room(axes, boxes, [], list(lines))
    bars = add(group, "g", {"class": "bars"})
    for mark in marks:
        low, high = mark.row.ar_low.get(split), mark.row.ar_high.get(split)
        if low is not None and high is not None and low < high:
            x1, x2, y = axes.x(low), axes.x(high), mark.place[1]
            room.lines.append((x1, y - 1, x2, y + 1))
            caps = f"M{x1:.1f} {y - 3:.1f}v6m0 -3H{x2:.1f}m0 -3v6"
            add(bars, "path", {"d": caps, "class": mark.kind})
    # The run's own tree lies on top: a diamond beside circles, not told by colour alone.
    for mark in sorted(marks, key=lambda mark: mark.kind == "final"):
        x, y = mark.place
        if mark.kind == "final":
            path = f"M{x:.1f} {y - 7:.1f}l7 7l-7 7l-7 -7z"
            shape = add(group, "path", {"class": "mark final", "d": path})
        else:
            shape = add(group, "circle", {"class": "mark", "cx": x, "cy": y, "r": 4.5})
        add(shape, "title", words=_sentence(mark, split))
    # Its label gets the best place. Short ones fit close to their marks, long ones around them.
    for mark in sorted(marks, key=lambda m: (m.kind != "final", len(m.label), *m.place)):
        _label(group, room, mark)


def _label(group: Element, room: Room, mark: _Mark) -> None:
    """Write the label at the best place near its mark, with a line to it where it is not beside."""
    words = mark.label if len(mark.label) <= _LONGEST else f"{mark.label[: _LONGEST - 1]}…"
    found = room.take(mark.place, _LETTER * len(words) + 4)
    if found is None:  # the tooltip and the tables still have it
        return
    (left, _, _, low), leader = found
    if leader:
        (x1, y1), (x2, y2) = leader
        add(group, "line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "class": "leader"})
    text(group, f"label {mark.kind}", left + 2, low - 2, words)


def _sentence(mark: _Mark, split: str) -> str:
    ar, params = mark.row.ar_pct[split], mark.row.params
    low, high = mark.row.ar_low.get(split), mark.row.ar_high.get(split)
    ends = "" if low is None or high is None else f" [{low:.1f}, {high:.1f}]"
    return f"{mark.label}: AR {ar:.1f} %{ends} ({split}), {params:,.0f}"


def _thousands(size: float) -> str:
    return f"{size / 1000:g}k" if size >= 1000 else f"{size:g}"
