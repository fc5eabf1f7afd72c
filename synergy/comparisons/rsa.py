"""Branched multi-task networks: tasks share blocks whose single-task models see clips alike."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from synergy.comparisons.base import Contender, Field, tree_contenders
from synergy.comparisons.layouts import BlockCost, Partition
from synergy.network import build_network
from synergy.running.jobs import Inputs, Weights
from synergy.running.probes import Probe
from synergy.seeding import hash64, uniform
from synergy.tasks.clips import ClipBank, TaskData
from synergy.trials.trial import Trial

CLIPS = 500
"""K, or all there are."""


def contenders(field: Field) -> list[Contender]:
    """The layout whose groups have the most similar single-task models, within our size.

    Source: Vandenhende et al., "Branched multi-task networks: deciding what layers to share",
    BMVC 2020. For each block, the representation of a task is the matrix of 1 - Pearson
    correlation between the block's outputs for each two of K clips; two tasks are as similar as
    the Spearman correlation of their matrices, lower triangles without the diagonal. A layout
    costs, summed over its blocks, the mean over groups of the largest dissimilarity (1 -
    similarity) inside the group, and 0 for a task alone.

    What differs: every task has its own corpus here, so the clips are a mixture of the validation
    clips of all tasks, cropped around their middle to the length that training sees, because
    flattened outputs must be of one length. Dissimilarities are averaged over the seeds of the
    single-task models. Up to five tasks all layouts are compared; the published search is a beam.
    """
    probes = [
        Probe("rsa", trials, {"clips": CLIPS}, measure_similarity, len(trials))
        for trials in field.singles()
    ]
    measured = field.session.measure("similarity of single-task models", probes)
    similarity = np.mean([probed.result["similarity"] for probed in measured], axis=0)
    best = field.best_layout(group_cost(field.tasks, 1.0 - similarity))
    assert best is not None  # no tree is smaller than the one that shares everything
    note = f"dissimilarity {best.cost:.3f}, the least that fits of {best.extent}"
    return tree_contenders(
        field,
        "rsa",
        best.tree,
        search=field.baseline_digests,
        search_seconds=sum(probed.seconds for probed in measured),
        note=note,
    )


def measure_similarity(
    probe: Probe, inputs: Inputs, report: Callable[[int], None]
) -> dict[str, Any]:
    """Similarity of single-task models of one seed: ``[D][T][T]``, in the order of the trials."""
    bank = inputs.experiment.bank
    data = inputs.experiment.data_of(probe.trials[0].seed)
    tasks = [data[trial.tasks[0].name] for trial in probe.trials]
    clips = common_clips(bank, tasks, int(probe.settings["clips"]))
    frames = max(1, round(probe.trials[0].training.crop_s / bank.hop_s))
    x = torch.from_numpy(middle_crops(bank, clips, frames)).transpose(1, 2).unsqueeze(1)
    triangles: list[list[np.ndarray]] = []
    for done, trial in enumerate(probe.trials, 1):
        outputs = block_outputs(trial, inputs.weights[trial.digest], bank.mels, x)
        triangles.append([dissimilarities(features) for features in outputs])
        report(done)
    return {"similarity": [similarities(block).tolist() for block in zip(*triangles, strict=True)]}


def common_clips(bank: ClipBank, tasks: Sequence[TaskData], count: int) -> np.ndarray:
    """Validation clips of all tasks in turn, each clip once; int64 [at most ``count``], sorted."""
    queues = []
    for task in tasks:
        clips = task.clips["valid"]
        order = np.argsort(uniform(hash64("rsa"), bank.hashes[clips]), kind="stable")
        queues.append(clips[order].tolist())
    turns = itertools.chain.from_iterable(itertools.zip_longest(*queues))
    mixed = dict.fromkeys(clip for clip in turns if clip is not None)
    return np.sort(np.array(list(mixed)[:count], dtype=np.int64))


def middle_crops(bank: ClipBank, clips: np.ndarray, frames: int) -> np.ndarray:
    """Normalised features around the middle of each clip, edges repeated; float32 [K, F, M]."""
    lengths = np.array([len(bank.features[clip]) for clip in clips])
    return bank.crops(clips, (lengths - frames) // 2, frames)


def block_outputs(trial: Trial, weights: Weights, mels: int, x: torch.Tensor) -> list[np.ndarray]:
    """Outputs of all blocks of a finished single-task trial; for each block float32 [K, p]."""
    network = build_network(trial.tree, trial.encoder, trial.tasks, mels, trial.seed).eval()
    network.load_state_dict(weights)
    blocks = network.blocks_of(network.tree.root).values()
    outputs: list[list[np.ndarray]] = [[] for _ in range(trial.tree.depth)]
    with torch.inference_mode():
        for part in x.split(64):
            for kept, block in zip(outputs, blocks, strict=True):
                part = block(part)
                kept.append(part.flatten(1).numpy())
    return [np.concatenate(kept) for kept in outputs]


def dissimilarities(features: np.ndarray) -> np.ndarray:
    """1 - Pearson correlation of each two rows; float64 [K (K - 1) / 2].

    A row that is constant is correlated with nothing.
    """
    centred = features.astype(np.float64) - features.mean(axis=1, keepdims=True, dtype=np.float64)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > 0)
    return 1.0 - (unit @ unit.T)[np.tril_indices(len(features), k=-1)]


def similarities(triangles: Sequence[np.ndarray]) -> np.ndarray:
    """Spearman correlation of each two tasks; float64 [T, T], 0 where it is not defined."""
    ranked = pd.DataFrame(dict(enumerate(triangles))).corr(method="spearman")
    return np.nan_to_num(ranked.to_numpy())


def group_cost(tasks: Sequence[str], dissimilarity: np.ndarray) -> BlockCost:
    """Mean over the groups of a block of the largest dissimilarity inside.

    Parameters
    ----------
    tasks : sequence of str
    dissimilarity : float array [D, T, T]
        In the order of ``tasks``.
    """
    place: Mapping[str, int] = {task: number for number, task in enumerate(tasks)}

    def cost(block: int, partition: Partition) -> float:
        largest = []
        for group in partition:
            inside = [place[task] for task in group]
            pairs = itertools.combinations(inside, 2)
            largest.append(max((dissimilarity[block - 1, i, j] for i, j in pairs), default=0.0))
        return float(np.mean(largest))

    return cost
