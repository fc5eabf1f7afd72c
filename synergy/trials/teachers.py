"""Soft labels of teachers: what finished single-task models say about every training clip.

A teacher labels all training clips once, in windows of a crop's length; the labels are kept beside
the trials as ``soft_labels/TEACHER-CLIPS.safetensors``, with a checksum in its header.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load, save

from synergy.encoders import read_encoder
from synergy.errors import WorkspaceError
from synergy.files import CHANGED, UnfitFileError, checksum, read_bytes, shortly, write_atomically
from synergy.network import build_network
from synergy.seeding import digest
from synergy.tasks import TaskSpec
from synergy.tasks.clips import ClipBank, TaskData
from synergy.training.distillation import SoftLabels
from synergy.training.evaluation import predict
from synergy.tree import SharingTree
from synergy.trials.trial import Trial
from synergy.trials.trial_store import LONGEST_ARRAYS, TrialStore

_log = logging.getLogger(__name__)

_DAMAGE = (SafetensorError, KeyError, OSError, ValueError)

Piece = tuple[int, int, int]
"""What a teacher is asked about: a clip, and the first frame and number of frames in it."""


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
        kind = spec.rules
        pieces = [
            (clip, *piece)
            for clip in clips
            for piece in kind.pieces(len(bank.features[clip]), length, hop)
        ]
        votes: list[np.ndarray] = []
        for teacher in trial.teachers[spec.name]:
            key = digest([bank.fingerprint, spec.to_json(), pieces])
            file = store.folder.parent / "soft_labels" / f"{teacher}-{key}.safetensors"
            kept = _kept(file)
            if kept is None:
                kept = kind.join(_ask(teacher, spec, trial, store, bank, pieces))
                file.parent.mkdir(exist_ok=True)
                write_atomically(file, save({"logits": kept}, {"checksum": _sum(kept)}))
            votes.append(kept)
        by_clip: dict[int, list[np.ndarray]] = defaultdict(list)
        lengths = [frames for _, _, frames in pieces]
        means = kind.split(np.mean(votes, axis=0), lengths)
        for (clip, _, _), mean in zip(pieces, means, strict=True):
            by_clip[clip].append(mean)
        logits[spec.name] = {clip: kind.join(rows) for clip, rows in by_clip.items()}
    return SoftLabels(trial.distillation, hop, logits)


def _kept(file: Path) -> np.ndarray | None:
    """Soft labels as they were kept; None where there are none, or they are damaged."""
    try:
        return _read(file)
    except FileNotFoundError:
        return None
    except _DAMAGE as error:
        problem = shortly(error)
        _log.warning("the soft labels %s are damaged (%s) and are computed again", file, problem)
        return None


def soft_labels_problem(file: Path) -> str:
    """What is wrong with a file of soft labels; empty if it is as it was written."""
    try:
        _read(file)
    except _DAMAGE as error:
        return shortly(error)
    return ""


def _read(file: Path) -> np.ndarray:
    """Soft labels of a file; one of `_DAMAGE` is raised if they are not as they were written."""
    logits = load(read_bytes(file, LONGEST_ARRAYS))["logits"]
    with safe_open(file, framework="numpy") as header:
        known = (header.metadata() or {}).get("checksum")
    if known != _sum(logits):
        raise UnfitFileError(CHANGED if known else "its checksum is missing")
    return logits


def _sum(logits: np.ndarray) -> str:
    return checksum(f"{logits.dtype}{logits.shape}".encode() + logits.tobytes())


def _ask(
    teacher: str,
    spec: TaskSpec,
    trial: Trial,
    store: TrialStore,
    bank: ClipBank,
    pieces: Sequence[Piece],
) -> list[np.ndarray]:
    """Logits of the finished single-task model ``teacher`` of ``spec`` for each piece."""
    known, folder = store.trial(teacher), store.path(teacher)
    tree = SharingTree.single(spec.name, trial.tree.depth)
    if known.sharing_tree != tree or [task.spec for task in known.tasks] != [spec]:
        raise WorkspaceError(
            f"{folder}: expected a single-task model of {spec.name} as a teacher, "
            f"found {known.notation}"
        )
    try:
        # its own: a student may be narrower
        encoder = read_encoder(known.encoder)
        network = build_network(tree, encoder, [spec], bank.mels, trial.seed)
        network.load_state_dict(store.weights(teacher))
    except (RuntimeError, KeyError, ValidationError) as error:
        raise WorkspaceError(
            f"{folder} holds the weights of another network; delete the folder and run the "
            "same command again to repeat this trial"
        ) from error
    # views: the pieces take no memory
    asked = tuple(bank.features[clip][first : first + n] for clip, first, n in pieces)
    clips = {spec.name: np.arange(len(asked))}
    return predict(network, replace(bank, features=asked), clips)[spec.name]
