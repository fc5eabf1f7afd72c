"""Soft labels of teachers: what finished single-task models say about every training clip.

A teacher labels all training clips once, in windows of a crop's length; the labels are kept beside
the trials as ``soft_labels/TEACHER-CLIPS.safetensors``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from synergy.encoders import ENCODERS
from synergy.errors import WorkspaceError
from synergy.files import partial_path
from synergy.network import build_network
from synergy.seeding import digest
from synergy.tasks import TaskSpec
from synergy.tasks.clips import ClipBank, TaskData
from synergy.training.distillation import SoftLabels
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
        pieces = [
            [(clip, *piece) for piece in spec.rules.pieces(len(bank.features[clip]), length, hop)]
            for clip in clips
        ]
        votes = [
            _labels(teacher, spec, trial, store, bank, pieces)
            for teacher in trial.teachers[spec.name]
        ]
        logits[spec.name] = {
            clip: np.asarray(np.mean([vote[place] for vote in votes], axis=0), np.float32)
            for place, clip in enumerate(clips)
        }
    return SoftLabels(trial.distillation, hop, logits)


Piece = tuple[int, int, int]
"""What a teacher is asked about: a clip, and the first frame and number of frames in it."""


def _labels(
    teacher: str,
    spec: TaskSpec,
    trial: Trial,
    store: TrialStore,
    bank: ClipBank,
    pieces: Sequence[Sequence[Piece]],
) -> list[np.ndarray]:
    """Joined logits of one teacher for the pieces of each clip."""
    kind, every = spec.rules, [piece for own in pieces for piece in own]
    key = digest([bank.fingerprint, spec.to_json(), every])
    file = store.folder.parent / "soft_labels" / f"{teacher}-{key}.safetensors"
    joined = _kept(file)
    if joined is None:
        joined = kind.join(_ask(teacher, spec, trial, store, bank, every)).astype(np.float32)
        file.parent.mkdir(exist_ok=True)
        partial = partial_path(file)
        save_file({"logits": joined}, partial)
        partial.replace(file)
    rows = iter(kind.split(joined, [frames for _, _, frames in every]))
    return [kind.join([next(rows) for _ in own]) for own in pieces]


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
    pieces: Sequence[Piece],
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
    features = tuple(bank.features[clip][first : first + n] for clip, first, n in pieces)
    asked = replace(bank, features=features)
    return predict(network, asked, {spec.name: np.arange(len(features))})[spec.name]
