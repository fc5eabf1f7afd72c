"""Which values of a column can be classes: those that every split can have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from synergy.datasets.looking.found import FoundTask, Recorded
from synergy.wording import short_list, shown

_FEWEST = 3  # speakers, one for each split


def class_task(column: str, recorded: Sequence[Recorded], checks: list[str]) -> FoundTask | None:
    """The task of a column, without its rare values; None if fewer than two are left.

    A value is rare if fewer than three speakers have it, or, where splits are given, nobody in
    train. A recording without a speaker counts as one.
    """
    having: dict[str, set[str]] = defaultdict(set)
    learned: set[str] = set()
    given = any(each.split for each in recorded)
    for each in recorded:
        if value := each.labels.get(column):
            having[value].add(each.speaker or f"\0{each.path}")
            if each.split == "train":
                learned.add(value)
    usual = learned if given else {v for v, owners in having.items() if len(owners) >= _FEWEST}
    rare = sorted(having.keys() - usual)
    why = "nobody in train" if given else f"fewer than {_FEWEST} speakers"
    if len(usual) < 2:
        checks.append(f"{shown(column)} is no task: {why} for {short_list(rare, 5)}")
        return None
    source: dict[str, Any] = {"column": column}
    if rare:
        source["map"] = {value: value for value in sorted(usual)}
        checks.append(f"{shown(column)}: {why} for {short_list(rare, 5)}: left out of the map")
    return FoundTask("clip_classification", source)
