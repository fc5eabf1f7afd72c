"""Which values of a column can be classes: those that every split can have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from synergy.datasets.looking.found import FoundTask, Recorded
from synergy.wording import REPORTED, counted, short_list, shown


def class_task(column: str, recorded: Sequence[Recorded], checks: list[str]) -> FoundTask | None:
    """The task of a column, without its rare values; None if fewer than two are left.

    A value is rare if fewer speakers of train have it than splits are to be made of train, itself
    included. A recording without a speaker counts as one; without any split all are train.
    """
    splits = {each.split or "train" for each in recorded}
    fewest = 1 + sum(split not in splits for split in REPORTED)
    having: dict[str, set[str]] = defaultdict(set)
    for each in recorded:
        if value := each.labels.get(column):
            owners = {each.speaker or f"\0{each.path}"} if each.split in ("train", None) else set()
            having[value] |= owners
    usual = {value for value, owners in having.items() if len(owners) >= fewest}
    rare = sorted(having.keys() - usual)
    why = (
        f"fewer than {counted(fewest, 'speaker')} to learn from" if fewest > 1 else "none in train"
    )
    if len(usual) < 2:
        checks.append(f"{shown(column)} is no task: {why} for {short_list(rare, 5)}")
        return None
    source: dict[str, Any] = {"column": column}
    if rare:
        source["map"] = {value: value for value in sorted(usual)}
        checks.append(f"{shown(column)}: {why} for {short_list(rare, 5)}: left out of the map")
    return FoundTask("clip_classification", source)
