"""Similarity of representations and affinity grouping, against slow direct computations."""

from __future__ import annotations

import itertools
import math
import random
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from small_bank import SPECS, small_bank, small_data
from torch import nn

from synergy.comparisons.layouts import partitions
from synergy.comparisons.rsa import (
    common_clips,
    dissimilarities,
    group_cost,
    measure_similarity,
    middle_crops,
    similarities,
)
from synergy.comparisons.tag import (
    affinities,
    best_division,
    division_score,
    look_ahead,
    measure_affinities,
)
from synergy.encoders import Cnn8
from synergy.errors import TrainingError
from synergy.network import TreeNetwork, build_network
from synergy.running.jobs import Inputs
from synergy.running.probes import Probe
from synergy.training.batches import BatchSource
from synergy.training.config import TrainingConfig
from synergy.training.loop import build_optimizer
from synergy.tree import SharingTree
from synergy.trials.trial import Trial, run_trial
from synergy.trials.trial_store import TrialStore

BANK = small_bank()
DATA = {"low": small_data(BANK, 0, 24)["low"], "busy": small_data(BANK, 24)["busy"]}
QUICK = TrainingConfig(epochs=2, steps_per_epoch=2, clips_per_task=4, crop_s=0.2)
FLAT = SharingTree.flat(["low", "busy"], 8, 8)
EXPERIMENT: Any = SimpleNamespace(bank=BANK, data_of=lambda _: DATA)


def trial_of(tree: SharingTree, seed: int = 0) -> Trial:
    return Trial(
        tree=tree,
        tasks=tuple(SPECS[task] for task in tree.tasks),
        data={task: DATA[task].digest for task in tree.tasks},
        bank=BANK.fingerprint,
        encoder=Cnn8(channels=(4,) * 8),
        training=QUICK,
        seed=seed,
    )


# -- similarity of representations ------------------------------------------------------------


def slow_ranks(values: np.ndarray) -> np.ndarray:
    """Mean ranks of ties, by counting."""
    return np.array([(values < v).sum() + ((values == v).sum() + 1) / 2 for v in values])


