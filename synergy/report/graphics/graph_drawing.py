"""The task graph: tasks on a circle, each edge with the number of blocks that its pair may share.

The page changes labels and widths of the edges when the threshold moves; `edge_class` is written
down in the style sheet's terms as a class, so that both agree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from synergy.report.graphics.label_places import Place
from synergy.report.graphics.svg import add, svg, text_of

_NODE = 15  # half the height of a node
_LETTER = 7.6
_LABEL = 9.5  # radius of the disc behind a weight
_PLACES = (0.5, 0.42, 0.58, 0.35, 0.65, 0.29, 0.71)


def task_graph_svg(
    tasks: Sequence[str], edges: Sequence[tuple[str, str]], weights: Sequence[int], depth: int
) -> str:
    """Draw a task graph: tasks clockwise from the top left, an edge for each pair.

    ``weights`` are blocks that each pair may share, 0 for none, up to ``depth``, the widest edge.
    """
    radius = max(92.0, 17.0 * len(tasks))
    half = max((_half_width(task) for task in tasks), default=0) + 4
    width, height = 2 * (radius + half), 2 * (radius + _NODE + 4)
    turn = math.pi / 4 if len(tasks) == 4 else math.pi / 2
    angles = [turn + 2 * math.pi * place / len(tasks) for place in range(len(tasks))]
    at = {
        task: (width / 2 - radius * math.cos(angle), height / 2 - radius * math.sin(angle))
        for task, angle in zip(tasks, angles, strict=True)
    }
    described = [f"{a} and {b} {w}" for (a, b), w in zip(edges, weights, strict=True)]
    name = "Task graph, blocks that a pair may share"
    image = svg(width, height, name, ", ".join(described), "graph")
    lines = add(image, "g", {"class": "lines"})
    labels = add(image, "g", {"class": "weights"})
    taken = list(at.values())
    for number, ((a, b), weight) in enumerate(zip(edges, weights, strict=True)):
        (x1, y1), (x2, y2) = at[a], at[b]
        line = {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "class": edge_class(weight, depth)}
        add(lines, "line", {**line, "data-edge": str(number)})
        x, y = _free_place((x1, y1), (x2, y2), taken)
        taken.append((x, y))
        add(labels, "circle", {"cx": x, "cy": y, "r": _LABEL})
        add(labels, "text", {"x": x, "y": y + 4, "data-edge": str(number)}, str(weight))
    nodes = add(image, "g", {"class": "nodes"})
    for task, (x, y) in at.items():
        wide = _half_width(task)
        box = {"x": x - wide, "y": y - _NODE, "width": 2 * wide, "height": 2 * _NODE}
        add(nodes, "rect", {**box, "rx": _NODE})
        add(nodes, "text", {"x": x, "y": y + 4.5}, task)
    return text_of(image)


def edge_class(weight: int, depth: int) -> str:
    """Class of an edge: ``none``, or how thick it is in five steps, ``t1`` to ``t5``."""
    return "none" if weight <= 0 else f"t{max(1, math.ceil(5 * weight / depth))}"


def _half_width(task: str) -> float:
    return max(24.0, 11 + _LETTER * len(task) / 2)


def _free_place(start: Place, end: Place, taken: Sequence[Place]) -> Place:
    """Where on a line a label is farthest from others, near the middle if that is free."""
    (x1, y1), (x2, y2) = start, end
    places = [(x1 + t * (x2 - x1), y1 + t * (y2 - y1)) for t in _PLACES]
    room = [min(math.dist(place, other) for other in taken) for place in places]
    free = [place for place, far in zip(places, room, strict=True) if far >= 2.4 * _LABEL]
    return free[0] if free else places[room.index(max(room))]
