"""WebVTT: subtitles with their times."""

from __future__ import annotations

import re

from synergy.datasets.looking.found import Mark
from synergy.datasets.looking.rttm import SPEECH

_TIME = r"(?:(\d{2,4}):)?([0-5]\d):([0-5]\d)[.,](\d{3})"
_CUE = re.compile(rf"{_TIME}[ \t]+-->[ \t]+{_TIME}(?:[ \t].*)?")


def read_webvtt(text: str, stem: str) -> dict[str, list[Mark]]:
    """The cues of a recording, all as speech; a ValueError if it is no WebVTT."""
    if not text.startswith("WEBVTT"):
        raise ValueError("expected WEBVTT in the first line")
    marks: list[Mark] = []
    for number, line in enumerate(text.splitlines(), 1):
        if "-->" not in line:
            continue
        match = _CUE.fullmatch(line.strip())
        if match is None:
            raise ValueError(f"line {number}: expected times such as 00:01.000 --> 00:02.500")
        marks.append(Mark(_seconds(*match.groups()[:4]), _seconds(*match.groups()[4:]), SPEECH))
    return {stem: marks}


def _seconds(hours: str | None, minutes: str, seconds: str, thousandths: str) -> float:
    whole = (int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)
    return whole + int(thousandths) / 1000
