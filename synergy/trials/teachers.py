"""Soft labels of teachers: what finished single-task models say about every training clip.

A teacher labels all training clips once, in windows of a crop's length; the labels are kept beside
the trials as ``soft_labels/TEACHER-CLIPS.safetensors``, with a checksum in its header.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

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
from synergy.training.distillation import ClipLabels
from synergy.training.evaluation import predict
from synergy.tree import SharingTree
from synergy.trials.record import TrialRecord
from synergy.trials.trial import Trial
from synergy.trials.trial_store import LONGEST_ARRAYS

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)

_DAMAGE = (SafetensorError, KeyError, OSError, ValueError)

Piece = tuple[int, int, int]
"""What a teacher is asked about: a clip, and the first frame and number of frames in it."""


@dataclass(frozen=True)
class Labelling:
    """What one teacher is asked: its task, in windows of all training clips.

    Attributes
    ----------
    teacher : str
        Digest of a finished trial, a single-task model of ``spec``.
    spec : TaskSpec
    length, hop : int
        Frames of a window, and from one to the next.
    """

    teacher: str
    spec: TaskSpec
    length: int
    hop: int

    def pieces(self, bank: ClipBank, clips: Sequence[int]) -> list[Piece]:
        """The windows of some clips, in their order."""
        pieces = self.spec.rules.pieces
        return [
            (clip, *piece)
            for clip in clips
            for piece in pieces(len(bank.features[clip]), self.length, self.hop)
        ]

    def file(self, folder: Path, bank: ClipBank, clips: Sequence[int]) -> Path:
        """Where the answer is kept, in the folder of soft labels."""
        key = digest([bank.fingerprint, self.spec.to_json(), self.pieces(bank, clips)])
        return folder / f"{self.teacher}-{key}.safetensors"

    def ask(
        self,
        teacher: TrialRecord,
        weights: Mapping[str, torch.Tensor],
        bank: ClipBank,
        clips: Sequence[int],
    ) -> np.ndarray:
        """Logits of the teacher for each window of some clips, joined; float32.

        Raises
        ------
        WorkspaceError
            If that trial is no single-task model of the task, or the weights are not its own.
        """
        tree = SharingTree.single(self.spec.name, teacher.sharing_tree.depth)
        if teacher.sharing_tree != tree or [task.spec for task in teacher.tasks] != [self.spec]:
            raise WorkspaceError(
                f"trial {self.teacher}: expected a single-task model of {self.spec.name} as a "
                f"teacher, found {teacher.notation}"
            )
        try:
            # its own: a student may be narrower
            encoder = read_encoder(teacher.encoder)
            network = build_network(tree, encoder, [self.spec], bank.mels, teacher.seed)
            network.load_state_dict(weights)
        except (RuntimeError, KeyError, ValidationError) as error:
            raise WorkspaceError(
                f"trial {self.teacher} holds the weights of another network; delete its folder "
                "and run the same command again to repeat it"
            ) from error
        # views: the pieces take no memory
        pieces = self.pieces(bank, clips)
        asked = tuple(bank.features[clip][first : first + n] for clip, first, n in pieces)
        numbers = {self.spec.name: np.arange(len(asked))}
        answers = predict(network, replace(bank, features=asked), numbers)
        return self.spec.rules.join(answers[self.spec.name])

    def by_clip(
        self, votes: Sequence[np.ndarray], bank: ClipBank, clips: Sequence[int]
    ) -> ClipLabels:
        """The mean of what several teachers of the task answered, clip by clip."""
        kind, pieces = self.spec.rules, self.pieces(bank, clips)
        means = kind.split(np.mean(votes, axis=0), [frames for _, _, frames in pieces])
        rows: dict[int, list[np.ndarray]] = defaultdict(list)
        for (clip, _, _), mean in zip(pieces, means, strict=True):
            rows[clip].append(mean)
        return {clip: kind.join(each) for clip, each in rows.items()}


def training_clips(data: Mapping[str, TaskData]) -> list[int]:
    """The training clips of all tasks, each once, in order."""
    return np.unique(np.concatenate([task.clips["train"] for task in data.values()])).tolist()


def labellings(trial: Trial, hop_s: float) -> dict[str, tuple[Labelling, ...]]:
    """What the teachers of a distilled trial are asked, by task; of frames of ``hop_s`` seconds."""
    assert trial.distillation is not None
    length = max(1, round(trial.training.crop_s / hop_s))
    hop = max(1, round(trial.distillation.hop_s / hop_s))
    return {
        spec.name: tuple(Labelling(t, spec, length, hop) for t in trial.teachers[spec.name])
        for spec in trial.tasks
    }


def keep_soft_labels(file: Path, logits: np.ndarray) -> None:
    """Write what `Labelling.ask` gave."""
    file.parent.mkdir(exist_ok=True)
    write_atomically(file, save({"logits": logits}, {"checksum": _sum(logits)}))


def kept_soft_labels(file: Path) -> np.ndarray | None:
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
