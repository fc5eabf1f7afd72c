"""From the labels of corpora to the targets of one task, with a count of what is left out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from synergy.datasets.base import Clip, Corpus, Segment
from synergy.datasets.task_source import TaskSource, matching_clips
from synergy.errors import DataError
from synergy.wording import SPLITS, Split, counted, did_you_mean, problem_message, short_list

__all__ = ["LabelledClip", "TaskSelection", "TaskSource", "frame_targets", "select_clips"]

# Frames of this length decide whether a split is all active; any usual hop gives the same answer.
_CHECK_HOP_S = 0.01


@dataclass(frozen=True, slots=True)
class LabelledClip:
    """A clip that a task trains or is scored on.

    ``target`` is the number of the class, or the active segments of an activity task.
    """

    corpus: str
    clip: Clip
    target: int | tuple[Segment, ...]


@dataclass(frozen=True)
class TaskSelection:
    """All clips of one task.

    Attributes
    ----------
    task : str
    classes : tuple of str
        In the order of the targets; of an activity task the one label.
    clips : tuple of LabelledClip
        By corpus in the order of the sources, then by path.
    dropped : tuple of str
        What was left out and why, with counts, one sentence each.
    """

    task: str
    classes: tuple[str, ...]
    clips: tuple[LabelledClip, ...]
    dropped: tuple[str, ...]

    def of_split(self, split: Split) -> tuple[LabelledClip, ...]:
        """The clips of one split, in order."""
        return tuple(labelled for labelled in self.clips if labelled.clip.split == split)


def select_clips(
    task_name: str,
    classes: tuple[str, ...] | None,
    kind_is_frames: bool,
    sources: Mapping[str, TaskSource],
    corpora: Mapping[str, Corpus],
) -> TaskSelection:
    """Find every clip that carries a target of a task.

    Parameters
    ----------
    task_name : str
    classes : tuple of str, or None
        Classes in the order of the targets; None takes those of the data, sorted.
    kind_is_frames : bool
        True for activity per frame, False for one class per clip.
    sources : mapping of str to TaskSource
        By name of the corpus.
    corpora : mapping of str to Corpus

    Returns
    -------
    TaskSelection

    Raises
    ------
    DataError
        If a corpus, column, class or segment label does not exist, or a split is empty or has
        one class (or only active or only inactive frames); names all problems together.
    """
    problems: list[str] = []
    dropped: list[str] = []
    if not sources:
        problems.append("expected at least one corpus, found none")
    matching: dict[str, list[Clip]] = {}
    for name, source in sources.items():
        if name not in corpora:
            problems.append(
                f"there is no corpus {name!r}{did_you_mean(name, corpora)}; "
                f"there are {short_list(corpora)}"
            )
        elif problem := _wrong_kind(source, kind_is_frames):
            problems.append(f"corpus {name}: {problem}")
        elif unknown := _unknown_columns(source, corpora[name]):
            problems.extend(unknown)
        else:
            matching[name] = matching_clips(source, corpora[name], problems, dropped)

    clips: list[LabelledClip] = []
    if kind_is_frames:
        labels = {source.segments for source in sources.values() if source.segments}
        classes = classes or (labels.pop() if len(labels) == 1 else "active",)
        for name, found in matching.items():
            clips += _with_segments(name, sources[name], corpora[name], found, problems, dropped)
    else:
        classes = classes or _classes_of(sources, matching)
        for name, found in matching.items():
            clips += _with_class(name, sources[name], classes, found, problems, dropped)
    if not problems:
        check = _activity_problems if kind_is_frames else _class_problems
        for split in SPLITS:
            targets = [clip for clip in clips if clip.clip.split == split]
            problems += check(split, targets, classes) if targets else [f"no {split} clip is left"]
        if problems:
            problems += dropped
    if problems:
        raise DataError(problem_message(f"task {task_name}", problems))
    return TaskSelection(task_name, classes, tuple(clips), tuple(dropped))


def frame_targets(segments: Sequence[Segment], frames: int, hop_s: float) -> np.ndarray:
    """Which frames are active.

    Parameters
    ----------
    segments : sequence of Segment
        May overlap and may end after the last frame.
    frames : int
        F >= 0.
    hop_s : float
        Seconds between the centres of two frames; frame f is centred at f * hop_s.

    Returns
    -------
    ndarray, shape (F,)
        uint8; 1 where the centre lies in a segment, its start included, its end not.
    """
    targets = np.zeros(frames, dtype=np.uint8)
    for segment in segments:
        # The margin keeps 0.07 / 0.01 = 7.000000000000001 at frame 7.
        first = max(0, math.ceil(segment.start_s / hop_s - 1e-6))
        targets[first : max(0, math.ceil(segment.end_s / hop_s - 1e-6))] = 1
    return targets


def _wrong_kind(source: TaskSource, kind_is_frames: bool) -> str | None:
    if kind_is_frames and source.segments is None:
        return "an activity task needs segments (the label of active segments), found a column"
    if not kind_is_frames and source.column is None:
        return "a classification task needs a column, found segments"
    return None


def _unknown_columns(source: TaskSource, corpus: Corpus) -> list[str]:
    wanted = [*([source.column] if source.column else []), *source.where]
    return [
        f"corpus {corpus.name} has no column {column!r}{did_you_mean(column, corpus.columns)}; "
        f"it has {short_list(corpus.columns, 20)}"
        for column in dict.fromkeys(wanted)
        if column not in corpus.columns
    ]


def _classes_of(
    sources: Mapping[str, TaskSource], matching: Mapping[str, list[Clip]]
) -> tuple[str, ...]:
    """Classes that the data has: targets of maps, and values where there is no map."""
    found: set[str] = set()
    for name, clips in matching.items():
        source = sources[name]
        values = {clip.labels.get(source.column or "") for clip in clips} - {None}
        found |= {source.map[value] for value in values & source.map.keys() if value}
        found |= {value for value in values if value and not source.map}
    return tuple(sorted(found))


def _with_class(
    name: str,
    source: TaskSource,
    classes: tuple[str, ...],
    clips: Sequence[Clip],
    problems: list[str],
    dropped: list[str],
) -> list[LabelledClip]:
    """Clips whose value is a class or is mapped to one."""
    number = {label: index for index, label in enumerate(classes)}
    column = source.column or ""
    for target in dict.fromkeys(source.map.values()):
        if target not in number:
            problems.append(
                f"corpus {name}: the map leads to {target!r}, which is no class"
                f"{did_you_mean(target, classes)}; classes are {short_list(classes, 40)}"
            )
    result: list[LabelledClip] = []
    unknown: Counter[str] = Counter()
    empty = 0
    for clip in clips:
        value = clip.labels.get(column)
        if value is None:
            empty += 1
        elif (label := source.map.get(value, value)) in number:
            result.append(LabelledClip(name, clip, number[label]))
        elif value not in source.map:
            unknown[value] += 1
    if empty:
        dropped.append(f"{counted(empty, 'clip')} of {name} have no {column}")
    if source.map:
        values = {clip.labels.get(column) for clip in clips}
        for value in source.map.keys() - values:
            dropped.append(f"no clip of {name} has the {column} {value!r} that the map names")
        for value, count in sorted(unknown.items()):
            dropped.append(
                f"{counted(count, 'clip')} of {name} have the {column} {value!r}, "
                "which is not in the map"
            )
    else:
        for value, count in sorted(unknown.items()):
            problems.append(
                f"corpus {name}: {counted(count, 'clip')} with the {column} {value!r}, which is no "
                f"class{did_you_mean(value, classes)}; classes are {short_list(classes, 40)} "
                "(use map or where to leave values out)"
            )
    return result


def _with_segments(
    name: str,
    source: TaskSource,
    corpus: Corpus,
    clips: Sequence[Clip],
    problems: list[str],
    dropped: list[str],
) -> list[LabelledClip]:
    """Clips with the segments that count; `()` where somebody looked and found none."""
    rows = [segment for clip in corpus.clips for segment in clip.segments or ()]
    labels = {segment.label for segment in rows}
    origins = {row.label_source for row in rows if row.label == source.segments} - {""}
    label = source.segments or ""
    looked = source.unlisted == "inactive" or any(clip.segments == () for clip in corpus.clips)
    if not rows and not looked:
        problems.append(
            f"corpus {name} has no segments, which an activity task needs: expected segments.csv"
        )
        return []
    if rows and label not in labels:
        problems.append(
            f"corpus {name} has no segment with the label {label!r}"
            f"{did_you_mean(label, labels)}; its labels are {short_list(sorted(labels))}"
        )
        return []
    if rows and source.label_source is not None and source.label_source not in origins:
        problems.append(
            f"corpus {name} has no {label} segment with the label_source {source.label_source!r}"
            f"{did_you_mean(source.label_source, origins)}; there are {short_list(sorted(origins))}"
        )
        return []
    result: list[LabelledClip] = []
    missing = 0
    for clip in clips:
        target = tuple(
            segment
            for segment in clip.segments or ()
            if segment.label == label
            and (source.label_source is None or segment.label_source == source.label_source)
        )
        if target or clip.segments == () or source.unlisted == "inactive":
            result.append(LabelledClip(name, clip, target))
        else:
            missing += 1
    if missing:
        by = f" by {source.label_source}" if source.label_source else ""
        dropped.append(f"{counted(missing, 'clip')} of {name} have no {label} segment{by}")
    return result


def _class_problems(
    split: Split, clips: Sequence[LabelledClip], classes: tuple[str, ...]
) -> list[str]:
    """What makes a split of a classification task unusable."""
    found = {clip.target for clip in clips}
    if len(found) == 1:
        only = next(label for index, label in enumerate(classes) if index in found)
        return [f"all {counted(len(clips), f'{split} clip')} are {only}; expected several classes"]
    missing = [label for index, label in enumerate(classes) if index not in found]
    if split == "train" and missing:
        return [f"no train clip of the class {short_list(missing)}"]
    return []


def _activity_problems(
    split: Split, clips: Sequence[LabelledClip], _classes: tuple[str, ...]
) -> list[str]:
    """What makes a split of an activity task unusable."""
    active = total = 0
    for labelled in clips:
        frames = max(1, int(labelled.clip.duration_s / _CHECK_HOP_S))
        segments = labelled.target if isinstance(labelled.target, tuple) else ()
        active += int(frame_targets(segments, frames, _CHECK_HOP_S).sum())
        total += frames
    if 0 < active < total:
        return []
    state = "active" if active else "inactive"
    return [f"every frame of the {counted(len(clips), f'{split} clip')} is {state}; expected both"]
