"""Untrained networks and their exports, for the tests."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from synergy.audio.features import FeatureConfig, log_mel
from synergy.encoders import Cnn8
from synergy.export import EXPORTERS, About
from synergy.export.spec import CorpusEntry
from synergy.network import TreeNetwork, build_network
from synergy.tasks import TaskSpec
from synergy.tree import SharingTree

FEATURES = FeatureConfig(mels=16, window_ms=16.0)
ENCODER = Cnn8(channels=(4, 5, 6, 5, 6, 5, 6, 8))
SPECS = {
    "gc": TaskSpec("gc", "clip_classification", ("female", "male")),
    "age-3": TaskSpec("age-3", "clip_classification", ("child", "adult", "senior")),
    "vad": TaskSpec("vad", "frame_activity", ("speech",)),
    "scr": TaskSpec("scr", "clip_classification", tuple(f"word {n}" for n in range(35))),
}
TOY_CORPUS = CorpusEntry(fingerprint="abc123", licences=("CC-BY-4.0",), synthetic=True)
TREE = SharingTree.parse("{{gc,age-3}@8,{scr,vad}@7}@5", 8)


def small_network(
    tree: SharingTree = TREE,
    encoder: Cnn8 = ENCODER,
    features: FeatureConfig = FEATURES,
    seed: int = 0,
) -> TreeNetwork:
    """A network with random weights and statistics, in evaluation mode."""
    specs = [SPECS[task] for task in tree.tasks]
    network = build_network(tree, encoder, specs, features.mels, seed)
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.named_buffers():
        if value.is_floating_point():
            offset = 0.5 if name.endswith("running_var") else -0.5
            value.copy_(torch.rand(value.shape, generator=generator) + offset)
    with torch.no_grad():
        for name, value in network.named_parameters():
            value.mul_(4 if "_head." in name else 1)  # so that outputs differ visibly
    return network.eval()


def statistics(features: FeatureConfig = FEATURES) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation per mel band."""
    rng = np.random.default_rng(5)
    mean = rng.uniform(-9, -5, features.mels).astype(np.float32)
    return mean, rng.uniform(1, 3, features.mels).astype(np.float32)


def facts(order: Sequence[str], **changes: object) -> About:
    """Plausible facts on these tasks."""
    values = {
        "tasks": dict.fromkeys(order, ("toy|corpus",)),
        "corpora": {"toy|corpus": TOY_CORPUS},
        "scores": {s: dict.fromkeys(order, (0.8, 0.9)) for s in ("valid", "test")},
        "single_scores": {s: dict.fromkeys(order, (0.9, 0.9)) for s in ("valid", "test")},
        "weights_scores": {s: dict.fromkeys(order, 0.9) for s in ("valid", "test")},
        "weights_seed": 1,
        "weights_trial": "0123456789abcdef0123",
        "seeds": (0, 1),
        "training": {"epochs": 2, "precision": "float32"},
        "versions": {"synergy": "0.1.0", "torch": "2.11.0"},
        "predicted_ar_pct": 1.5,
        "max_ar": 2.0,
        "notes": ("A toy.",),
    }
    return About(**(values | changes))  # pyright: ignore[reportArgumentType]


def export(
    folder: Path,
    network: TreeNetwork | None = None,
    encoder: Cnn8 = ENCODER,
    features: FeatureConfig = FEATURES,
    order: Sequence[str] = (),
    **changes: object,
) -> TreeNetwork:
    """Export a small network into ``folder``; returns it."""
    network = network or small_network()
    about = facts(order or network.tree.tasks, **changes)
    EXPORTERS["torch"](folder, network, encoder, features, *statistics(features), about)
    return network


def import_exported(folder: Path) -> ModuleType:
    """The generated module, from its file and nowhere else."""
    spec = importlib.util.spec_from_file_location("exported_model", folder / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def waveforms(count: int, samples: int, seed: int = 3) -> torch.Tensor:
    """Noise and a tone of changing level, with silence in it; [count, samples]."""
    generator = torch.Generator().manual_seed(seed)
    x = 0.01 * torch.randn(count, samples, generator=generator)
    time, row = torch.arange(samples) / 16_000, torch.arange(count)[:, None]
    x += 0.3 * torch.sin(2500 * (row + 1) * time) * torch.sin((9 + 20 * row) * time)
    x[:, samples // 3 : samples // 2] = 0
    return x


def reference(
    network: TreeNetwork, waveform: torch.Tensor, features: FeatureConfig = FEATURES
) -> dict[str, torch.Tensor]:
    """Logits of the network itself, from features that the package computes."""
    mean, std = map(torch.from_numpy, statistics(features))
    x = torch.stack([(log_mel(row, features) - mean) / std for row in waveform])
    with torch.inference_mode():
        return network(x.transpose(1, 2).unsqueeze(1))
