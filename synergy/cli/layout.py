"""How text and tables come to fit a terminal: wrapped at words, names abbreviated."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO

NARROWEST = 20
"""Columns; a terminal that says it has fewer is taken to have these."""

_USUAL = 80
_SHORT = 4  # characters of a name that is not abbreviated
# Where a line may end: after a space, and after a comma of a notation, not of a number.
_IN_PROSE = re.compile(r"(?<= )(?! )|(?<=,)(?=[^\d ])")
_IN_CELLS = re.compile(r"(?<= )(?! )|(?<=,)(?=[^\d ])|(?<=/)(?=.)")
_STYLES = re.compile(r"\x1b\[[01]m")

_wide: ContextVar[bool] = ContextVar("wide", default=False)


@contextmanager
def unlimited(wide: bool) -> Iterator[None]:
    """Inside, a terminal counts as endlessly wide if ``wide``."""
    token = _wide.set(wide)
    try:
        yield
    finally:
        _wide.reset(token)


def width_of(stream: TextIO | None) -> int | None:
    """Columns of the terminal behind a stream; None where nothing has to fit."""
    if stream is None or _wide.get() or not stream.isatty():
        return None
    given = os.environ.get("COLUMNS", "")
    columns = int(given) if given.isdecimal() and len(given) < 6 else 0
    if not columns:
        try:
            columns = os.get_terminal_size(stream.fileno()).columns
        except (OSError, ValueError):
            columns = _USUAL
    return max(NARROWEST, columns or _USUAL)


def length(text: str) -> int:
    """Columns of a text on one line."""
    from rich.cells import cell_len

    return len(text) if text.isascii() and "\x1b" not in text else cell_len(_STYLES.sub("", text))


def wrapped(text: str, width: int | None) -> str:
    """Text whose lines end between words; what follows a long line's first part is indented.

    A word that is longer than a line stays whole: the terminal breaks it, and who copies it has it
    in one piece.
    """
    if width is None:
        return text
    lines: list[str] = []
    for line in text.split("\n"):
        if len(line) <= width // 2 or length(line) <= width:
            lines.append(line)
            continue
        indent = " " * (len(line) - len(line.lstrip(" ")) + 2)
        lines += _filled(_IN_PROSE.split(line), width, indent)
    return "\n".join(lines)


def wrapped_cell(text: str, width: int) -> list[str]:
    """A cell in lines of at most ``width``; a piece that is longer is broken."""
    pieces = [
        piece[start : start + width]
        for piece in _IN_CELLS.split(text)
        for start in range(0, max(1, len(piece)), width)
    ]
    return _filled(pieces, width, "")


def _filled(pieces: Iterable[str], width: int, indent: str) -> list[str]:
    lines, line = [], ""
    for piece in pieces:
        if line.strip() and length((line + piece).rstrip()) > width:
            lines.append(line.rstrip())
            line = indent
        line += piece
    return [*lines, line.rstrip()]


def narrowest(cell: str) -> int:
    """The width below which a cell would be broken inside of a word."""
    return max(length(piece.rstrip()) for piece in _IN_CELLS.split(cell))


# -- names ------------------------------------------------------------------------------------


def abbreviations(names: Sequence[str]) -> dict[str, str]:
    """Short names of those that are long: their first letters, with a number where these are not
    their own.
    """
    long = [name for name in dict.fromkeys(names) if len(name) > _SHORT]
    taken = {name for name in names if len(name) <= _SHORT}
    starts = [name[:3] for name in long]
    short: dict[str, str] = {}
    for name in long:
        found = name[:3]
        number = 0
        while found in taken or (number == 0 and starts.count(found) > 1):
            number += 1
            found = f"{name[:2]}{number}"
        taken.add(found)
        if len(found) < len(name):
            short[name] = found
    return short


def abbreviated(text: str, short: Mapping[str, str]) -> str:
    """A text with short names in place of long ones, where these stand as words."""
    if not short:
        return text
    every = "|".join(map(re.escape, sorted(short, key=len, reverse=True)))
    return re.sub(rf"(?<![\w-])(?:{every})(?![\w-])", lambda match: short[match[0]], text)


# -- columns ----------------------------------------------------------------------------------


def column_widths(least: Sequence[int], wanted: Sequence[int], room: int) -> list[int] | None:
    """Widths between ``least`` and ``wanted`` that use the room; None if it is too little."""
    slack = room - sum(least)
    if slack < 0:
        return None
    widths = [*least]
    for place in sorted(range(len(least)), key=lambda n: wanted[n] - least[n]):
        more = min(slack, max(0, wanted[place] - least[place]))
        widths[place] += more
        slack -= more
    return widths


def in_groups(least: Sequence[int], keys: int, room: int, between: int) -> list[list[int]]:
    """Places of the columns in groups that fit, each with the first ``keys`` columns before it.

    ``between`` is what a column takes beside its own width.
    """
    own = sum(least[:keys]) + between * keys
    groups: list[list[int]] = []
    used = room
    for place in range(keys, len(least)):
        takes = least[place] + between
        if used + takes > room or not groups:
            groups.append([*range(keys)])
            used = own
        groups[-1].append(place)
        used += takes
    return groups
