"""Words that messages, tables and pages have in common, and the names of the splits."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Literal

Split = Literal["train", "valid", "test"]

SPLITS: tuple[Split, ...] = ("train", "valid", "test")
REPORTED: tuple[Split, ...] = ("valid", "test")
"""The splits on which models are measured."""

SPLIT_NAMES = {"train": "training", "valid": "validation", "test": "test"}


def problem_message(heading: str, problems: Sequence[str], limit: int = 10) -> str:
    """One message of a heading and at most ``limit`` problems, then how many more there are."""
    if len(problems) == 1:
        return f"{heading}: {problems[0]}"
    lines = [
        f"{heading}: {len(problems)} problems",
        *(f"  {text}" for text in problems[:limit]),
    ]
    if len(problems) > limit:
        lines.append(f"  and {len(problems) - limit} more")
    return "\n".join(lines)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` with the nearest known name, or an empty string."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def short_list(names: Iterable[str], limit: int = 10) -> str:
    """Names with commas between; beyond ``limit`` only their number."""
    every = list(names)
    text = ", ".join(every[:limit]) or "none"
    return text if len(every) <= limit else f"{text} and {len(every) - limit} more"


def counted(count: int, noun: str, plural: str = "") -> str:
    """``"1 clip"``, ``"2 clips"``."""
    return f"{count} {noun}" if count == 1 else f"{count} {plural or noun + 's'}"


def duration(seconds: float) -> str:
    """``"45 s"``, ``"12 min"``, ``"3 h 05 min"``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def skipped_caveat(skipped: int) -> str:
    """What a reader of a tree's stability must know, one sentence; empty if there is nothing."""
    if not skipped:
        return ""
    return (
        f"Cells that the sweep skipped ({skipped}) count as not passing, so a pair that misses "
        "falls further here than in a full table."
    )
