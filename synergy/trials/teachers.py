"""Soft labels of teachers: what finished single-task models say about every training clip.

A teacher labels all training clips once; the labels are kept beside the trials as
``soft_labels/TEACHER-CLIPS.safetensors``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from synergy.atomic import partial_path
from synergy.datasets.bank import ClipBank, TaskData
from synergy.errors import WorkspaceError
from synergy.network import build_network
from synergy.seeding import digest
from synergy.training.distillation import SoftLabels
from synergy.training.evaluation import predict
from synergy.tree import SharingTree
from synergy.trials.store import TrialStore
from synergy.trials.trial import Trial


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
    clips = np.unique(np.concatenate([task.clips["train"] for task in data.values()]))
    numbers = clips.tolist()
    logits: dict[str, dict[int, np.ndarray]] = {}
    for spec in trial.tasks:
        votes = [
            _labels(teacher, spec.name, trial, store, bank, clips)
            for teacher in trial.teachers[spec.name]
        ]
        logits[spec.name] = {
            number: np.asarray(np.mean([vote[place] for vote in votes], axis=0), np.float32)
            for place, number in enumerate(numbers)
        }
    return SoftLabels(trial.distillation, logits)


def _labels(
    teacher: str, task: str, trial: Trial, store: TrialStore, bank: ClipBank, clips: np.ndarray
) -> list[np.ndarray]:
    """Logits of one teacher for each clip."""
    key = digest([bank.fingerprint, task, clips.tolist()])
    file = store.folder.parent / "soft_labels" / f"{teacher}-{key}.safetensors"
    if file.is_file():
        try:
            arrays = load_file(file)
            return np.split(arrays["logits"], arrays["ends"][:-1])
        except (SafetensorError, KeyError, OSError):
            pass  # a damaged copy is made anew
    rows = _ask(teacher, task, trial, store, bank, clips)
    flat = [np.atleast_1d(row) for row in rows]
    ends = np.cumsum([len(row) for row in flat])
    file.parent.mkdir(exist_ok=True)
    partial = partial_path(file)
    save_file({"logits": np.concatenate(flat).astype(np.float32), "ends": ends}, partial)
    partial.replace(file)
    return flat


def _ask(
    teacher: str, task: str, trial: Trial, store: TrialStore, bank: ClipBank, clips: np.ndarray
) -> list[np.ndarray]:
    known = store.trial(teacher)
    specs = [spec for spec in trial.tasks if spec.name == task]
    tree = SharingTree.single(task, trial.tree.depth)
    if known["tree"] != tree.to_json() or known["tasks"] != [spec.to_json() for spec in specs]:
        raise WorkspaceError(
            f"{store.path(teacher)}: expected a single-task model of {task} as a teacher, found "
            f"{known['notation']}"
        )
    network = build_network(tree, trial.encoder, specs, bank.mels, trial.seed)
    try:
        network.load_state_dict(store.weights(teacher))
    except RuntimeError as error:
        folder = store.path(teacher)
        raise WorkspaceError(
            f"{folder} holds the weights of another network; delete the folder and run the same "
            "command again to repeat this trial"
        ) from error
    return predict(network, bank, {task: clips})[task]
