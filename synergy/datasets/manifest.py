"""Dataset ``manifest``: a folder with ``manifest.csv`` and, for activity, ``segments.csv``."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import Field

from synergy import limits
from synergy.datasets.base import Clip, Corpus, Progress, Segment
from synergy.datasets.content import (
    FileFacts,
    Folder,
    corpus_folder,
    file_facts,
    fingerprint,
    hash_order,
    refuse,
    safe_path,
)
from synergy.errors import DataError
from synergy.files import StrictModel, UnfitFileError, read_text, shortly
from synergy.names import label_problem
from synergy.quantities import decimal_number
from synergy.wording import SPLITS, Split, counted, did_you_mean, quoted, short_list, shown

_NOT_LABELS = frozenset({"path", "split", "speaker", "duration_s", "licence"})
_SPLIT_NAMES: dict[str, Split] = {**{s: s for s in SPLITS}, "validation": "valid", "dev": "valid"}
# Compressed audio is longer or shorter than its source by an encoder's padding.
_DURATION_TOLERANCE_S = 0.1
_DURATION_TOLERANCE = 0.05


class ManifestConfig(StrictModel):
    """A folder with ``manifest.csv`` (path, split, labels) and optional ``segments.csv``."""

    format: Literal["manifest"] = "manifest"
    folder: Folder = Field(
        description="Folder of the corpus; ${NAME} is read from the environment."
    )
    valid_fraction: float = Field(
        default=0.15,
        gt=0.0,
        lt=0.5,
        description="Share of train clips that become the valid split where there is none.",
    )


_Rows = Sequence[tuple[str, Mapping[str, str]]]
"""Where each row of a CSV file stands, and its cells by column, empty where there is no such."""


def load_manifest(name: str, config: ManifestConfig, progress: Progress | None = None) -> Corpus:
    """Read and check a manifest folder.

    Problems are a missing or damaged file, a path that leaves the folder, a wrong cell and a
    speaker in several splits.
    """
    folder = corpus_folder(name, config.folder)
    columns, rows = _read_csv(folder / "manifest.csv", ("path", "split"))
    problems: list[str] = []
    clips = _clips(folder, columns, rows, problems)
    facts = file_facts(folder, list(clips), problems, progress)
    clips = {
        path: _with_duration(clip, facts[path], problems)
        for path, clip in clips.items()
        if path in facts
    }
    if (folder / "segments.csv").exists():
        listed = {str(PurePosixPath(row["path"])) for _, row in rows}
        clips = _with_segments(folder, clips, listed, problems)
    if not rows:
        problems.append("manifest.csv has no rows")
    refuse(name, folder, clips.values(), problems)
    notes: list[str] = []
    ordered = tuple(clips[path] for path in sorted(clips))
    if not any(clip.split == "valid" for clip in ordered):
        ordered, note = _take_valid(name, ordered, config.valid_fraction)
        notes.append(note)
    return Corpus(
        name=name,
        folder=folder,
        clips=ordered,
        columns=tuple(column for column in columns if column not in _NOT_LABELS),
        fingerprint=fingerprint(ordered, facts),
        licences=tuple(sorted({row["licence"] for _, row in rows} - {""})),
        notes=tuple(notes),
    )


def _read_csv(file: Path, required: Sequence[str]) -> tuple[list[str], _Rows]:
    """Header and rows of a CSV file in UTF-8, of at most `limits.CSV_BYTES`."""
    try:
        text = read_text(file, limits.CSV_BYTES)
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = [column.strip() for column in next(reader, [])]
        rows = [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    except FileNotFoundError as error:
        raise DataError(f"expected {file.name} in {file.parent}, found none") from error
    except (OSError, UnfitFileError, csv.Error) as error:
        raise DataError(f"{file}: expected a CSV file in UTF-8 ({shortly(error)})") from error
    if len(header) > limits.COLUMNS:
        raise DataError(
            f"{file}: expected at most {limits.COLUMNS:,} columns, found {len(header):,}"
        )
    missing = [column for column in required if column not in header]
    if missing:
        raise DataError(
            f"{file}: expected the columns {', '.join(required)}; {', '.join(missing)} is missing "
            f"among {shown(', '.join(header)) or 'none'}"
        )
    ragged = [line for line, cells in rows if len(cells) != len(header)]
    if len({*header}) < len(header) or "" in header:
        raise DataError(
            f"{file}: every column needs a name of its own, found {shown(', '.join(header))}"
        )
    if problem := next(filter(None, map(label_problem, header)), ""):
        raise DataError(f"{file}: a column: {problem}")
    if ragged:
        raise DataError(
            f"{file}: expected {counted(len(header), 'cell')} in every row, found another number "
            f"in line {short_list(map(str, ragged))}"
        )
    stripped = ((line, zip(header, map(str.strip, cells), strict=True)) for line, cells in rows)
    return header, [(f"{file.name} line {n}", defaultdict(str, cells)) for n, cells in stripped]


def _clips(
    folder: Path, columns: Sequence[str], rows: _Rows, problems: list[str]
) -> dict[str, Clip]:
    """Clips by path, without segments; the duration is 0 where the manifest gives none."""
    clips: dict[str, Clip] = {}
    labels = [column for column in columns if column not in _NOT_LABELS]
    for where, row in rows:
        if not row["path"]:
            problems.append(f"{where}: the path is empty")
            continue
        path, problem = safe_path(folder, row["path"])
        split = _SPLIT_NAMES.get(row["split"].lower())
        duration_s = decimal_number(row["duration_s"]) if row["duration_s"] else 0.0
        if problem:
            problems.append(f"{where}: {problem}")
        if path in clips:
            problems.append(f"{where}: {shown(path)} is listed twice")
        if split is None:
            # Hints take time, and of many problems the first ones are shown.
            hint = did_you_mean(row["split"], _SPLIT_NAMES) if len(problems) < 10 else ""
            problems.append(
                f"{where}: expected the split train, valid or test, found {quoted(row['split'])}"
                f"{hint}"
            )
        if duration_s is None or (row["duration_s"] and duration_s <= 0):
            problems.append(
                f"{where}: expected duration_s in seconds, found {quoted(row['duration_s'])}"
            )
        if problem is None:
            values = {column: row[column] for column in labels if row[column]}
            clips[path] = Clip(path, split or "train", row["speaker"], duration_s or 0.0, values)
    return clips


def _with_duration(clip: Clip, facts: FileFacts, problems: list[str]) -> Clip:
    """The clip with the file's duration where the manifest gives none, else checked by it."""
    if not clip.duration_s:
        return replace(clip, duration_s=facts.duration_s)
    tolerance = max(_DURATION_TOLERANCE_S, _DURATION_TOLERANCE * facts.duration_s)
    if abs(clip.duration_s - facts.duration_s) > tolerance:
        problems.append(
            f"{shown(clip.path)}: the manifest says {clip.duration_s:g} s, "
            f"the file has {facts.duration_s:.3f} s"
        )
    return clip


