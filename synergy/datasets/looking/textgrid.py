"""TextGrids of Praat, in the long and the short form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isfinite

from synergy.datasets.looking.found import Mark

# What stands free; all else between is for the reader's eye (Praat manual, TextGrid file formats).
_VALUE = re.compile(
    r'"([^"]*(?:""[^"]*)*)"|(?<!\S)(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?!\S)|(?<!\S)(<\w+>)(?!\S)'
)


def read_textgrid(text: str, stem: str) -> dict[str, list[Mark]]:
    """The intervals of all interval tiers; points are left out. A ValueError if it is none."""
    if "TextGrid" not in text[:200]:
        raise ValueError("expected a TextGrid of Praat")
    values = _values(text)
    marks: list[Mark] = []
    try:
        if next(values) == "ooTextFile":
            next(values)  # the class of the object
        _, _, exists = next(values), next(values), next(values)
        tiers = int(next(values)) if exists == "<exists>" else 0
        for _ in range(tiers):
            kind, _, _, _ = next(values), next(values), next(values), next(values)
            for _ in range(int(next(values))):
                if kind == "IntervalTier":
                    start_s, end_s = float(next(values)), float(next(values))
                    marks.append(Mark(start_s, end_s, next(values).strip()))
                else:
                    _, _ = next(values), next(values)
    except StopIteration:
        raise ValueError("expected more of the TextGrid, found its end") from None
    except ValueError as error:
        raise ValueError("expected the numbers of a TextGrid, found other values") from error
    if not all(
        isfinite(mark.end_s - mark.start_s) and mark.start_s <= mark.end_s for mark in marks
    ):
        raise ValueError("expected intervals that end after they begin")
    return {stem: marks}


def _values(text: str) -> Iterator[str]:
    for match in _VALUE.finditer(text):
        word, number, flag = match.groups()
        yield number or flag or (word or "").replace('""', '"')
