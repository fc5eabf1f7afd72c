"""What was understood of a folder of recordings."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from synergy.wording import Split

Ask = Callable[[str, bool], bool]
"""Asks a person a question, with the likely answer; raises ConfigError if nobody can answer."""


class Mark(NamedTuple):
    """A stretch of a recording, in seconds, with a label."""

    start_s: float
    end_s: float
    label: str


@dataclass
class Recorded:
    """A recording by what its files say; the split is None where none is told."""

    path: str
    split: Split | None = None
    speaker: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    marks: list[Mark] | None = None


@dataclass(frozen=True)
class FoundTask:
    """A task that a corpus can have; ``source`` has the settings of a `TaskSource`."""

    kind: str
    source: Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """A corpus as it lies there.

    Attributes
    ----------
    layout : str
        What it was taken for, in words.
    settings : mapping
        Of the corpus, without its folder.
    tasks : mapping of str to FoundTask
        By what they may be called.
    recorded : sequence of Recorded, or None
        What a manifest must say; None where the format needs none.
    checks : sequence of str
        What a person should look at, one sentence each.
    """

    layout: str
    settings: Mapping[str, Any]
    tasks: Mapping[str, FoundTask]
    recorded: Sequence[Recorded] | None
    checks: Sequence[str]


def plain(word: str) -> str:
    """A column's name as it is looked up: letters and digits, in lower case."""
    return re.sub(r"[^a-z0-9]", "", word.lower())
