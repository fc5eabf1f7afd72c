"""Scores of a network on whole clips.

Shapes: B batch, M mel, F frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from synergy.sparsity import Network
from synergy.tasks.clips import ClipBank, TaskData
from synergy.wording import Split

# Clips are padded to a multiple of this, so that clips of about one length make a batch.
_PAD_FRAMES = 50
_FRAMES_PER_BATCH = 8_000


def clips_of(tasks: Sequence[TaskData], split: Split) -> dict[str, np.ndarray]:
    """The clips on which each task is measured, for `predict`."""
    return {task.task: task.clips[split] for task in tasks}


def predict(
    network: Network, bank: ClipBank, clips_by_task: Mapping[str, np.ndarray]
) -> dict[str, list[np.ndarray]]:
    """Logits of every task for its clips, in float32.

    Parameters
    ----------
    clips_by_task : dict of str to int64 [n]
        Numbers in the bank, for each task of the network.

    Returns
    -------
    dict of str to list of float32 arrays
        In the order of the clips: [K] per clip, or [F] for an activity.
    """
    device = next(network.parameters()).device
    wanted: dict[int, dict[str, int]] = {}
    for task, numbers in clips_by_task.items():
        for position, clip in enumerate(numbers.tolist()):
            wanted.setdefault(clip, {})[task] = position
    logits: dict[str, list[np.ndarray]] = {
        task: [np.empty(0)] * len(numbers) for task, numbers in clips_by_task.items()
    }
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        for padded, clips in _by_length(bank, sorted(wanted)):
            lengths = [len(bank.features[clip]) for clip in clips]
            x = np.zeros((len(clips), padded, bank.mels), dtype=np.float32)
            for row, clip in enumerate(clips):
                x[row, : lengths[row]] = bank.normalisation(bank.features[clip])
            rows = {
                task: [row for row, clip in enumerate(clips) if task in wanted[clip]]
                for task in network.tree.tasks
            }
            outputs = network(
                torch.from_numpy(x).to(device).transpose(1, 2).unsqueeze(1),
                torch.tensor(lengths, device=device),
                {t: torch.tensor(r, dtype=torch.int64, device=device) for t, r in rows.items()},
            )
            for task, values in outputs.items():
                cut = network.specs[task].rules.unpadded
                for row, value in zip(rows[task], values.cpu().numpy(), strict=True):
                    logits[task][wanted[clips[row]][task]] = cut(value, lengths[row])
    network.train(was_training)
    return logits


def score(
    tasks: Sequence[TaskData], split: Split, logits: Mapping[str, list[np.ndarray]]
) -> dict[str, dict[str, float]]:
    """Metrics of each task; the one that counts is the ``metric`` of its kind."""
    return {
        task.task: task.spec.rules.scores(logits[task.task], task.targets[split]) for task in tasks
    }


def _by_length(bank: ClipBank, clips: list[int]) -> Iterator[tuple[int, list[int]]]:
    """Batches of clips that are padded to the same number of frames."""
    groups: dict[int, list[int]] = {}
    for clip in clips:
        frames = len(bank.features[clip])
        groups.setdefault(-(-frames // _PAD_FRAMES) * _PAD_FRAMES, []).append(clip)
    for padded, members in sorted(groups.items()):
        size = max(1, _FRAMES_PER_BATCH // padded)
        yield from ((padded, members[i : i + size]) for i in range(0, len(members), size))