def _with_segments(
    folder: Path, clips: Mapping[str, Clip], listed: set[str], problems: list[str]
) -> dict[str, Clip]:
    """Clips with the rows of ``segments.csv``, ordered by time."""
    _, rows = _read_csv(folder / "segments.csv", ("path", "start_s", "end_s", "label"))
    segments: dict[str, set[Segment]] = {}
    for where, row in rows:
        path = str(PurePosixPath(row["path"]))
        start_s, end_s = decimal_number(row["start_s"]), decimal_number(row["end_s"])
        if path not in clips:
            if path not in listed:
                problems.append(f"{where}: {shown(row['path'])} is not in manifest.csv")
        elif start_s is None or end_s is None or not 0 <= start_s < end_s:
            problems.append(
                f"{where}: expected 0 <= start_s < end_s in seconds, "
                f"found {quoted(row['start_s'])} and {quoted(row['end_s'])}"
            )
        elif end_s > clips[path].duration_s + _DURATION_TOLERANCE_S:
            problems.append(
                f"{where}: the segment ends at {end_s:g} s, "
                f"the clip at {clips[path].duration_s:g} s"
            )
        elif not row["label"]:
            problems.append(f"{where}: the label is empty")
        else:
            segment = Segment(start_s, end_s, row["label"], row["label_source"])
            segments.setdefault(path, set()).add(segment)

    ordered = {path: tuple(sorted(own, key=astuple)) for path, own in segments.items()}
    return {
        path: replace(clip, segments=ordered[path]) if path in ordered else clip
        for path, clip in clips.items()
    }


def _take_valid(name: str, clips: Sequence[Clip], fraction: float) -> tuple[tuple[Clip, ...], str]:
    """Move whole speakers from train to valid, in an order that only their names decide."""
    groups: dict[str, list[Clip]] = {}
    for clip in clips:
        if clip.split == "train":
            # A clip of an unknown speaker is a group by itself; the NUL keeps names apart.
            groups.setdefault(clip.speaker or f"\0{clip.path}", []).append(clip)
    if len(groups) < 2:
        raise DataError(
            f"corpus {name}: there is no valid split, and train has "
            f"{counted(len(groups), 'speaker')}, too few to take one out; "
            "mark clips of other speakers as valid"
        )
    train = sum(map(len, groups.values()))
    taken: list[str] = []
    missing = fraction * train
    for speaker in sorted(groups, key=hash_order):
        # Take a speaker when that brings the number of clips nearer to the target.
        if len(groups[speaker]) < 2 * missing and len(taken) < len(groups) - 1:
            taken.append(speaker)
            missing -= len(groups[speaker])
    if not taken:
        taken = [min(groups, key=lambda speaker: (len(groups[speaker]), hash_order(speaker)))]
    moved = {clip.path for speaker in taken for clip in groups[speaker]}
    speakers = sum(not speaker.startswith("\0") for speaker in taken)
    who = [counted(speakers, "speaker")] if speakers else []
    if unnamed := len(taken) - speakers:
        who.append(f"{counted(unnamed, 'clip')} without speaker")
    note = (
        f"corpus {name} has no valid split: {' and '.join(who)}, {len(moved)} of {train} train "
        "clips, became valid"
    )
    result = tuple(replace(clip, split="valid") if clip.path in moved else clip for clip in clips)
    return result, note
