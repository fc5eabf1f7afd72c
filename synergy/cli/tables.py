"""Tables as data, and how they are drawn."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from synergy.cli.layout import (
    abbreviated,
    abbreviations,
    column_widths,
    in_groups,
    length,
    narrowest,
    width_of,
    wrapped_cell,
)
from synergy.wording import printable

_ENDLESS = 100_000
# Beside the width of a column: a space on both sides, or on the right, and one between columns.
_AROUND, _TIGHT = 3, 2


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
    names : sequence of str
        Names of tasks in it, which may be abbreviated.
    """

    title: str
    columns: Sequence[str]
    rows: Iterable[Sequence[str | int | None] | None]
    words: tuple[int, ...] = (0,)
    names: Sequence[str] = ()


def rendered(*tables: Table) -> str:
    """Tables as text, in the width of the terminal where there is one.

    A table that is too wide has short names of tasks, explained below; then its words are wrapped;
    then its columns come in groups, one below the other.
    """
    width = width_of(sys.stdout)
    drawn = [_Cells(table) for table in tables]
    short: dict[str, str] = {}
    if width is not None and any(table.width > width for table in drawn):
        short = abbreviations([name for table in tables for name in table.names])
        drawn = [_Cells(table, short) for table in tables]
    parts = [part for table in drawn for part in table.parts(width)]
    text = _text(parts)
    used = [f"{each} = {name}" for name, each in short.items() if _stands(each, drawn)]
    return "\n\n".join([text, *([f"short: {', '.join(used)}"] if used else [])])


class _Cells:
    """A table as text, cell by cell, with names replaced."""

    def __init__(self, table: Table, short: Mapping[str, str] | None = None) -> None:
        def text(cell: str | int | None) -> str:
            return abbreviated(printable(in_full(cell)), short or {})

        self.title = printable(table.title)
        self.columns = [text(name) for name in table.columns]
        self.rows = [row if row is None else [text(cell) for cell in row] for row in table.rows]
        self.words = {place % len(table.columns) for place in table.words}
        cells = list(zip(self.columns, *filter(None, self.rows), strict=True))
        self.wanted = [max(map(length, column)) for column in cells]
        # numbers stay on their line, the words above them need not
        self.least = [
            max(narrowest(name), *(map(narrowest if place in self.words else length, own)), 1)
            for place, (name, *own) in enumerate(cells)
        ]

    @property
    def width(self) -> int:
        """Of the table as it is."""
        return sum(self.wanted) + _AROUND * len(self.wanted) - 1

    def parts(self, width: int | None) -> list[_Part]:
        """What is drawn in that width."""
        every = list(range(len(self.columns)))
        if width is None or self.width <= width:
            return [_Part(self, every, self.wanted)]
        for around in (_AROUND, _TIGHT):
            room = width + 1 - around * len(every)
            if (widths := column_widths(self.least, self.wanted, room)) is not None:
                return [_Part(self, every, widths, around)]
        keys = next((place for place in every if place not in self.words), 1)
        keys = max(1, min(keys, len(every) - 1))
        # what stands alone beside the keys must fit
        most = (width + 1) // (keys + 1) - _TIGHT
        least = [min(each, max(1, most)) for each in self.least]
        parts: list[_Part] = []
        for group in in_groups(least, keys, width + 1, _TIGHT):
            own, wanted = ([each[place] for place in group] for each in (least, self.wanted))
            widths = column_widths(own, wanted, width + 1 - _TIGHT * len(group))
            parts.append(_Part(self, group, widths or own, _TIGHT))
        return parts


@dataclass(frozen=True)
class _Part:
    """Some columns of a table, with their widths."""

    cells: _Cells
    places: Sequence[int]
    widths: Sequence[int]
    around: int = _AROUND


def _text(parts: Sequence[_Part]) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table as Drawn
    from rich.text import Text

    console = Console(width=_ENDLESS, file=sys.stdout, highlight=False)
    shown: set[int] = set()
    with console.capture() as capture:
        for number, part in enumerate(parts):
            table = part.cells
            padding = (0, 1, 0, part.around - _TIGHT)
            drawn = Drawn(box=box.SIMPLE_HEAD, show_edge=False, padding=padding)
            for place, width in zip(part.places, part.widths, strict=True):
                side = "left" if place in table.words else "right"
                name = "\n".join(wrapped_cell(table.columns[place], width))
                drawn.add_column(Text(name), justify=side, width=width)
            for row in table.rows:
                if row is None:
                    drawn.add_section()
                else:
                    # as text: in a string rich would look for markup
                    pairs = zip(part.places, part.widths, strict=True)
                    drawn.add_row(*(Text("\n".join(wrapped_cell(row[p], w))) for p, w in pairs))
            again = " (continued)" if id(table) in shown else ""
            shown.add(id(table))
            # as a title of its own rich would wrap it to the table's width
            title = Text("\n" * bool(number) + table.title + again)
            console.print(title, style="bold", soft_wrap=True)
            console.print(drawn)
    return "\n".join(line.rstrip() for line in capture.get().rstrip("\n").splitlines())


def _stands(name: str, tables: Sequence[_Cells]) -> bool:
    """Whether a short name is used in one of the tables."""
    pattern = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
    return any(
        pattern.search(cell)
        for table in tables
        for row in (table.columns, *filter(None, table.rows))
        for cell in row
    )


def in_millions(count: int | None) -> str:
    """``"12.3 M"``; ``"-"`` for what is not known."""
    return "-" if count is None else f"{count / 1e6:.1f} M"


def in_full(cell: str | int | None) -> str:
    """``"12,345"`` of a count, words as they are; ``"-"`` for what is not known."""
    return "-" if cell is None else cell if isinstance(cell, str) else f"{cell:,}"
