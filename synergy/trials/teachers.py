"""Soft labels of teachers: what finished single-task models say about every training clip.

A teacher labels all training clips once, in windows of a crop's length; the labels are kept beside
the trials as ``soft_labels/TEACHER-CLIPS.safetensors``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from synergy.encoders import read_encoder
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
            try:
                votes.append(load_file(file)["logits"])
            except (SafetensorError, KeyError, OSError):  # not there yet, or damaged
                votes.append(kind.join(_ask(teacher, spec, trial, store, bank, pieces)))
                file.parent.mkdir(exist_ok=True)
                partial = partial_path(file)
                save_file({"logits": votes[-1]}, partial)
                partial.replace(file)
        by_clip: dict[int, list[np.ndarray]] = defaultdict(list)
        lengths = [frames for _, _, frames in pieces]
        means = kind.split(np.mean(votes, axis=0), lengths)
        for (clip, _, _), mean in zip(pieces, means, strict=True):
            by_clip[clip].append(mean)
        logits[spec.name] = {clip: kind.join(rows) for clip, rows in by_clip.items()}
    return SoftLabels(trial.distillation, hop, logits)


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
