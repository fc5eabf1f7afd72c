"""RTTM of NIST: turns of speakers, of any number of recordings."""

from __future__ import annotations

from synergy.datasets.looking.found import Mark
from synergy.quantities import decimal_number

SPEECH = "speech"


def read_rttm(text: str, stem: str) -> dict[str, list[Mark]]:
    """Turns by the recording that each line names, whoever speaks; ``stem`` plays no part.

    Lines of other types than SPEAKER are left out. A ValueError says what is no line.
    """
    marks: dict[str, list[Mark]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        cells = line.split()
        if not cells or cells[0].startswith(";"):
            continue
        if len(cells) < 5:
            raise ValueError(f"line {number}: expected at least 5 fields, found {len(cells)}")
        if cells[0] != "SPEAKER":
            continue
        start_s, length_s = decimal_number(cells[3]), decimal_number(cells[4])
        if start_s is None or length_s is None or start_s < 0 or length_s < 0:
            raise ValueError(f"line {number}: expected start and duration in seconds")
        marks.setdefault(cells[1], []).append(Mark(start_s, start_s + length_s, SPEECH))
    return marks
