"""The numbers of a report as one HTML page that needs nothing else.

Every text of the workspace is made printable and escaped, by the template or by the SVG
serialiser; the content security policy lets only the page's own script and styles run, by their
hashes, and fetches nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from synergy.report import phrases
from synergy.report.graphics.curves import Curve, curves_svg
from synergy.report.graphics.frontier_plot import frontier_svg, legend_of
from synergy.report.graphics.graph_drawing import edge_class, task_graph_svg
from synergy.report.graphics.ramp import ar_class, class_names
from synergy.report.graphics.tree_drawing import tree_svg
from synergy.report.numbers import Numbers
from synergy.rows import Row
from synergy.tree import SharingTree
from synergy.wording import SPLIT_NAMES, printable

FOLDER = Path(__file__).with_name("templates")
"""Where templates, style sheet and script lie."""
# Of what would make a page that no browser shows: blocks in drawings of trees, tasks of the graph,
# models in the drawing of all.
_MOST_BARS, _MOST_NODES, _MOST_POINTS = 60_000, 40, 100
_WIDE, _NARROW = (860, 460), (340, 380)  # pixels, of the frontier; narrow on a phone


def render(numbers: Numbers, name: str) -> str:
    """The page of a run that the reader calls ``name``."""
    sizes, tables = numbers.sizes, numbers.tables
    order = tables[0].tasks if tables else numbers.tasks

    room = _MOST_BARS

    def drawn(tree: SharingTree, tasks: Sequence[str] = order) -> Markup:
        nonlocal room
        room -= len(tree.tasks) + sum(len(branch.block_numbers) for branch in tree.branches())
        if room < 0:
            return Markup('<p class="note">{}: too large to be drawn here</p>').format(
                tree.notation(tasks)
            )
        return Markup(tree_svg(tree, tasks, sizes.blocks, sizes.heads))

    style = (FOLDER / "report.css").read_text(encoding="utf-8")
    script = (FOLDER / "report.js").read_text(encoding="utf-8")
    measured = _measured(numbers)
    return (
        templates()
        .get_template("report.html.jinja")
        .render(
            dict(numbers),
            name=name,
            drawn=drawn,
            style=Markup(style),
            script=Markup(script),
            policy=_policy(style, script),
            data=_data(numbers),
            graph=_graph(numbers),
            frontier_drawings=_frontier(numbers, measured),
            legend=legend_of(measured),
        )
    )


@cache
def templates() -> jinja2.Environment:
    """The templates of all pages, which escape whatever they are given."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        finalize=_safe,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {**phrases.FILTERS, "curves_of": _curves_of}
    environment.globals |= {
        "ar_class": ar_class,
        "ar_classes": class_names(),
        "interval_of": phrases.interval,
        "split_names": SPLIT_NAMES,
    }
    return environment


def _curves_of(curves: Sequence[Curve], task: str) -> Markup:
    return Markup(curves_svg(f"Validation score of {task}", curves))


def _safe(value: object) -> object:
    """What a template is about to escape; markup was made of such before."""
    return printable(value) if type(value) is str else value


def _policy(style: str, script: str) -> str:
    """Nothing from anywhere but this one style sheet, this one script and inline images."""

    def digest(text: str) -> str:
        raw = hashlib.sha256(text.encode("utf-8")).digest()
        return f"'sha256-{base64.b64encode(raw).decode('ascii')}'"

    return (
        f"default-src 'none'; img-src data:; style-src {digest(style)}; "
        f"script-src {digest(script)}; base-uri 'none'; form-action 'none'"
    )


# -- data of the script -------------------------------------------------------------------


def _data(numbers: Numbers) -> Markup:
    """What the script needs, as JSON in which nothing can end the element that holds it."""
    trees, final, depth = numbers.trees, numbers.final, len(numbers.sizes.blocks)
    known = {
        "stops": [stop.model_dump() for stop in trees.stops] if trees else [],
        "start": trees.start if trees else 0,
        "names": [entry.notation for entry in trees.distinct] if trees else [],
        "final": final.notation if final else None,
        "classes": [edge_class(n, depth) for n in range(depth + 1)],
    }
    text = json.dumps(known, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


# -- drawings -----------------------------------------------------------------------------


def _graph(numbers: Numbers) -> Markup:
    """The task graph of the run, or else the first of the table; empty where there is none."""
    trees, final = numbers.trees, numbers.final
    if trees is None or len(numbers.tables[0].tasks) > _MOST_NODES:
        return Markup()
    table, weights = numbers.tables[0], trees.stops[trees.start].weights
    if final and len(final.weights) == len(weights):
        weights = final.weights
    return Markup(task_graph_svg(table.tasks, table.pairs, weights, len(numbers.sizes.blocks)))


def _frontier(numbers: Numbers, measured: Sequence[Row]) -> list[Markup]:
    """Size against accuracy for wide and for narrow pages; nothing where nothing is known."""
    steps = numbers.trees.distinct if numbers.trees else ()
    ours = numbers.final.row if numbers.final else None
    known = (steps, measured, ours, numbers.sizes.whole, numbers.max_ar)
    shapes = (_WIDE, _NARROW) if steps or legend_of(measured) else ()
    return [Markup(frontier_svg(*known, *shape)) for shape in shapes]


def _measured(numbers: Numbers) -> list[Row]:
    """The final tree and what is beside it, trained trees of the frontier, the comparison."""
    shown = [*reversed(numbers.rows), *numbers.frontier]
    # What the comparison measured again under the same name is one point.
    names = {row.name for row in shown}
    compared = [row for row in numbers.comparisons if row.name not in names]
    return [*shown, *compared][:_MOST_POINTS]
