"""All clips of a run in one numbering, with features and, per task, targets.

This is what training reads: no labels, no files, no audio.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from synergy.datasets.base import Clip, Corpus
from synergy.datasets.feature_store import FeatureStore, normalisation
from synergy.datasets.selection import TaskSelection, frame_targets
from synergy.seeding import digest, hash64
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
    mean, std : float32 [M]
        Normalisation per mel band, from the training split of all corpora.
    hop_s : float
    fingerprint : str
        Digest of the content of corpora and features.
    """

    keys: tuple[str, ...]
    hashes: np.ndarray
    features: tuple[np.ndarray, ...]
    mean: np.ndarray
    std: np.ndarray
    hop_s: float
    fingerprint: str

    @property
    def mels(self) -> int:
        """Number of mel bands, M."""
        return len(self.mean)


@dataclass(frozen=True)
class TaskData:
    """The clips of one task, by split, with their targets.

    Attributes
    ----------
    task : str
    classes : tuple of str
    clips : dict of split to int64 [n]
        Numbers in the bank, in the order of their keys.
    targets : dict of split to list of arrays
        Per clip its class number [] int64, or activity [F] uint8.
    groups : dict of split to int64 [n]
        Number of each clip's speaker, counted from 0; a clip whose speaker is not known is a
        group of its own. Clips of a speaker are resampled together.
    stream : int
        Hash of the set of training clips: tasks with the same clips draw them alike.
    digest : str
        Digest of clips and targets.
    """

    task: str
    classes: tuple[str, ...]
    clips: Mapping[Split, np.ndarray]
    targets: Mapping[Split, list[np.ndarray]]
    groups: Mapping[Split, np.ndarray]
    stream: int
    digest: str


def build_bank(
    corpora: Mapping[str, Corpus], stores: Mapping[str, FeatureStore], hop_s: float
) -> ClipBank:
    """Number the clips of all corpora, in the order of corpus name and path."""
    keys: list[str] = []
    features: list[np.ndarray] = []
    for name in sorted(corpora):
        store = stores[name]
        for clip in corpora[name].clips:
            first, frames = store.offsets[clip.path]
            keys.append(_key(name, clip))
            features.append(store.features[first : first + frames])
    mean, std = normalisation(stores, corpora)
    content = {n: [corpora[n].fingerprint, stores[n].digest] for n in sorted(corpora)}
    return ClipBank(
        keys=tuple(keys),
        hashes=np.array([hash64("clip", key) for key in keys], dtype=np.uint64),
        features=tuple(features),
        mean=mean,
        std=std,
        hop_s=hop_s,
        fingerprint=digest([content, mean.tolist(), std.tolist()]),
    )


def task_data(selection: TaskSelection, bank: ClipBank) -> TaskData:
    """Targets of one task in the numbering of ``bank``."""
    numbers = {key: number for number, key in enumerate(bank.keys)}
    clips: dict[Split, np.ndarray] = {}
    targets: dict[Split, list[np.ndarray]] = {}
    groups: dict[Split, np.ndarray] = {}
    speakers = {
        numbers[_key(labelled.corpus, labelled.clip)]: (labelled.corpus, labelled.clip.speaker)
        for labelled in selection.clips
        if labelled.clip.speaker
    }
    summary: list[object] = [selection.task, list(selection.classes)]
    for split in SPLITS:
        chosen = _by_number(selection, numbers, split)
        clips[split] = np.array([number for number, _ in chosen], dtype=np.int64)
        targets[split] = [
            np.asarray(target, dtype=np.int64)
            if isinstance(target, int)
            else frame_targets(target, len(bank.features[number]), bank.hop_s)
            for number, target in chosen
        ]
        seen: dict[object, int] = {}
        groups[split] = np.array(
            [seen.setdefault(speakers.get(n, n), len(seen)) for n in clips[split].tolist()],
            dtype=np.int64,
        )
        content = [
            [bank.keys[number], hash64(target.tobytes().hex())]
            for number, target in zip(clips[split], targets[split], strict=True)
        ]
        summary.append([split, content])
    train_keys = [bank.keys[number] for number in clips["train"]]
    return TaskData(
        task=selection.task,
        classes=selection.classes,
        clips=clips,
        targets=targets,
        groups=groups,
        stream=hash64("stream", *train_keys),
        digest=digest(summary),
    )


def _by_number(
    selection: TaskSelection, numbers: Mapping[str, int], split: Split
) -> list[tuple[int, Any]]:
    chosen = [
        (numbers[_key(labelled.corpus, labelled.clip)], labelled.target)
        for labelled in selection.clips
        if labelled.clip.split == split
    ]
    return sorted(chosen, key=lambda pair: pair[0])


def _key(corpus: str, clip: Clip) -> str:
    return f"{corpus}/{clip.path}"
