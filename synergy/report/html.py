"""The numbers of a report as one HTML page that needs nothing else.

Every text of the workspace is escaped, by the template or by the SVG serialiser; the content
security policy lets only the page's own script and styles run, by their hashes, and fetches
nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from synergy.report import wording
from synergy.report.graphics.curves import Curve, curves_svg
from synergy.report.graphics.frontier import Mark, Step, frontier_svg, legend_of
from synergy.report.graphics.ramp import ar_class, class_names
from synergy.report.graphics.task_graph import edge_class, task_graph_svg
from synergy.report.graphics.tree import tree_svg
from synergy.tree import SharingTree

_FOLDER = Path(__file__).with_name("templates")
_NARROW = (340, 380)  # pixels, of the frontier on a phone


def render(numbers: Mapping[str, Any], name: str) -> str:
    """The page.

    Parameters
    ----------
    numbers : mapping
        What `synergy.report.summary.summarise` returns.
    name : str
        What the reader calls the run.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= wording.FILTERS
    environment.globals |= {
        "ar_class": ar_class,
        "ar_classes": class_names(),
        "interval_of": wording.interval,
        "split_names": wording.SPLIT_NAMES,
    }
    style = (_FOLDER / "report.css").read_text(encoding="utf-8")
    script = (_FOLDER / "report.js").read_text(encoding="utf-8")
    return environment.get_template("report.html.jinja").render(
        numbers,
        name=name,
        title=wording.title(numbers, name),
        lead=wording.lead(numbers),
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script),
        data=_data(numbers),
        drawings=_drawings(numbers),
        legend=legend_of(_marks(numbers)),
    )


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


def _data(numbers: Mapping[str, Any]) -> Markup:
    """What the script needs, as JSON in which nothing can end the element that holds it."""
    trees, final = numbers["trees"], numbers["final"]
    known = {
        "stops": trees["stops"] if trees else [],
        "start": trees["start"] if trees else 0,
        "names": [entry["notation"] for entry in trees["distinct"]] if trees else [],
        "final": final["notation"] if final else None,
        "classes": [edge_class(n, _depth(numbers)) for n in range(_depth(numbers) + 1)],
    }
    text = json.dumps(known, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


# -- drawings -----------------------------------------------------------------------------


def _drawings(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """All inline images; parts that cannot be drawn are empty."""
    trees, final = numbers["trees"], numbers["final"]
    distinct = trees["distinct"] if trees else []
    tables = numbers["tables"]
    order = tables[0]["tasks"] if tables else numbers["tasks"]
    graph = ""
    if trees:
        weights = trees["stops"][trees["start"]]["weights"]
        if final and len(final["weights"]) == len(weights):
            weights = final["weights"]
        pairs = [(a, b) for a, b in tables[0]["pairs"]]
        graph = task_graph_svg(order, pairs, weights, _depth(numbers))
    marks, steps = _marks(numbers), _steps(distinct)
    frontier = []
    if steps or marks:
        whole = numbers["sizes"]["whole"]
        frontier = [
            Markup(frontier_svg(steps, marks, whole, numbers["max_ar"])),
            Markup(frontier_svg(steps, marks, whole, numbers["max_ar"], *_NARROW)),
        ]
    return {
        "graph": Markup(graph),
        "final": Markup(_tree(numbers, final["tree"], final["tasks"])) if final else "",
        "trees": [Markup(_tree(numbers, entry["tree"], order)) for entry in distinct],
        "frontier": frontier,
        "curves": _curves(numbers["curves"], "Validation score of {}"),
        "cells": [
            [_curves(cell["curves"], "Validation score of {}") for cell in table["cells"]]
            for table in tables
        ],
    }


def _depth(numbers: Mapping[str, Any]) -> int:
    return len(numbers["sizes"]["blocks"])


def _tree(numbers: Mapping[str, Any], tree: Mapping[str, Any], order: Sequence[str]) -> str:
    sizes = numbers["sizes"]
    return tree_svg(SharingTree.from_json(tree), order, sizes["blocks"], sizes["heads"])


def _curves(curves: Mapping[str, Sequence[Mapping[str, Any]]], words: str) -> dict[str, Markup]:
    return {
        task: Markup(curves_svg(words.format(task), [Curve.from_json(c) for c in listed]))
        for task, listed in curves.items()
    }


def _steps(distinct: Sequence[Mapping[str, Any]]) -> list[Step]:
    return [
        Step(entry["low"], entry["predicted_ar_pct"], entry["params"], entry["notation"])
        for entry in distinct
    ]


def _marks(numbers: Mapping[str, Any]) -> list[Mark]:
    """Measured models: the final tree, trained trees of the frontier, the comparison."""
    rows = [(row, "other") for row in numbers["rows"]]
    if rows and numbers["final"] and numbers["final"]["is_trained"]:
        rows[-1] = (rows[-1][0], "final")
    rows = [*reversed(rows), *((row, "other") for row in numbers["frontier"])]
    # What the comparison measured again under the same name is one point.
    names = {row["name"] for row, _ in rows}
    rows += [(row, "other") for row in numbers["comparisons"] if row["name"] not in names]
    return [
        Mark(
            row["name"],
            split,
            row["ar_pct"][split],
            row["ar_low"].get(split),
            row["ar_high"].get(split),
            row["params"],
            kind,
        )
        for row, kind in rows
        for split in ("valid", "test")
        if split in row["ar_pct"] and row["params"]
    ]
