"""Dataset ``manifest``: a folder with ``manifest.csv`` and, for activity, ``segments.csv``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import Field

from synergy.datasets.base import Clip, Corpus, Progress, Segment
from synergy.datasets.content import (
    FileFacts,
    Folder,
    corpus_folder,
    file_facts,
    fingerprint,
    left_out,
    refuse,
    safe_path,
)
from synergy.datasets.csv_rows import Rows, read_rows
from synergy.datasets.split_names import split_names
from synergy.datasets.splitting import SplitCorpusConfig, complete_splits
from synergy.quantities import decimal_number
from synergy.wording import did_you_mean, quoted, shown

_NOT_LABELS = frozenset({"path", "split", "speaker", "duration_s", "licence"})
# Compressed audio is longer or shorter than its source by an encoder's padding.
_DURATION_TOLERANCE_S = 0.1
_DURATION_TOLERANCE = 0.05


class ManifestConfig(SplitCorpusConfig):
    """A folder with ``manifest.csv`` (path, split, labels) and optional ``segments.csv``."""

    format: Literal["manifest"] = "manifest"
    root: Folder | None = Field(
        default=None,
        description="Folder below which the recordings lie, where that is another one; paths are "
        "relative to it.",
    )


def load_manifest(name: str, config: ManifestConfig, progress: Progress | None = None) -> Corpus:
    """Read and check a manifest folder.

    Problems are a missing or damaged file, a path that leaves the folder, a wrong cell and a
    speaker in several splits.
    """
    lists = corpus_folder(name, config.folder)
    folder = lists if config.root is None else corpus_folder(name, config.root)
    columns, rows = _listed(lists / "manifest.csv", bool(config.test_fraction))
    problems: list[str] = []
    bad: list[str] = []
    clips = _clips(folder, columns, rows, problems)
    facts = file_facts(folder, list(clips), bad, progress)
    notes = left_out(name, config.on_bad_audio, bad, len(clips), problems)
    clips = {
        path: _with_duration(clip, facts[path], problems)
        for path, clip in clips.items()
        if path in facts
    }
    if (lists / "segments.csv").exists():
        listed = {str(PurePosixPath(row["path"])) for _, row in rows}
        clips = _with_segments(lists, clips, listed, problems)
    if not rows:
        problems.append("manifest.csv has no rows")
    refuse(name, folder, clips.values(), problems, 10 + len(bad))
    ordered, made = complete_splits(name, [clips[path] for path in sorted(clips)], config)
    return Corpus(
        name=name,
        folder=folder,
        clips=ordered,
        columns=tuple(column for column in columns if column not in _NOT_LABELS),
        fingerprint=fingerprint(ordered, facts),
        licences=tuple(sorted({row["licence"] for _, row in rows} - {""})),
        notes=(*notes, *made),
    )


def _listed(file: Path, splits_can_be_made: bool) -> tuple[list[str], Rows]:
    """Columns and rows of a manifest; where all splits are made, a row needs none."""
    if not splits_can_be_made:
        return read_rows(file, ("path", "split"))
    columns, rows = read_rows(file, ("path",))
    if any(row["split"] for _, row in rows):
        return columns, rows
    for _, row in rows:
        row["split"] = "train"
    return columns, rows


def _clips(
    folder: Path, columns: Sequence[str], rows: Rows, problems: list[str]
) -> dict[str, Clip]:
    """Clips by path, without segments; the duration is 0 where the manifest gives none."""
    known = split_names(row["split"] for _, row in rows)
    clips: dict[str, Clip] = {}
    labels = [column for column in columns if column not in _NOT_LABELS]
    for where, row in rows:
        if not row["path"]:
            problems.append(f"{where}: the path is empty")
            continue
        path, problem = safe_path(folder, row["path"])
        split = known.get(row["split"].lower())
        duration_s = decimal_number(row["duration_s"]) if row["duration_s"] else 0.0
        if problem:
            problems.append(f"{where}: {problem}")
        if path in clips:
            problems.append(f"{where}: {shown(path)} is listed twice")
        if split is None:
            # Hints take time, and of many problems the first ones are shown.
            hint = did_you_mean(row["split"], known) if len(problems) < 10 else ""
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
    _, rows = read_rows(folder / "segments.csv", ("path", "start_s", "end_s", "label"))
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
