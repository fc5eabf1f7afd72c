"""Dataset ``folders``: one folder for each class, or one for each split with classes in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from pydantic import Field

from synergy.datasets.base import Clip, Corpus, Progress
from synergy.datasets.content import (
    corpus_folder,
    file_facts,
    fingerprint,
    left_out,
    refuse,
    safe_path,
)
from synergy.datasets.listing import files_below, is_audio
from synergy.datasets.split_names import split_names
from synergy.datasets.splitting import SplitCorpusConfig, complete_splits
from synergy.names import Label, label_problem
from synergy.wording import Split, counted, shown

SpeakerFrom = Literal["unknown", "folder", "name"]
_MARK = re.compile("[-_]")


class FoldersConfig(SplitCorpusConfig):
    """A folder for each class, with or without train, valid and test above them."""

    format: Literal["folders"] = "folders"
    test_fraction: float = Field(
        default=0.15,
        ge=0.0,
        lt=0.5,
        description="Share of train clips that become the test split where there is none; with 0 "
        "none is made.",
    )
    column: Label = Field(
        default="class", description="Name of the label column that has the names of the folders."
    )
    speaker: SpeakerFrom = Field(
        default="unknown",
        description="What tells the speaker: the folder inside that of the class, or the name of "
        "the file up to its first `_` or `-`.",
    )


def load_folders(name: str, config: FoldersConfig, progress: Progress | None = None) -> Corpus:
    """Read the recordings below the folders of classes; other files are no part of the corpus.

    Hidden files and folders, and those that begin with ``_``, are left out. Splits that are made
    have the same shares of all classes. Problems are names that can be no class, recordings outside
    of the folders of classes, and a speaker in several splits.
    """
    folder = corpus_folder(name, config.folder)
    found = [path for path in files_below(folder) if is_audio(path)]
    splits = splits_above(found)
    problems: list[str] = []
    bad: list[str] = []
    outside: list[str] = []
    clips: dict[str, Clip] = {}
    for path in found:
        split, label, inner = placed(path, splits)
        if not label:
            outside.append(path)
        elif problem := label_problem(label):
            problems.append(f"the folder of a class: {problem}")
        elif problem := safe_path(folder, path)[1]:
            problems.append(problem)
        else:
            speaker = speaker_of(inner, config.speaker)
            clips[path] = Clip(path, split or "train", speaker, 0.0, {config.column: label})
    if outside:
        problems.append(
            f"expected every recording in the folder of its class, found "
            f"{counted(len(outside), 'recording')} in none, such as {shown(outside[0])}"
        )
    if not found:
        problems.append("expected a folder for each class with recordings in it, found none")
    facts = file_facts(folder, list(clips), bad, progress)
    notes = left_out(name, config.on_bad_audio, bad, len(clips), problems)
    ready = [
        replace(clip, duration_s=facts[path].duration_s)
        for path, clip in clips.items()
        if path in facts
    ]
    refuse(name, folder, ready, problems, 10 + len(bad))
    stratified = config.model_copy(update={"stratify": config.stratify or (config.column,)})
    ordered, made = complete_splits(name, ready, stratified)
    return Corpus(
        name=name,
        folder=folder,
        clips=ordered,
        columns=(config.column,),
        fingerprint=fingerprint(ordered, facts),
        notes=(*notes, *made),
    )


def splits_above(paths: Sequence[str]) -> dict[str, Split]:
    """The split of each uppermost folder, in lower case; none unless all of them are splits."""
    top = {path.partition("/")[0].lower() for path in paths if "/" in path}
    known = split_names(top)
    return {name: known[name] for name in top} if top and top <= known.keys() else {}


class Place(NamedTuple):
    """What the place of a recording says: empty where it says nothing.

    ``inner`` is its path inside the folder of its class.
    """

    split: Split | None
    label: str
    inner: PurePosixPath


def placed(path: str, splits: Mapping[str, Split]) -> Place:
    """What the place of a recording says, given `splits_above` of all of them."""
    parts = PurePosixPath(path).parts
    split = splits.get(parts[0].lower()) if len(parts) > 1 else None
    below = parts[1:] if split else parts
    label = below[0] if len(below) > 1 else ""
    return Place(split, label, PurePosixPath(*below[1:] if label else below))


def speaker_of(inner: PurePosixPath, told_by: SpeakerFrom) -> str:
    """Speaker of a recording by its path inside the folder of its class; empty if unknown."""
    if told_by == "folder":
        return inner.parts[0].strip() if len(inner.parts) > 1 else ""
    first, mark, _ = _MARK.sub("_", inner.stem).partition("_")
    return first.strip() if told_by == "name" and mark else ""
