"""Scores of a network on whole clips.

Shapes: B batch, M mel, F frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    network : TreeNetwork or TaskMaskedNetwork
    bank : ClipBank
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
                task: torch.tensor(
                    [row for row, clip in enumerate(clips) if task in wanted[clip]],
                    dtype=torch.int64,
                )
                for task in clips_by_task
            }
            rows = {task: chosen for task, chosen in rows.items() if len(chosen)}
            outputs = _run(network, x, lengths, rows, device)
            for task, values in outputs.items():
                cut = network.specs[task].rules.unpadded
                for row, value in zip(rows[task].tolist(), values, strict=True):
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


def _run(
    network: Network,
    x: np.ndarray,
    lengths: list[int],
    rows: dict[str, torch.Tensor],
    device: torch.device,
) -> dict[str, np.ndarray]:
    """Outputs of the tasks in ``rows``; the others get no row."""
    none = torch.empty(0, dtype=torch.int64, device=device)
    every = {task: rows.get(task, none).to(device) for task in network.tree.tasks}
    features = torch.from_numpy(x).to(device).transpose(1, 2).unsqueeze(1)
    outputs = network(features, torch.tensor(lengths, device=device), every)
    return {task: outputs[task].cpu().numpy() for task in rows}


def _by_length(bank: ClipBank, clips: list[int]) -> list[tuple[int, list[int]]]:
    """Batches of clips that are padded to the same number of frames."""
    groups: dict[int, list[int]] = {}
    for clip in clips:
        frames = len(bank.features[clip])
        groups.setdefault(-(-frames // _PAD_FRAMES) * _PAD_FRAMES, []).append(clip)
    batches: list[tuple[int, list[int]]] = []
    for padded, members in sorted(groups.items()):
        size = max(1, _FRAMES_PER_BATCH // padded)
        batches += [(padded, members[i : i + size]) for i in range(0, len(members), size)]
    return batches
