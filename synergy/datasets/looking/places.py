"""What the places of recordings tell: classes, splits and speakers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from synergy.datasets.folders import SpeakerFrom, placed, speaker_of, splits_above
from synergy.names import label_problem
from synergy.wording import Split

_MOST_CLASSES = 500
_FEWEST_SPEAKERS = 3


def class_folders(paths: Sequence[str]) -> list[str]:
    """Names of the folders that may be classes; none where recordings lie otherwise."""
    splits = splits_above(paths)
    labels = [placed(path, splits).label for path in paths]
    classes = sorted({*labels})
    possible = all(labels) and 2 <= len(classes) <= _MOST_CLASSES
    return classes if possible and not any(map(label_problem, classes)) else []


def split_folders(paths: Sequence[str]) -> dict[str, Split]:
    """Split of each recording, where the uppermost folders are splits."""
    splits = splits_above(paths)
    told: dict[str, Split] = {}
    for path in paths:
        if split := placed(path, splits).split:
            told[path] = split
    return told


def speakers_by_class(paths: Sequence[str]) -> SpeakerFrom:
    """What may tell the speakers inside of class folders: a word that classes have in common."""
    splits = splits_above(paths)
    for way in ("folder", "name"):
        classes: dict[str, set[str]] = defaultdict(set)
        where: dict[str, set[str | None]] = defaultdict(set)
        for path in paths:
            split, label, inner = placed(path, splits)
            classes[speaker_of(inner, way)].add(label)
            where[speaker_of(inner, way)].add(split)
        if any(len(found) > 1 for found in where.values()):
            continue  # no speaker then, or one that no corpus can have
        shared = sum(len(labels) > 1 for labels in classes.values())
        if "" not in classes and len(classes) >= _FEWEST_SPEAKERS and 2 * shared >= len(classes):
            return way
    return "unknown"


def speakers_by_place(paths: Sequence[str]) -> Mapping[str, str]:
    """Speaker of each recording by its folder or the first part of its name; none if unknown."""
    splits = splits_above(paths)
    inside = {path: placed(path, splits) for path in paths}
    ways = [
        {path: place.label for path, place in inside.items()},
        {path: speaker_of(place.inner, "name") for path, place in inside.items()},
    ]
    for speakers in ways:
        names = {*speakers.values()}
        several = 2 * len(names) <= len(speakers)
        if "" not in names and len(names) >= _FEWEST_SPEAKERS and several:
            return speakers
    return {}
