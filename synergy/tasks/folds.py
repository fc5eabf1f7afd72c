"""Folds: train and valid divided by speakers, each part the validation split of some trainings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from synergy import limits
from synergy.datasets.base import Clip
from synergy.errors import DataError
from synergy.files import StrictModel
from synergy.seeding import hash64
from synergy.tasks.selection import TaskSelection
from synergy.wording import counted, problem_message

Amounts = Mapping[tuple[str, ...], int]
"""What a speaker has of all that is to be spread evenly."""

_UNIT = 2**30  # of a share, so that sums of squares are exact on every machine
_HOP_S = 0.01  # by which activities are counted, whatever the features


class EvaluationConfig(StrictModel):
    """What models are validated on.

    Attributes
    ----------
    folds : int
        1: the validation split. More: train and valid together are divided into so many parts of
        whole speakers; the first seed is validated on the first part and trained on the others,
        the next seed on the next one, and so on. A divisor of ``seeds``, so that all parts count
        alike, and at most the speakers of each task. The test split stays what it is.
    """

    folds: Annotated[int, Field(ge=1, le=limits.SEEDS)] = 1


def divided(amounts: Mapping[str, Amounts], folds: int) -> dict[str, int]:
    """The fold of each speaker, 0..folds-1, such that folds have about as much of everything.

    The larger speakers first, each goes where the squares of the shares of the folds grow least;
    then each is moved as long as that makes the sum of all squares smaller. The order of
    ``amounts`` plays no part.
    """
    totals = Counter[tuple[str, ...]]()
    for own in amounts.values():
        totals.update(own)
    shares = {
        speaker: {what: _UNIT * amount // totals[what] for what, amount in own.items()}
        for speaker, own in amounts.items()
    }
    order = sorted(shares, key=lambda name: (-sum(shares[name].values()), hash64("fold", name)))
    loads = [Counter[tuple[str, ...]]() for _ in range(folds)]
    found: dict[str, int] = {}
    moved = True
    while moved:
        moved = False
        for speaker in order:
            own, old = shares[speaker], found.get(speaker)
            if old is not None:
                loads[old].subtract(own)
            # what a square grows by, less what is the same in every fold
            grown = [sum(share * load[what] for what, share in own.items()) for load in loads]
            best = grown.index(min(grown)) if old is None or min(grown) < grown[old] else old
            loads[best].update(own)
            moved |= best != old
            found[speaker] = best
    return found


def folded(
    selections: Sequence[TaskSelection], folds: int, hop_s: float = 0.01
) -> list[list[TaskSelection]]:
    """The clips of all tasks for each fold: what is in it is valid, all else but test is train.

    A name is one speaker, in whatever corpora and tasks it occurs; a clip whose speaker is not
    known is one by its path. ``hop_s`` is that of the features.

    Raises
    ------
    DataError
        If a task has fewer speakers than there are folds, or a fold leaves it without clips of
        several classes to learn from or to validate on; names all problems together.
    """
    if folds == 1:
        return [[*selections]]
    amounts: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    problems: list[str] = []
    for selection in selections:
        own = _amounts(selection)
        for speaker, counts in own.items():
            amounts[speaker].update(counts)
        if len(own) < folds:
            problems.append(
                f"task {selection.spec.name}: evaluation.folds: expected at most one fold for each "
                f"speaker of train and valid, of whom there are {len(own)}, found {folds}; lower it"
            )
    if problems:
        raise DataError("\n".join(problems))
    place = divided(amounts, folds)
    found: list[list[TaskSelection]] = []
    for fold in range(folds):
        parts = [_validated(selection, place, fold) for selection in selections]
        for part in parts:
            if wrong := [p for s in ("train", "valid") for p in part.split_problems(s, hop_s)]:
                where = f"task {part.spec.name}, fold {fold + 1} of {folds}"
                advised = [f"{problem}; lower evaluation.folds" for problem in wrong]
                problems.append(problem_message(where, advised))
        found.append(parts)
    if problems:
        raise DataError("\n".join(problems))
    return found


def _amounts(selection: TaskSelection) -> dict[str, Counter[tuple[str, ...]]]:
    """By speaker: itself, and how often it has each answer of the task."""
    task, rules, classes = selection.spec.name, selection.spec.rules, selection.spec.classes
    targets: dict[str, list[np.ndarray]] = defaultdict(list)
    for each in selection.clips:
        if each.clip.split != "test":
            frames = max(1, int(each.clip.duration_s / _HOP_S))
            targets[_speaker(each.clip)].append(rules.target(each.target, frames, _HOP_S))
    found: dict[str, Counter[tuple[str, ...]]] = {}
    for speaker, own in targets.items():
        answers = rules.counts(own, classes).items()
        found[speaker] = Counter({(task, answer): count for answer, count in answers if count})
        found[speaker][(task,)] = 1
    return found


def _validated(selection: TaskSelection, place: Mapping[str, int], fold: int) -> TaskSelection:
    """A selection in which the speakers of one fold are valid."""

    def split(clip: Clip) -> Literal["train", "valid", "test"]:
        if clip.split == "test":
            return clip.split
        return "valid" if place[_speaker(clip)] == fold else "train"

    clips = (replace(e, clip=replace(e.clip, split=split(e.clip))) for e in selection.clips)
    return replace(selection, clips=tuple(clips))


def _speaker(clip: Clip) -> str:
    """Whose clip it is; the NUL keeps names apart from paths."""
    return clip.speaker or f"\0{clip.path}"


def fold_note(selections: Sequence[TaskSelection]) -> str:
    """What folds a task is in, with counts; ``selections`` are its clips, fold by fold."""
    valid = [[each.clip for each in selection.of_split("valid")] for selection in selections]
    sizes = "+".join(str(len(clips)) for clips in valid)
    speakers = "+".join(str(len({_speaker(clip) for clip in clips})) for clips in valid)
    unknown = sum(not clip.speaker for clips in valid for clip in clips)
    alone = f", {counted(unknown, 'clip')} without speaker counting as one each" if unknown else ""
    name, tested = selections[0].spec.name, len(selections[0].of_split("test"))
    classes = counted(len(selections[0].spec.classes), "class", "classes")
    return (
        f"{name}: {len(valid)} folds of {sizes} clips and {speakers} speakers{alone}, {tested} "
        f"test clips, {classes}"
    )
