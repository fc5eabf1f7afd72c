"""Tables as data, and how they are drawn."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from synergy.wording import printable


@dataclass(frozen=True)
class Table:
    """Words and numbers in columns.

    Attributes
    ----------
    title : str
    columns : sequence of str
    rows : iterable of sequence of str, int or None; or None
        Cells: counts are written with their thousands separated, None, which is not known, as a
        dash. None for a row is a line between rows.
    words : tuple of int
        The columns that hold words, to the left; the others hold numbers, to the right.
    """

    title: str
    columns: Sequence[str]
    rows: Iterable[Sequence[str | int | None] | None]
    words: tuple[int, ...] = (0,)


def rendered(*tables: Table) -> str:
    """Tables as text: as wide as the terminal, or as they need where there is none."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as Drawn
    from rich.text import Text

    wide = shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 400
    console = Console(width=wide, file=sys.stdout, highlight=False)
    with console.capture() as capture:
        for number, table in enumerate(tables):
            drawn = Drawn(box=box.SIMPLE_HEAD, show_edge=False)
            left = {place % len(table.columns) for place in table.words}
            for place, name in enumerate(table.columns):
                side = "left" if place in left else "right"
                drawn.add_column(Text(printable(name)), justify=side, overflow="fold")
            for row in table.rows:
                if row is None:
                    drawn.add_section()
                else:
                    # as text: in a string rich would look for markup
                    drawn.add_row(*(Text(printable(in_full(cell))) for cell in row))
            # as a title of its own rich would wrap it to the table's width
            title = Text("\n" * bool(number) + printable(table.title))
            console.print(title, style="bold", soft_wrap=True)
            console.print(drawn)
    return "\n".join(line.rstrip() for line in capture.get().rstrip("\n").splitlines())


def in_millions(count: int | None) -> str:
    """``"12.3 M"``; ``"-"`` for what is not known."""
    return "-" if count is None else f"{count / 1e6:.1f} M"


def in_full(cell: str | int | None) -> str:
    """``"12,345"`` of a count, words as they are; ``"-"`` for what is not known."""
    return "-" if cell is None else cell if isinstance(cell, str) else f"{cell:,}"
