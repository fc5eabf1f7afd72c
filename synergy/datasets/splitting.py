"""Splits that a corpus lacks, made of its train clips by whole speakers.

Which speaker goes where is decided once. With a file for it, every decision is written down there
and kept, so that recordings that are added later move nobody to another split.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import Field

from synergy import limits
from synergy.datasets.base import Clip
from synergy.datasets.content import BadAudio, Folder, expand_folder, hash_order
from synergy.datasets.csv_rows import read_rows
from synergy.errors import DataError
from synergy.files import StrictModel, shortly, write_atomically
from synergy.names import Label
from synergy.wording import Split, counted, quoted, short_list, shown

_COLUMNS = ("speaker", "recording", "split")
_Groups = dict[str, list[Clip]]
"""Clips by speaker. One of an unknown speaker is a group by itself: ``"\\0"`` and its path."""


class SplitCorpusConfig(StrictModel):
    """Settings of a corpus that may lack splits."""

    folder: Folder = Field(
        description="Folder of the corpus; ${NAME} is read from the environment."
    )
    valid_fraction: float = Field(
        default=0.15,
        gt=0.0,
        lt=0.5,
        description="Share of train clips that become the valid split where there is none.",
    )
    test_fraction: float = Field(
        default=0.0,
        ge=0.0,
        lt=0.5,
        description="Share of train clips that become the test split where there is none; with 0 "
        "none is made.",
    )
    stratify: tuple[Label, ...] = Field(
        default=(),
        max_length=limits.CONDITIONS,
        description="Label columns whose values get the same shares in splits that are made.",
    )
    splits: Folder | None = Field(
        default=None,
        description="CSV file in which splits that are made are written down (speaker or "
        "recording, split) and kept when recordings are added; without it they are made anew "
        "whenever the corpus is read.",
    )
    on_bad_audio: BadAudio = Field(
        default="skip",
        description="What is done about recordings that cannot be decoded: stop, or skip them "
        "where they are at most 1 % of the corpus, each with a note.",
    )


def complete_splits(
    name: str, clips: Sequence[Clip], config: SplitCorpusConfig
) -> tuple[tuple[Clip, ...], list[str]]:
    """The clips with those splits that they lack, taken out of train, and notes on them.

    Speakers are looked at in the order of a hash of their names. One is taken where that brings
    the number of clips, of all and of each value of ``stratify``, nearer to its share, in sum. A
    value that enough speakers have is in every split.

    Raises
    ------
    DataError
        If there are too few speakers, or the file of ``splits`` cannot be used.
    """
    there = {clip.split for clip in clips}
    shares: dict[Split, float] = {"test": config.test_fraction, "valid": config.valid_fraction}
    lacking: list[Split] = [s for s, share in shares.items() if share and s not in there]
    if not lacking:
        return tuple(clips), []
    groups: _Groups = {}
    for clip in clips:
        if clip.split == "train":
            groups.setdefault(clip.speaker or f"\0{clip.path}", []).append(clip)
    if len(groups) <= len(lacking):
        raise DataError(
            f"corpus {name}: there is no {' and no '.join(lacking[::-1])} split, and train has "
            f"{counted(len(groups), 'speaker')}, too few to take {_each(lacking)} out; "
            f"mark clips of other speakers as {' and '.join(lacking[::-1])}"
        )
    file = expand_folder(config.splits) if config.splits else None
    kept = _kept(file, lacking) if file else {}
    sizes = {group: _sizes(own, config.stratify) for group, own in groups.items()}
    made: dict[str, Split] = {group: kept[group] for group in groups if group in kept}
    for place, split in enumerate(lacking):
        others: list[Split] = [*lacking[place + 1 :], "train"]
        made |= dict.fromkeys(_taken(sizes, made, split, shares[split], others), split)
    made = {group: made.get(group, "train") for group in groups}
    if file and made.keys() - kept.keys():
        _write(file, {**kept, **made})
    moved = {clip.path: made[group] for group, own in groups.items() for clip in own}
    result = tuple(replace(clip, split=moved.get(clip.path, clip.split)) for clip in clips)
    notes = [_note(name, groups, made, split) for split in lacking]
    if file:
        notes.append(f"corpus {name}: the splits that were made are written down in {file}")
    for column in config.stratify:
        notes += _absent(name, result, column, lacking)
    return result, notes


def _each(lacking: Sequence[Split]) -> str:
    return "one" if len(lacking) == 1 else "one for each"


def _taken(
    sizes: Mapping[str, Counter[str]],
    made: Mapping[str, Split],
    split: Split,
    share: float,
    others: Sequence[Split],
) -> list[str]:
    """Groups that join those of ``made`` in a split; of each value some are left for ``others``."""
    missing: dict[str, float] = {}
    for size in sizes.values():
        for value, count in size.items():
            missing[value] = missing.get(value, 0.0) + count
    missing = {value: share * count for value, count in missing.items()}
    there = {each: {v for g, s in made.items() if s == each for v in sizes[g]} for each in others}
    needed = {value: sum(value not in there[each] for each in others) for value in missing}
    free = sorted((group for group in sizes if group not in made), key=hash_order)
    left = Counter(value for group in free for value in sizes[group])
    covered = {value for group, where in made.items() if where == split for value in sizes[group]}
    taken: dict[str, None] = {}  # a set in order

    def spare(group: str) -> bool:
        return all(left[value] > needed[value] for value in sizes[group])

    def count_in(group: str) -> None:
        for value, count in sizes[group].items():
            missing[value] -= count

    for group, where in made.items():
        if where == split:
            count_in(group)
    for group in free:
        gain = sum(abs(missing[v]) - abs(missing[v] - n) for v, n in sizes[group].items())
        if gain > 0 and spare(group):
            taken[group] = None
            count_in(group)
            left.subtract(sizes[group].keys())
            covered.update(sizes[group])
    for value in sorted(missing, key=lambda value: (left[value], value)):
        if value in covered:
            continue
        having = [g for g in free if value in sizes[g] and g not in taken and spare(g)]
        if having:
            group = _smallest(sizes, having)
            taken[group] = None
            left.subtract(sizes[group].keys())
            covered.update(sizes[group])
    if free and not taken and split not in made.values():
        taken[_smallest(sizes, free)] = None
    return list(taken)


def _smallest(sizes: Mapping[str, Counter[str]], groups: Sequence[str]) -> str:
    return min(groups, key=lambda group: (sizes[group][""], hash_order(group)))


def _sizes(clips: Sequence[Clip], columns: Sequence[str]) -> Counter[str]:
    """How many clips there are, by the empty text, and with each value of some columns."""
    sizes = Counter({"": len(clips)})
    for column in columns:
        sizes.update(f"{column}\0{clip.labels[column]}" for clip in clips if column in clip.labels)
    return sizes


def _note(name: str, groups: _Groups, made: Mapping[str, Split], split: Split) -> str:
    taken = [group for group in groups if made[group] == split]
    speakers = sum(not group.startswith("\0") for group in taken)
    who = [counted(speakers, "speaker")] if speakers else []
    if unnamed := len(taken) - speakers:
        who.append(f"{counted(unnamed, 'clip')} without speaker")
    count, train = sum(len(groups[group]) for group in taken), sum(map(len, groups.values()))
    unknown = all(group.startswith("\0") for group in groups)
    warning = (
        "; no speaker is known, so a voice may be in several splits, and scores tell nothing about "
        "voices that were not heard in training"
    )
    return (
        f"corpus {name} has no {split} split: {' and '.join(who) or 'nothing'}, {count} of {train} "
        f"train clips, became {split}{warning if unknown else ''}"
    )


def _absent(name: str, clips: Sequence[Clip], column: str, lacking: Sequence[Split]) -> list[str]:
    """Says which values are not in a split that was made."""
    every = {clip.labels[column] for clip in clips if column in clip.labels}
    notes: list[str] = []
    for split in (*lacking[::-1], "train"):
        own = {clip.labels.get(column) for clip in clips if clip.split == split}
        if absent := sorted(every - own):
            notes.append(
                f"corpus {name}: no {split} clip has the {shown(column)} {short_list(absent)}: "
                "too few speakers have it"
            )
    return notes


# -- what was decided before ------------------------------------------------------------------


def _kept(file: Path, lacking: Sequence[Split]) -> dict[str, Split]:
    """The groups that a file names; none where there is no file yet."""
    if not file.exists():
        return {}
    _, rows = read_rows(file, _COLUMNS)
    kept: dict[str, Split] = {}
    possible: dict[str, Split] = {split: split for split in (*lacking, "train")}
    for where, row in rows:
        group = row["speaker"] or f"\0{row['recording']}"
        split = possible.get(row["split"].lower())
        if bool(row["speaker"]) == bool(row["recording"]):
            raise DataError(f"{file}, {where}: expected either a speaker or a recording")
        if split is None:
            raise DataError(
                f"{file}, {where}: expected {' or '.join(sorted(possible))}, since the corpus has "
                f"the other splits itself, found {quoted(row['split'])}; write one of these or "
                "delete the file, and splits are made anew"
            )
        if group in kept:
            raise DataError(f"{file}, {where}: {shown(group.strip(chr(0)))} is there twice")
        kept[group] = split
    return kept


def _write(file: Path, kept: Mapping[str, Split]) -> None:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for group, split in sorted(kept.items()):
        unknown = group.startswith("\0")
        writer.writerow(["" if unknown else group, group[1:] if unknown else "", split])
    try:
        write_atomically(file, table.getvalue())
    except OSError as error:
        raise DataError(
            f"{file}: the splits cannot be written down ({shortly(error)}); name another file or "
            "leave the setting splits out"
        ) from error
