"""Label tracks of Audacity: start, end and label between tabs."""

from __future__ import annotations

from synergy.datasets.looking.found import Mark
from synergy.quantities import decimal_number


def read_audacity(text: str, stem: str) -> dict[str, list[Mark]]:
    """Marks of the recording ``stem``; a ValueError says what is none.

    Lines that begin with a backslash hold the frequencies of the line above.
    """
    marks: list[Mark] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("\\"):
            continue
        cells = [*line.split("\t", 2), ""]
        # some locales write a decimal comma
        start_s, end_s = (decimal_number(cell.strip().replace(",", ".")) for cell in cells[:2])
        if start_s is None or end_s is None or not 0 <= start_s <= end_s:
            raise ValueError(f"line {number}: expected start, end and label between tabs")
        marks.append(Mark(start_s, end_s, cells[2].strip()))
    return {stem: marks}
