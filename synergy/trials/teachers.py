"""Soft labels of teachers: what finished single-task models say about every training clip.

A teacher labels all training clips once, in windows of a crop's length; the labels are kept beside
the trials as ``soft_labels/TEACHER-CLIPS.safetensors``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
            _Teacher(teacher, spec, trial, store, bank).labels(pieces)
            for teacher in trial.teachers[spec.name]
        ]
        logits[spec.name] = {
            clip: np.asarray(np.mean([vote[place] for vote in votes], axis=0), np.float32)
            for place, clip in enumerate(clips)
        }
    return SoftLabels(trial.distillation, hop, logits)


Piece = tuple[int, int, int]
"""What a teacher is asked about: a clip, and the first frame and number of frames in it."""


@dataclass(frozen=True)
class _Teacher:
    """A finished single-task model of ``spec``, asked for ``trial``."""

    digest: str
    spec: TaskSpec
    trial: Trial
    store: TrialStore
    bank: ClipBank

    def labels(self, pieces: Sequence[Sequence[Piece]]) -> list[np.ndarray]:
        """Joined logits for the pieces of each clip; kept for later trials."""
        kind, every = self.spec.rules, [piece for own in pieces for piece in own]
        key = digest([self.bank.fingerprint, self.spec.to_json(), every])
        file = self.store.folder.parent / "soft_labels" / f"{self.digest}-{key}.safetensors"
        try:
            joined = load_file(file)["logits"]
        except (SafetensorError, KeyError, OSError):  # not there yet, or damaged
            joined = kind.join(self.ask(every)).astype(np.float32)
            file.parent.mkdir(exist_ok=True)
            partial = partial_path(file)
            save_file({"logits": joined}, partial)
            partial.replace(file)
        rows = iter(kind.split(joined, [frames for _, _, frames in every]))
        return [kind.join([next(rows) for _ in own]) for own in pieces]

    def ask(self, pieces: Sequence[Piece]) -> list[np.ndarray]:
        """Logits for each piece.

        Raises
        ------
        WorkspaceError
            If the trial is none of a single-task model, or its weights do not fit.
        """
        known, folder = self.store.trial(self.digest), self.store.path(self.digest)
        tree = SharingTree.single(self.spec.name, self.trial.tree.depth)
        if known.sharing_tree != tree or [task.spec for task in known.tasks] != [self.spec]:
            raise WorkspaceError(
                f"{folder}: expected a single-task model of {self.spec.name} as a teacher, "
                f"found {known.notation}"
            )
        try:
            # its own: a student may be narrower
            encoder = read_encoder(known.encoder)
            network = build_network(tree, encoder, [self.spec], self.bank.mels, self.trial.seed)
            network.load_state_dict(self.store.weights(self.digest))
        except (RuntimeError, KeyError, ValidationError) as error:
            raise WorkspaceError(
                f"{folder} holds the weights of another network; delete the folder and run the "
                "same command again to repeat this trial"
            ) from error
        # views: the pieces take no memory
        asked = tuple(self.bank.features[clip][first : first + n] for clip, first, n in pieces)
        clips = {self.spec.name: np.arange(len(asked))}
        return predict(network, replace(self.bank, features=asked), clips)[self.spec.name]
