"""The heat map of a table and the drawing of a tree alone, as a notebook shows them.

Each is a page in a frame, with the style sheet of the report: that has no effect outside, nor has
the notebook's inside. The frame runs no script.
"""

from __future__ import annotations

from markupsafe import Markup, escape

from synergy.report.graphics.tree_drawing import tree_svg
from synergy.report.html import FOLDER, templates
from synergy.report.numbers import TableNumbers
from synergy.report.summarise import table_numbers
from synergy.synthesis import ARTable
from synergy.tree import SharingTree

_TALLEST = 640  # pixels; what is taller scrolls inside
_MOST_CELLS = 400
_MOST_TASKS = 40
_LINE, _AROUND = 50, 170  # pixels of a row of cells, and of what is above and below them
_BLOCK, _ENDS = 40, 110  # of a block, and of what is above and below the blocks


def draw_table(table: ARTable) -> str:
    """The heat map, as the report has it; the first pairs of a very large one."""
    numbers = table_numbers(table, "plain", None, None, max(_MOST_CELLS, len(table.depths)))
    return _framed(_AROUND + _LINE * numbers.shown, table=numbers)


def draw_tree(tree: SharingTree) -> str:
    """The tree with blocks of one width: what they cost is another question; very large as text."""
    if len(tree.tasks) > _MOST_TASKS or tree.depth > _MOST_TASKS:
        return str(Markup("<pre>{}</pre>").format(tree.ascii()))
    return _framed(_ENDS + _BLOCK * tree.depth, tree=Markup(tree_svg(tree, tree.tasks)))


def _framed(height: int, table: TableNumbers | None = None, tree: Markup | None = None) -> str:
    style = Markup((FOLDER / "report.css").read_text(encoding="utf-8"))
    page = (
        templates().get_template("drawing.html.jinja").render(table=table, tree=tree, style=style)
    )
    shape = f"border:0;width:100%;height:{min(height, _TALLEST)}px"
    return f'<iframe sandbox srcdoc="{escape(page)}" style="{shape}"></iframe>'
