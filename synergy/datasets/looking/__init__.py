"""Recognises how recordings lie on somebody's disk: one small file for each layout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from synergy.datasets.folders import placed, speaker_of, splits_above
from synergy.datasets.listing import files_below, is_audio
from synergy.datasets.looking.beside import PROGRAMS, Marked, marks_beside, settled
from synergy.datasets.looking.classes import class_task
from synergy.datasets.looking.found import Ask, Found, FoundTask, Recorded
from synergy.datasets.looking.label_tables import (
    Told,
    no_classes,
    told_by_tables,
    without_texts,
)
from synergy.datasets.looking.places import (
    class_folders,
    speakers_by_class,
    speakers_by_place,
    split_folders,
)
from synergy.datasets.looking.sound_index import SoundIndex
from synergy.datasets.speech_commands import LISTS
from synergy.errors import DataError
from synergy.wording import SPLITS, counted, short_list

_FEWEST_SPEAKERS = 3
_FEWEST_MARKED = 3
_NO_LABELS = (
    f"expected labels in at least {_FEWEST_MARKED} recordings, found fewer of each; without them "
    "nothing can be learned"
)


def look(folder: Path, ask: Ask, without: Sequence[Path] = ()) -> Found:
    """What lies in a folder, as a corpus and its possible tasks.

    What is in the folders and files of ``without`` plays no part.

    Raises
    ------
    DataError
        If it has no recordings, nothing tells what they hold, or files of labels are damaged.
    ConfigError
        If nobody can answer a question.
    """
    files = [path for path in files_below(folder) if not _is_in(folder / path, without)]
    paths = [path for path in files if is_audio(path)]
    if not paths:
        raise DataError(
            f"{folder}: expected recordings (WAV, FLAC, OGG or MP3), found none among "
            f"{counted(len(files), 'file')}"
        )
    if all(name in files for name in LISTS):
        task = FoundTask("clip_classification", {"column": "word"})
        settings = {"format": "speech_commands"}
        return Found("Speech Commands", settings, {"word": task}, None, [])
    sounds = SoundIndex(paths)
    told = told_by_tables(folder, files, sounds)
    marked = marks_beside(folder, files, sounds)
    if not told.tables and not marked.marks:
        return _class_folders(folder, files, paths, told.checks + marked.checks, ask)
    return _listed(folder, paths, told, marked, ask)


def _is_in(path: Path, places: Sequence[Path]) -> bool:
    return any(place == path or place in path.parents for place in places)


def _class_folders(
    folder: Path, files: Sequence[str], paths: Sequence[str], checks: list[str], ask: Ask
) -> Found:
    classes = class_folders(paths)
    question = f"{folder}: are {short_list(classes, 5)} the classes?"
    if not classes or not ask(question, True):
        endings = Counter(Path(path).suffix.lower() or "no ending" for path in files)
        raise DataError(
            f"{folder}: expected folders of classes, a CSV file with a column of recordings and "
            f"one of classes, or {', '.join(name for name, _ in PROGRAMS.values())} beside the "
            f"recordings, found none among {short_list(f'{n} {e}' for e, n in endings.items())}"
            + "".join(f"; {check}" for check in checks)
        )
    way = speakers_by_class(paths)
    settings: dict[str, Any] = {"format": "folders"}
    if way != "unknown" and ask(
        f"{folder}: does the {'folder in a class' if way == 'folder' else 'start of a file name'} "
        "tell the speaker?",
        True,
    ):
        settings["speaker"] = way
        told = {"folder": "folder inside the class", "name": "file name up to its first _ or -"}
        checks = [*checks, f"the speaker is taken to be told by the {told[way]}"]
    splits = splits_above(paths)
    recorded: list[Recorded] = []
    for path in paths:
        split, label, inner = placed(path, splits)
        speaker = speaker_of(inner, settings.get("speaker", "unknown"))
        recorded.append(Recorded(path, split, speaker, {"class": label}))
    task = class_task("class", recorded, checks)
    if task is None:
        raise DataError(f"{folder}: expected two classes at least; {checks[-1]}")
    above = " below folders of splits" if splits else ""
    return Found(f"class folders{above}", settings, {"class": task}, None, checks)


def _listed(folder: Path, paths: Sequence[str], told: Told, marked: Marked, ask: Ask) -> Found:
    """A corpus that needs a manifest: what tables and files of labels tell, together."""
    checks = [*told.checks, *marked.checks]
    recorded = dict(told.recorded) if told.tables else {path: Recorded(path) for path in paths}
    for path, marks in marked.marks.items():
        each = recorded.setdefault(path, Recorded(path))
        each.marks = [*(each.marks or []), *marks]
    ending = settled(folder, {p: e.marks for p, e in recorded.items() if e.marks is not None})
    checks += ending.checks
    for path, marks in ending.marks.items():
        recorded[path].marks = marks
    classes = told.classes
    folders = [] if told.tables else class_folders(paths)
    question = f"{folder}: are the folders {short_list(folders, 5)} classes, too?"
    # with labels beside recordings, folders are more often people than classes
    if folders and ask(question, False):
        splits = splits_above(paths)
        for path, each in recorded.items():
            each.labels["class"] = path.split("/")[1 if splits else 0]
        classes = ["class"]
    labels = _labels(ending)
    if not classes and not labels:
        reason = no_classes(told) if told.tables else _NO_LABELS
        raise DataError("; ".join([f"{folder}: {reason}", *checks]))
    if labels and not classes:
        if left := [path for path, each in recorded.items() if each.marks is None]:
            checks.append(
                f"{counted(len(left), 'recording')} without a file of labels, such as "
                f"{short_list(left, 1)}: left out"
            )
        recorded = {path: each for path, each in recorded.items() if each.marks is not None}
    elif left_out := len(paths) - len(recorded):
        checks.append(f"{counted(left_out, 'recording')} that no table names: left out")
    ready = [recorded[path] for path in sorted(recorded)]
    without_texts(ready, classes)
    checks += _speakers(folder, ready, ask)
    checks += _splits(folder, ready, ask)
    as_it_is = told.ready and not marked.marks and not checks and all(e.split for e in ready)
    possible = {column: class_task(column, ready, checks) for column in classes}
    tasks = {column: task for column, task in possible.items() if task}
    # where rare values would have to be spread, nobody could be taken out of train
    stratify = [column for column, task in tasks.items() if "map" not in task.source]
    classes = list(tasks)
    tasks |= {label: FoundTask("frame_activity", _activity(label, not classes)) for label in labels}
    if not tasks:
        raise DataError(f"{folder}: {'; '.join(checks)}")
    layout = " and ".join([*(["CSV"] if told.tables else []), *marked.programs])
    settings: dict[str, Any] = {"format": "manifest"}
    if {each.split for each in ready} != {*SPLITS}:
        settings["test_fraction"] = 0.15
        settings |= {"stratify": stratify} if stratify else {}
    if as_it_is:
        return Found("manifest", settings, tasks, None, checks)
    return Found(layout, settings, tasks, ready, checks)


def _activity(label: str, everywhere: bool) -> dict[str, Any]:
    """The source of an activity; somebody looked everywhere where all recordings have labels."""
    return {"segments": label, **({"unlisted": "inactive"} if everywhere else {})}


def _labels(marked: Marked) -> list[str]:
    """Labels that enough recordings have to be tasks."""
    having = Counter(label for own in marked.marks.values() for label in {m.label for m in own})
    return sorted(label for label, count in having.items() if count >= _FEWEST_MARKED)


def _speakers(folder: Path, recorded: Sequence[Recorded], ask: Ask) -> list[str]:
    """Speakers by place where nothing else tells them; what is to be checked of them."""
    if any(each.speaker for each in recorded):
        speakers = {each.speaker for each in recorded} - {""}
        if len(speakers) >= _FEWEST_SPEAKERS or any(each.split for each in recorded):
            return []
        for each in recorded:
            each.speaker = ""
        return [
            f"{counted(len(speakers), 'speaker')} are too few for three splits: splits are made by "
            "recording, and scores tell nothing about other speakers"
        ]
    by_place = speakers_by_place([each.path for each in recorded])
    names = sorted({*by_place.values()})
    if not names or not ask(f"{folder}: are {short_list(names, 5)} the speakers?", True):
        return []
    for each in recorded:
        each.speaker = by_place[each.path]
    return [f"{short_list(names, 3)} are taken for speakers, by where recordings lie"]


def _splits(folder: Path, recorded: Sequence[Recorded], ask: Ask) -> list[str]:
    """Splits by folders where nothing else tells any; none where speakers are in several."""
    if not any(each.split for each in recorded):
        by_place = split_folders([each.path for each in recorded])
        for each in recorded:
            each.split = by_place.get(each.path)
    where: dict[str, set[str]] = {}
    for each in recorded:
        if each.speaker and each.split:
            where.setdefault(each.speaker, set()).add(each.split)
    shared = sorted(speaker for speaker, splits in where.items() if len(splits) > 1)
    if shared:
        told = f"{counted(len(shared), 'speaker')}, such as {short_list(shared, 3)}"
        anew = ask(f"{folder}: {told}, in several splits; make splits anew by speakers?", True)
        for each in recorded:
            if anew:
                each.split = None
            else:
                each.speaker = ""
        done = "splits are made anew" if anew else "speakers are left out, and scores flatter"
        return [f"{told}, {'is' if len(shared) == 1 else 'are'} in several splits: {done}"]
    without = [each for each in recorded if not each.split]
    if 0 < len(without) < len(recorded):
        for each in without:
            each.split = "train"
        return [f"{counted(len(without), 'recording')} without a split: taken for training"]
    return []
