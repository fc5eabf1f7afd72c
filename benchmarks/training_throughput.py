"""Clips per second of the training loop against a bare loop, alternating in one run.

The bare loop has the same network, optimiser and batches, but the batches already lie in
memory: nothing is drawn, cropped, augmented, checked or reported. What is left of the loop's
speed is what its bookkeeping costs.

    python benchmarks/training_throughput.py
    python benchmarks/training_throughput.py --tree '{gc,ac}@6' --precision bfloat16

Features are made up, so that no corpus is needed.
"""

from __future__ import annotations

import argparse
import json
import time
from statistics import median

import numpy as np
import torch

from synergy.audio.features import Normalisation
from synergy.encoders import Cnn8
from synergy.network import TreeNetwork, build_network
from synergy.seeding import hash64
from synergy.tasks import TaskSpec
from synergy.tasks.clips import ClipBank, TaskData
from synergy.training.batches import BatchSource
from synergy.training.config import TrainingConfig
from synergy.training.loop import lay_out, train
from synergy.tree import SharingTree
from synergy.wording import SPLITS, Split

MELS, FRAMES, CLIPS = 64, 101, 2_000
SPECS = {
    "gc": TaskSpec("gc", "clip_classification", ("female", "male")),
    "ac": TaskSpec("ac", "clip_classification", ("child", "adult", "senior")),
    "scr": TaskSpec("scr", "clip_classification", tuple(f"word{n}" for n in range(35))),
    "vad": TaskSpec("vad", "frame_activity", ("speech",)),
}


def made_up(tasks: tuple[str, ...]) -> tuple[ClipBank, list[TaskData]]:
    """Noise with random labels; every task has clips of its own."""
    rng = np.random.default_rng(0)
    keys = tuple(f"noise/{n:05d}" for n in range(CLIPS))
    bank = ClipBank(
        keys=keys,
        hashes=np.array([hash64("clip", key) for key in keys], dtype=np.uint64),
        features=tuple(rng.standard_normal((CLIPS, FRAMES, MELS)).astype(np.float16)),
        normalisation=Normalisation(np.zeros(MELS, np.float32), np.ones(MELS, np.float32)),
        hop_s=0.01,
        fingerprint="noise",
    )
    data = []
    for place, task in enumerate(tasks):
        own = np.arange(CLIPS)[place :: len(tasks)]
        clips: dict[Split, np.ndarray] = {
            "train": own[40:],
            "valid": own[:20],
            "test": own[20:40],
        }
        detects = SPECS[task].rules.threshold is not None
        targets: dict[Split, list[np.ndarray]] = {
            split: [
                rng.integers(0, 2, FRAMES, np.uint8)
                if detects
                else np.asarray(rng.integers(0, len(SPECS[task].classes)), np.int64)
                for _ in clips[split]
            ]
            for split in SPLITS
        }
        groups: dict[Split, np.ndarray] = {split: np.arange(len(n)) for split, n in clips.items()}
        stream = hash64("stream", task)
        data.append(TaskData(SPECS[task], clips, targets, groups, stream, task))
    return bank, data


def network_of(tree: SharingTree) -> TreeNetwork:
    """A new network."""
    return build_network(tree, Cnn8(), [SPECS[t] for t in tree.tasks], MELS, seed=0).train()


def loop_rate(
    tree: SharingTree, bank: ClipBank, data: list[TaskData], config: TrainingConfig
) -> float:
    """Clips/s of the real loop, its drawing, augmentation, checks and history included."""
    return train(network_of(tree), bank, data, config, seed=0).clips_per_s


def bare_rate(
    tree: SharingTree, bank: ClipBank, data: list[TaskData], config: TrainingConfig
) -> float:
    """Clips/s of forward, backward and update alone."""
    network = network_of(tree)
    autocast = config.precision == "bfloat16"
    source = BatchSource(bank, data, config, seed=0)
    batches = [source.batch(step) for step in range(config.steps)]
    lay_out(network, config)
    inputs = [batch.x for batch in batches]
    if autocast:
        inputs = [x.to(memory_format=torch.channels_last) for x in inputs]
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate)
    started = time.perf_counter()
    for batch, x in zip(batches, inputs, strict=True):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            logits = network(x, rows=batch.rows)
        loss = torch.stack(
            [
                SPECS[task].rules.loss(logits[task], targets)
                for task, targets in batch.targets.items()
            ]
        ).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return sum(len(x) for x in inputs) / (time.perf_counter() - started)


def main() -> None:
    """Measure and print one line per round and the median ratio."""
    parser = argparse.ArgumentParser(
        description="Clips/s of the training loop against a bare loop."
    )
    parser.add_argument("--tree", default="{gc,ac}@6", help="notation of the tree to train")
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    tree = SharingTree.parse(options.tree, 8)
    bank, data = made_up(tree.tasks)
    config = TrainingConfig(
        epochs=1, steps_per_epoch=options.steps, precision=options.precision, learning_rate=1e-4
    )
    rounds = []
    for number in range(options.rounds + 1):
        rates = loop_rate(tree, bank, data, config), bare_rate(tree, bank, data, config)
        if number == 0:
            continue  # warm-up
        rounds.append(rates)
        if not options.json:
            print(f"loop {rates[0]:7.0f} clips/s  bare {rates[1]:7.0f}  {rates[0] / rates[1]:.3f}")
    ratio = median(loop / bare for loop, bare in rounds)
    summary = {
        "tree": options.tree,
        "precision": options.precision,
        "loop_clips_per_s": median(loop for loop, _ in rounds),
        "bare_clips_per_s": median(bare for _, bare in rounds),
        "ratio": ratio,
    }
    print(json.dumps(summary) if options.json else f"median ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