def slow_similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman correlation of two representations [K, p], pair of clips by pair of clips."""
    rows = []
    for features in (one, other):
        distances = [
            1 - np.corrcoef(features[i], features[j])[0, 1]
            for i in range(len(features))
            for j in range(i)
        ]
        rows.append(slow_ranks(np.round(distances, 9)))
    return float(np.corrcoef(*rows)[0, 1])


def test_similarity_against_a_slow_one() -> None:
    rng = np.random.default_rng(0)
    base = rng.standard_normal((9, 12))
    features = [base, base + 0.3 * rng.standard_normal((9, 12)), rng.standard_normal((9, 5))]
    found = similarities([dissimilarities(f.astype(np.float32)) for f in features])
    for i, j in itertools.product(range(3), repeat=2):
        assert found[i, j] == pytest.approx(slow_similarity(features[i], features[j]), abs=1e-3)


def test_ties_share_their_rank() -> None:
    triangles = [np.array([0.0, 0.5, 0.5, 1.0]), np.array([3.0, 1.0, 2.0, 2.0])]
    expected = np.corrcoef(*map(slow_ranks, triangles))[0, 1]
    assert similarities(triangles)[0, 1] == pytest.approx(expected)


def test_a_constant_representation_is_like_no_other() -> None:
    features = np.random.default_rng(1).standard_normal((5, 4))
    assert dissimilarities(np.ones((5, 4))).tolist() == [1.0] * 10
    found = similarities([dissimilarities(np.ones((5, 4))), dissimilarities(features)])
    assert found[0, 1] == 0


def test_clips_of_all_tasks_in_turn() -> None:
    everyone = set().union(*(task.clips["valid"].tolist() for task in DATA.values()))
    whole = common_clips(BANK, list(DATA.values()), 500)
    assert set(whole.tolist()) == everyone
    assert whole.tolist() == sorted(whole.tolist())
    few = common_clips(BANK, list(DATA.values()), 6)
    for task in DATA.values():
        assert len(set(few.tolist()) & set(task.clips["valid"].tolist())) == 3
    assert common_clips(BANK, list(DATA.values()), 6).tolist() == few.tolist()


def test_crops_are_around_the_middle() -> None:
    clip = int(DATA["low"].clips["valid"][0])
    features = BANK.features[clip].astype(np.float32)
    first = (len(features) - 10) // 2
    np.testing.assert_array_equal(
        middle_crops(BANK, np.array([clip]), 10)[0], features[first : first + 10]
    )
    long = middle_crops(BANK, np.array([clip]), len(features) + 4)[0]
    np.testing.assert_array_equal(long[2:-2], features)
    np.testing.assert_array_equal(long[0], features[0])
    np.testing.assert_array_equal(long[-1], features[-1])


def test_group_cost() -> None:
    dissimilarity = np.array([[[0, 0.2, 0.6], [0.2, 0, 0.4], [0.6, 0.4, 0]]])
    cost = group_cost(("x", "y", "z"), dissimilarity)
    assert cost(1, (("x", "y", "z"),)) == 0.6
    assert cost(1, (("x", "y"), ("z",))) == pytest.approx(0.1)
    assert cost(1, (("x",), ("y",), ("z",))) == 0


def test_similarity_of_finished_trials(tmp_path: Path) -> None:
    store = TrialStore(tmp_path / "trials")
    trials = tuple(trial_of(SharingTree.single(task, 8)) for task in DATA)
    outputs: list[list[np.ndarray]] = []
    clips = common_clips(BANK, list(DATA.values()), 8)
    x = torch.from_numpy(middle_crops(BANK, clips, 20)).transpose(1, 2).unsqueeze(1)
    for trial in trials:
        done = run_trial(trial, BANK, DATA)
        store.write(trial.to_json(), done)
        network = build_network(trial.tree, trial.encoder, trial.tasks, BANK.mels, 0).eval()
        network.load_state_dict(done.weights)
        seen: list[np.ndarray] = []
        for layer in network.modules():
            if isinstance(layer, nn.ReLU) and len(seen) < 8:
                layer.register_forward_hook(
                    lambda _, __, y, seen=seen: seen.append(y.detach().flatten(1).numpy())
                )
        with torch.no_grad():
            network(x)
        outputs.append(seen[:8])
    reported: list[int] = []
    probe = Probe("rsa", trials, {"clips": 8}, measure_similarity, 2)
    inputs = Inputs(EXPERIMENT, {digest: store.weights(digest) for digest in probe.needs})
    found = measure_similarity(probe, inputs, reported.append)["similarity"]
    assert reported == [1, 2]
    assert np.shape(found) == (8, 2, 2)
    for block in range(8):
        expected = slow_similarity(outputs[0][block], outputs[1][block])
        assert found[block][0][1] == pytest.approx(expected, abs=0.02)
        assert found[block][0][0] == pytest.approx(1)


# -- affinity grouping ------------------------------------------------------------------------


def test_affinities_by_hand() -> None:
    w = nn.Parameter(torch.tensor([0.5], dtype=torch.float64))
    v = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    found = affinities(
        lambda: {"a": ((w - 1) ** 2 + v).sum(), "b": ((w + 1) ** 2 * v).sum()},
        [w, v],
        rate=0.1,
        decays=[0.2, 0.0],
    )
    # a: gradient (-1, 1), so w 0.5 -> 0.5 - 0.1 (-1 + 0.1) = 0.59 and v 1 -> 0.9; before 1.25, 2.25
    # b: gradient (3, 2.25), so w 0.5 -> 0.5 - 0.1 (3 + 0.1) = 0.19 and v 1 -> 0.775
    expected = [
        [1 - (0.41**2 + 0.9) / 1.25, 1 - 1.59**2 * 0.9 / 2.25],
        [1 - (0.81**2 + 0.775) / 1.25, 1 - 1.19**2 * 0.775 / 2.25],
    ]
    np.testing.assert_allclose(found, expected)
    assert (w.item(), v.item()) == (0.5, 1.0)


def test_a_loss_of_zero_gives_no_affinity() -> None:
    w = nn.Parameter(torch.tensor([1.0]))
    found = affinities(lambda: {"a": (w**2).sum(), "b": (0 * w).sum()}, [w], 0.1, [0.0])
    assert found[0, 1] == found[1, 1] == 0
    assert found[0, 0] == pytest.approx(1 - 0.8**2)


@pytest.fixture
def training_network() -> TreeNetwork:
    trial = trial_of(FLAT)
    return build_network(FLAT, trial.encoder, trial.tasks, BANK.mels, 0).train()


def test_a_look_ahead_against_copies_of_the_network(training_network: TreeNetwork) -> None:
    tasks = [DATA[task] for task in FLAT.tasks]
    batch = BatchSource(BANK, tasks, QUICK, 0).batch(0)
    specs = [SPECS[task] for task in FLAT.tasks]
    optimizer, _ = build_optimizer(training_network, QUICK)
    before = deepcopy(training_network.state_dict())
    found = look_ahead(training_network, batch, optimizer)
    for name, value in training_network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(p.grad is None for p in training_network.parameters())

    def loss(network: TreeNetwork, task: str) -> torch.Tensor:
        logits = network(batch.x, rows=batch.rows)[task]
        targets = batch.targets[task]
        if targets.ndim == 1:
            return nn.functional.cross_entropy(logits, targets)
        return nn.functional.binary_cross_entropy_with_logits(logits, targets.float())

    def copied() -> TreeNetwork:
        network = build_network(FLAT, Cnn8(channels=(4,) * 8), specs, BANK.mels, 0).train()
        network.load_state_dict(before)
        return network

    rate = optimizer.param_groups[0]["lr"]
    for i, task in enumerate(FLAT.tasks):
        moved = copied()
        shared = [p for name, p in moved.named_parameters() if "head" not in name]
        groups = [
            {"params": [p for p in shared if p.ndim > 1], "weight_decay": QUICK.weight_decay},
            {"params": [p for p in shared if p.ndim <= 1], "weight_decay": 0.0},
        ]
        step = torch.optim.SGD(groups, lr=rate)
        loss(moved, task).backward()
        step.step()
        for j, other in enumerate(FLAT.tasks):
            with torch.no_grad():
                expected = 1 - loss(moved, other).item() / loss(copied(), other).item()
            assert found[i, j] == pytest.approx(expected, abs=1e-6)


def test_measuring_affinities_averages_looks_and_leaves_the_training_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[np.ndarray] = []
    networks: list[TreeNetwork] = []

    def kept(network: TreeNetwork, *rest: Any) -> np.ndarray:
        networks.append(network)
        looks.append(look_ahead(network, *rest))
        return looks[-1]

    trial = trial_of(FLAT)
    probe = Probe("tag", (trial,), {"every": 2}, measure_affinities, QUICK.steps)
    monkeypatch.setattr("synergy.comparisons.tag.look_ahead", kept)
    reported: list[int] = []
    found = measure_affinities(probe, Inputs(EXPERIMENT, {}), reported.append)
    assert reported == [1, 2, 3, 4]
    assert found["looks"] == len(looks) == 2
    np.testing.assert_allclose(found["affinity"], np.mean(looks, axis=0))
    # the weights are bit for bit those of the flat model's training, if that ends at its end
    last = replace(trial, training=QUICK.model_copy(update={"epochs": 1, "steps_per_epoch": 4}))
    assert last.training.steps == QUICK.steps
    weights = run_trial(last, BANK, DATA).weights
    for name, value in networks[-1].state_dict().items():
        assert torch.equal(value, weights[name]), name


def test_a_training_that_diverges_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = {"low": torch.tensor(0.5), "busy": torch.tensor(math.nan)}
    monkeypatch.setattr("synergy.comparisons.tag.training_step", lambda *_: losses)
    probe = Probe("tag", (trial_of(FLAT),), {"every": 3}, measure_affinities, QUICK.steps)
    with pytest.raises(TrainingError, match="the loss of busy became nan at step 1 of 4"):
        measure_affinities(probe, Inputs(EXPERIMENT, {}), lambda _: None)


def test_division_score() -> None:
    affinity = np.array([[9, 0.2, -0.4], [0.1, 9, 0.3], [0.5, -0.1, 9]])
    score = division_score("xyz", affinity)
    assert score((("x",), ("y",), ("z",))) == 0
    assert score((("x", "y"), ("z",))) == pytest.approx((0.1 + 0.2) / 3)
    whole = (0.1 + 0.5) / 2 + (0.2 - 0.1) / 2 + (-0.4 + 0.3) / 2
    assert score((("x", "y", "z"),)) == pytest.approx(whole / 3)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("most", [1, 2, 4])
def test_the_best_division_of_those_that_fit(seed: int, most: int) -> None:
    affinity = np.random.default_rng(seed).normal(size=(4, 4))
    found = best_division("wxyz", affinity, most)
    score = division_score("wxyz", affinity)
    assert len(found) <= most
    fitting = [d for d in partitions("wxyz") if len(d) <= most]
    assert score(found) == max(map(score, fitting))


def test_many_tasks_are_merged_greedily() -> None:
    tasks = [f"t{number}" for number in range(10)]
    affinity = np.full((10, 10), -1.0)
    planted = [tasks[:3], tasks[3:7], tasks[7:]]
    for group in planted:
        places = [tasks.index(task) for task in group]
        affinity[np.ix_(places, places)] = 1.0
    draw = random.Random(0)
    affinity += np.array([[draw.gauss(0, 0.01) for _ in tasks] for _ in tasks])
    found = best_division(tasks, affinity, 3)
    assert sorted(sorted(group) for group in found) == planted
    assert len(best_division(tasks, affinity, 2)) == 2
