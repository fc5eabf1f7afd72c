"""Soft labels of teachers: what finished single-task models say about every training clip.

A teacher labels all training clips once, in windows of a crop's length; the labels are kept beside
the trials as ``soft_labels/TEACHER-CLIPS.safetensors``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from synergy.datasets.bank import ClipBank, TaskData
from synergy.encoders import ENCODERS
from synergy.errors import WorkspaceError
from synergy.files import partial_path
from synergy.network import build_network
from synergy.seeding import digest
from synergy.tasks import TASK_KINDS, TaskSpec
from synergy.training.distillation import SoftLabels, window_starts
from synergy.training.evaluation import predict
from synergy.tree import SharingTree
from synergy.trials.trial import Trial
from synergy.trials.trial_store import TrialStore


def load_soft_labels(
    trial: Trial, store: TrialStore, bank: ClipBank, data: Mapping[str, TaskData]
) -> SoftLabels | None:
    """What the teachers of ``trial`` say about the training clips of all tasks in ``data``.

    None for a trial without teachers. Labels that are not there yet are computed and kept.

    Raises
    ------
    WorkspaceError
        If a teacher is not finished or its weights are damaged.
    """
    if trial.distillation is None:
        return None
    clips = np.unique(np.concatenate([task.clips["train"] for task in data.values()])).tolist()
    length = max(1, round(trial.training.crop_s / bank.hop_s))
    hop = max(1, round(trial.distillation.hop_s / bank.hop_s))
    logits: dict[str, dict[int, np.ndarray]] = {}
    for spec in trial.tasks:
        whole = TASK_KINDS[spec.kind].per_frame
        pieces = _whole(bank, clips) if whole else _windows(bank, clips, length, hop)
        votes = [
            _labels(teacher, spec, trial, store, bank, pieces)
            for teacher in trial.teachers[spec.name]
        ]
        logits[spec.name] = {
            clip: np.asarray(np.mean([vote[place] for vote in votes], axis=0), np.float32)
            for place, clip in enumerate(clips)
        }
    return SoftLabels(trial.distillation, hop, logits)


@dataclass(frozen=True)
class _Pieces:
    """What a teacher is asked about: pieces of clips, those of one clip side by side.

    Attributes
    ----------
    clips : list of int
    counts : list of int
        Number of pieces of each clip.
    spans : list of (int, int, int)
        Clip, first frame and number of frames of each piece.
    """

    clips: list[int]
    counts: list[int]
    spans: list[tuple[int, int, int]]


def _whole(bank: ClipBank, clips: list[int]) -> _Pieces:
    spans = [(clip, 0, len(bank.features[clip])) for clip in clips]
    return _Pieces(clips, [1] * len(clips), spans)


def _windows(bank: ClipBank, clips: list[int], length: int, hop: int) -> _Pieces:
    starts = [window_starts(len(bank.features[clip]), length, hop) for clip in clips]
    spans = [
        (clip, first, min(length, len(bank.features[clip])))
        for clip, firsts in zip(clips, starts, strict=True)
        for first in firsts
    ]
    return _Pieces(clips, [len(firsts) for firsts in starts], spans)


def _labels(
    teacher: str,
    spec: TaskSpec,
    trial: Trial,
    store: TrialStore,
    bank: ClipBank,
    pieces: _Pieces,
) -> list[np.ndarray]:
    """Logits of one teacher for each clip: [W, K] for windows, [F] for an activity."""
    key = digest([bank.fingerprint, spec.to_json(), pieces.spans])
    file = store.folder.parent / "soft_labels" / f"{teacher}-{key}.safetensors"
    flat = _kept(file)
    if flat is None:
        rows = _ask(teacher, spec, trial, store, bank, pieces)
        flat = np.concatenate(rows) if TASK_KINDS[spec.kind].per_frame else np.stack(rows)
        file.parent.mkdir(exist_ok=True)
        partial = partial_path(file)
        save_file({"logits": flat.astype(np.float32)}, partial)
        partial.replace(file)
    sizes = pieces.counts
    if TASK_KINDS[spec.kind].per_frame:
        sizes = [frames for _, _, frames in pieces.spans]
    return np.split(flat, np.cumsum(sizes)[:-1])


def _kept(file: Path) -> np.ndarray | None:
    """Labels of an earlier trial; a damaged copy counts as none and is made anew."""
    if not file.is_file():
        return None
    try:
        return load_file(file)["logits"]
    except (SafetensorError, KeyError, OSError):
        return None


def _ask(
    teacher: str,
    spec: TaskSpec,
    trial: Trial,
    store: TrialStore,
    bank: ClipBank,
    pieces: _Pieces,
) -> list[np.ndarray]:
    known = store.trial(teacher)
    tree = SharingTree.single(spec.name, trial.tree.depth)
    if known.tree != tree.to_json() or [t.model_dump(mode="json") for t in known.tasks] != [
        spec.to_json()
    ]:
        raise WorkspaceError(
            f"{store.path(teacher)}: expected a single-task model of {spec.name} as a teacher, "
            f"found {known.notation}"
        )
    try:
        # its own: a student may be narrower
        encoder = ENCODERS[known.encoder["name"]].model_validate(known.encoder)
        network = build_network(tree, encoder, [spec], bank.mels, trial.seed)
        network.load_state_dict(store.weights(teacher))
    except (RuntimeError, KeyError, ValidationError) as error:
        folder = store.path(teacher)
        raise WorkspaceError(
            f"{folder} holds the weights of another network; delete the folder and run the same "
            "command again to repeat this trial"
        ) from error
    # views: the pieces take no memory
    features = tuple(bank.features[clip][first : first + n] for clip, first, n in pieces.spans)
    asked = replace(bank, features=features)
    return predict(network, asked, {spec.name: np.arange(len(features))})[spec.name]
