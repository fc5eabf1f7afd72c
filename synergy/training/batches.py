"""Mixed batches: every batch holds clips of every task's corpus, in one tensor.

Each task goes through its own clips in an order that depends on the seed and on its set of
clips alone, so that it sees the same clips at the same steps in its single, pair and tree
trials. A clip that several tasks draw in one step is one row of the batch.

Shapes: B batch, M mel, F frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
import torch
from torch import Tensor

from synergy.seeding import uniform
from synergy.tasks.clips import ClipBank, TaskData
from synergy.training.config import TrainingConfig
from synergy.training.distillation import SoftLabels

# What a random number is for: the last key of each draw.
_ORDER, _START, _GAIN, _MEL_WIDTH, _MEL_PLACE, _FRAME_WIDTH, _FRAME_PLACE = range(7)
_LN_POWER_PER_DB = log(10) / 10

Keys = tuple[int | np.ndarray, ...]
"""What the draws of a row depend on."""


@dataclass(frozen=True)
class Batch:
    """One step's input.

    Attributes
    ----------
    x : float32 Tensor [B, 1, M, F]
    rows : dict of str to int64 Tensor
        Sorted rows of each task.
    targets : dict of str to Tensor
        Class numbers [B_task], or activity [B_task, F].
    soft : dict of str to float32 Tensor
        Teachers' logits for every row, [B, K] or [B, F]; empty without teachers.
    """

    x: Tensor
    rows: dict[str, Tensor]
    targets: dict[str, Tensor]
    soft: dict[str, Tensor]

    def to(self, device: torch.device) -> Batch:
        """The same batch on ``device``."""
        by_task = (
            {task: values.to(device) for task, values in found.items()}
            for found in (self.rows, self.targets, self.soft)
        )
        return Batch(self.x.to(device), *by_task)


@dataclass(eq=False)
class BatchSource:
    """Batches by step number; holds no state but a cache of the current order.

    ``soft_labels`` are those of all tasks for all training clips.
    """

    bank: ClipBank
    tasks: Sequence[TaskData]
    config: TrainingConfig
    seed: int
    soft_labels: SoftLabels | None = None

    def __post_init__(self) -> None:
        self.frames = max(1, round(self.config.crop_s / self.bank.hop_s))
        self._lengths = np.array([len(features) for features in self.bank.features])
        self._entries = {task.task: self._windows(task) for task in self.tasks}
        self._order: dict[tuple[int, int], np.ndarray] = {}

    def batch(self, step: int) -> Batch:
        """The batch of ``step``, counted from 0."""
        drawn = {task.task: self._draw(task, step) for task in self.tasks}
        row_of: dict[tuple[int, int], int] = {}
        for picks in drawn.values():
            for pick in picks:
                row_of.setdefault(pick[:2], len(row_of))
        clips = np.array([clip for clip, _ in row_of], dtype=np.int64)
        repeats = np.array([repeat for _, repeat in row_of], dtype=np.int64)
        keys = (self.seed, step, self.bank.hashes[clips], repeats)
        starts = self._starts(clips, keys)
        x = self._augment(self.bank.crops(clips, starts, self.frames), keys)
        features = torch.from_numpy(x).transpose(1, 2).unsqueeze(1).contiguous()
        batch = Batch(features, {}, {}, {})
        for task in self.tasks:
            name, kind, whole = task.task, task.spec.rules, task.targets["train"]
            picks = sorted((row_of[pick[:2]], pick[2]) for pick in drawn[name])
            batch.rows[name] = torch.tensor([row for row, _ in picks])
            batch.targets[name] = _stacked(
                kind.crop_target(whole[place], int(starts[row]), self.frames)
                for row, place in picks
            )
            if taught := self.soft_labels:
                batch.soft[name] = _stacked(
                    kind.crop_soft_label(taught.logits[name][clip], start, self.frames, taught.hop)
                    for clip, start in zip(clips.tolist(), starts.tolist(), strict=True)
                )
        return batch

    def _windows(self, task: TaskData) -> np.ndarray:
        """Positions in the task's training clips, a clip once per crop length that it holds."""
        lengths = self._lengths[task.clips["train"]].tolist()
        times = [max(1, round(length / self.frames)) for length in lengths]
        return np.repeat(np.arange(len(lengths)), times)

    def _draw(self, task: TaskData, step: int) -> list[tuple[int, int, int]]:
        """(clip, how often it was drawn before in this step, position in the task's clips)."""
        entries = self._entries[task.task]
        count = self.config.clips_per_task
        drawn: list[tuple[int, int, int]] = []
        seen: dict[int, int] = {}
        for place in range(step * count, (step + 1) * count):
            epoch, within = divmod(place, len(entries))
            position = int(entries[self._epoch_order(task.stream, epoch, len(entries))[within]])
            clip = int(task.clips["train"][position])
            seen[clip] = seen.get(clip, -1) + 1
            drawn.append((clip, seen[clip], position))
        return drawn

    def _epoch_order(self, stream: int, epoch: int, count: int) -> np.ndarray:
        if (stream, epoch) not in self._order:
            self._order.pop((stream, epoch - 2), None)
            of_stream = np.asarray(stream, np.uint64)
            draws = uniform(self.seed, of_stream, epoch, np.arange(count), _ORDER)
            self._order[stream, epoch] = np.argsort(draws, kind="stable")
        return self._order[stream, epoch]

    def _starts(self, clips: np.ndarray, keys: Keys) -> np.ndarray:
        """First frame of each crop; may lie outside the clip by the random shift."""
        shift = round(self.config.shift_s / self.bank.hop_s)
        lowest = np.minimum(0, self._lengths[clips] - self.frames) - shift
        highest = np.maximum(0, self._lengths[clips] - self.frames) + shift
        drawn = uniform(*keys, _START) * (highest - lowest + 1)
        return (lowest + np.floor(drawn)).astype(np.int64)

    def _augment(self, x: np.ndarray, keys: Keys) -> np.ndarray:
        """Random level, then masks over mel bands and frames, in place."""
        config = self.config
        if config.gain_db > 0:
            gain = (2 * uniform(*keys, _GAIN) - 1) * config.gain_db * _LN_POWER_PER_DB
            x += (gain[:, None] / self.bank.normalisation.std).astype(np.float32)[:, None, :]
        for number in range(config.masks):
            own = (*keys, number)
            bands = _mask(x.shape[2], config.mel_mask, own, _MEL_WIDTH, _MEL_PLACE)
            frames = _mask(x.shape[1], config.frame_mask, own, _FRAME_WIDTH, _FRAME_PLACE)
            x[np.broadcast_to(bands[:, None, :] | frames[:, :, None], x.shape)] = 0.0
        return x


def _stacked(rows: Iterable[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(list(rows)))


def _mask(length: int, share: float, keys: Keys, for_width: int, for_place: int) -> np.ndarray:
    """One random span per row of at most ``share`` of the axis; bool [B, length]."""
    width = np.floor(uniform(*keys, for_width) * (share * length + 1))
    first = np.floor(uniform(*keys, for_place) * (length - width + 1))
    place = np.arange(length)
    return (place >= first[:, None]) & (place < (first + width)[:, None])
