"""A bank of made-up features with easy tasks, for tests of training."""

from __future__ import annotations

import numpy as np

from synergy.audio.features import Normalisation
from synergy.seeding import hash64
from synergy.tasks import TaskSpec
from synergy.tasks.clips import ClipBank, TaskData
from synergy.wording import SPLITS, Split

MELS = 16
SPECS = {
    "low": TaskSpec("low", "clip_classification", ("no", "yes")),
    "high": TaskSpec("high", "clip_classification", ("no", "yes")),
    "busy": TaskSpec("busy", "frame_activity", ("busy",)),
}


def small_bank(clips: int = 48, seed: int = 0, frames: int = 30) -> ClipBank:
    """Noise in which two groups of bands and a run of frames may be raised; see `small_data`."""
    rng = np.random.default_rng(seed)
    features = []
    for number in range(clips):
        x = rng.standard_normal((frames + number % 7, MELS)).astype(np.float32)
        x[:, :4] += 2.0 * (number % 2)
        x[:, 12:] += 2.0 * (number // 2 % 2)
        x[10:20, 6:10] += 2.0
        features.append(x.astype(np.float16))
    keys = tuple(f"made/{number:03d}" for number in range(clips))
    return ClipBank(
        keys=keys,
        hashes=np.array([hash64("clip", key) for key in keys], dtype=np.uint64),
        features=tuple(features),
        normalisation=Normalisation(np.zeros(MELS, np.float32), np.ones(MELS, np.float32)),
        hop_s=0.01,
        fingerprint="made",
    )


def small_data(bank: ClipBank, first: int = 0, last: int | None = None) -> dict[str, TaskData]:
    """Three tasks over the clips ``first``..``last``; a third of them in each split.

    ``low`` and ``high`` tell which bands are raised, ``busy`` which frames.
    """
    numbers = np.arange(len(bank.keys))[first:last]
    clips: dict[Split, np.ndarray] = {
        split: numbers[place * len(numbers) // 3 : (place + 1) * len(numbers) // 3]
        for place, split in enumerate(SPLITS)
    }
    busy = {n: np.zeros(len(bank.features[n]), np.uint8) for n in numbers.tolist()}
    for activity in busy.values():
        activity[10:20] = 1
    answers = {
        "low": {n: np.asarray(n % 2, np.int64) for n in numbers.tolist()},
        "high": {n: np.asarray(n // 2 % 2, np.int64) for n in numbers.tolist()},
        "busy": busy,
    }
    stream = hash64("stream", *(bank.keys[n] for n in clips["train"].tolist()))
    return {
        task: TaskData(
            spec=SPECS[task],
            clips=clips,
            targets={s: [targets[n] for n in numbers.tolist()] for s, numbers in clips.items()},
            groups={split: np.arange(len(n)) // 2 for split, n in clips.items()},
            stream=stream,
            digest=f"{task} {first} {last}",
        )
        for task, targets in answers.items()
    }
