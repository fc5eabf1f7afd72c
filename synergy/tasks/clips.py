"""All clips of a run in one numbering, with features and, per task, targets.

This is what training reads: no labels, no files, no audio.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from synergy.audio.features import Normalisation, crop_frames
from synergy.datasets.base import Clip, Corpus
from synergy.datasets.feature_store import FeatureStore, normalisation
from synergy.seeding import digest, hash64
from synergy.tasks import TaskSpec
from synergy.tasks.selection import TaskSelection
from synergy.wording import SPLITS, Split


@dataclass(frozen=True)
class ClipBank:
    """Clips of several corpora under one numbering 0..N-1.

    Attributes
    ----------
    keys : tuple of str
        ``corpus/path`` of each clip.
    hashes : uint64 [N]
        Hash of each key: a clip's identity in random draws, whatever else is in the bank.
    features : tuple of float16 arrays [F, M]
        Log-mel features of each clip, views into memory-mapped files.
    normalisation : Normalisation
        From the training split of all corpora.
    fingerprint : str
        Digest of the content of corpora and features.
    """

    keys: tuple[str, ...]
    hashes: np.ndarray
    features: tuple[np.ndarray, ...]
    normalisation: Normalisation
    hop_s: float
    fingerprint: str

    def __reduce__(self) -> tuple[Any, ...]:
        """Travels with the features of all clips as one array, [all frames, M]."""
        lengths = [len(features) for features in self.features]
        frames = np.concatenate([np.asarray(features) for features in self.features])
        rest = (self.hashes, self.normalisation, self.hop_s, self.fingerprint)
        return _arrived, (self.keys, frames, lengths, *rest)

    @property
    def mels(self) -> int:
        """Number of mel bands, M."""
        return len(self.normalisation.mean)

    def crops(self, clips: np.ndarray, starts: np.ndarray, frames: int) -> np.ndarray:
        """Normalised crops of ``frames`` frames, edges repeated; float32 [n, F, M].

        ``clips`` and ``starts``, int64 [n], may begin or end outside the clip.
        """
        crops = np.empty((len(clips), frames, self.mels), dtype=np.float32)
        for row, (clip, start) in enumerate(zip(clips, starts, strict=True)):
            crops[row] = crop_frames(self.features[clip], start, frames)
        return self.normalisation(crops)


def _arrived(
    keys: tuple[str, ...],
    frames: np.ndarray,
    lengths: list[int],
    hashes: np.ndarray,
    normalisation: Normalisation,
    hop_s: float,
    fingerprint: str,
) -> ClipBank:
    """A bank that travelled; the features are views of ``frames``."""
    features = tuple(np.split(frames, np.cumsum(lengths)[:-1]))
    return ClipBank(keys, hashes, features, normalisation, hop_s, fingerprint)


FEWEST_SPEAKERS = 10
"""Below so many in a split, resampling them says nothing about others."""


@dataclass(frozen=True)
class TaskData:
    """The clips of one task, by split, with their targets.

    Attributes
    ----------
    clips : dict of split to int64 [n]
        Numbers in the bank, in the order of their keys.
    targets : dict of split to list of arrays
        Per clip what its kind makes of it: a class number [] int64, or activity [F] uint8.
    groups : dict of split to int64 [n]
        Number of each clip's speaker, counted from 0; a clip whose speaker is not known is a
        group of its own. Clips of a speaker are resampled together.
    stream : int
        Hash of the set of training clips: tasks with the same clips draw them alike.
    digest : str
        Digest of clips and targets.
    """

    spec: TaskSpec
    clips: Mapping[Split, np.ndarray]
    targets: Mapping[Split, list[np.ndarray]]
    groups: Mapping[Split, np.ndarray]
    stream: int
    digest: str

    @property
    def task(self) -> str:
        """Name of the task."""
        return self.spec.name

    def speakers(self, split: Split) -> int:
        """Number of groups in a split."""
        return int(self.groups[split].max(initial=-1)) + 1


def build_bank(
    corpora: Mapping[str, Corpus], stores: Mapping[str, FeatureStore], hop_s: float
) -> ClipBank:
    """Number the clips of all corpora, in the order of corpus name and path."""
    clips = [(name, clip) for name in sorted(corpora) for clip in corpora[name].clips]
    keys = tuple(clip_key(name, clip) for name, clip in clips)
    normal = normalisation(stores, corpora)
    content = {n: [corpora[n].fingerprint, stores[n].digest] for n in sorted(corpora)}
    return ClipBank(
        keys=keys,
        hashes=np.array([hash64("clip", key) for key in keys], dtype=np.uint64),
        features=tuple(stores[name].clip(clip.path) for name, clip in clips),
        normalisation=normal,
        hop_s=hop_s,
        fingerprint=digest([content, normal.mean.tolist(), normal.std.tolist()]),
    )


def task_data(selection: TaskSelection, bank: ClipBank) -> TaskData:
    """Targets of one task in the numbering of ``bank``."""
    spec = selection.spec
    numbers = {key: number for number, key in enumerate(bank.keys)}
    clips: dict[Split, np.ndarray] = {}
    targets: dict[Split, list[np.ndarray]] = {}
    groups: dict[Split, np.ndarray] = {}
    summary: list[object] = [spec.name, list(spec.classes)]
    for split in SPLITS:
        found = {
            numbers[clip_key(each.corpus, each.clip)]: each for each in selection.of_split(split)
        }
        chosen = dict(sorted(found.items()))
        clips[split] = np.array(list(chosen), dtype=np.int64)
        targets[split] = [
            spec.rules.target(labelled.target, len(bank.features[number]), bank.hop_s)
            for number, labelled in chosen.items()
        ]
        seen: dict[object, int] = {}
        speakers = [
            (each.corpus, each.clip.speaker) if each.clip.speaker else number
            for number, each in chosen.items()
        ]
        numbered = [seen.setdefault(speaker, len(seen)) for speaker in speakers]
        groups[split] = np.array(numbered, dtype=np.int64)
        hashes = [hash64(target.tobytes().hex()) for target in targets[split]]
        names = [bank.keys[number] for number in chosen]
        summary.append([split, list(zip(names, hashes, strict=True))])
    return TaskData(
        spec=spec,
        clips=clips,
        targets=targets,
        groups=groups,
        stream=hash64("stream", *(bank.keys[number] for number in clips["train"])),
        digest=digest(summary),
    )


def clip_key(corpus: str, clip: Clip) -> str:
    """``corpus/path``; one clip alone has it, since the name of a corpus has no slash."""
    return f"{corpus}/{clip.path}"
