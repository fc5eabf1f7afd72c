"""Masks: what may be pruned, what survives, and that pruned weights stay zero in training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_bank import MELS, SPECS, small_bank, small_data

from synergy.encoders import Cnn8
from synergy.errors import WorkspaceError
from synergy.network import build_network
from synergy.sparsity import TaskMaskedNetwork, hold, maskable, surviving
from synergy.training.batches import BatchSource
from synergy.training.config import TrainingConfig
from synergy.training.evaluation import clips_of, predict
from synergy.training.loop import train, training_step
from synergy.training.pruning import Masking, Parent, Pruning, build_pruned
from synergy.tree import SharingTree
from synergy.trials.record import TrialRun
from synergy.trials.trial import Trial, run_trial

ENCODER = Cnn8(channels=(4,) * 8, mel_strides=(2, 2, 1, 1, 1, 1, 1, 1))
TASKS = ("busy", "low")
FLAT = SharingTree.flat(TASKS, 8, 8)
QUICK = TrainingConfig(epochs=3, steps_per_epoch=2, clips_per_task=4, crop_s=0.2)
BANK = small_bank()
# two corpora: no clip is seen by both tasks
DATA = {"low": small_data(BANK, 0, 24)["low"], "busy": small_data(BANK, 24)["busy"]}


def specs_of(tree: SharingTree) -> list:
    return [SPECS[task] for task in tree.tasks]


def trial_of(tree: SharingTree, pruning: Pruning | None = None) -> Trial:
    return Trial(
        tree=tree,
        tasks=tuple(specs_of(tree)),
        data={task: DATA[task].digest for task in tree.tasks},
        bank=BANK.fingerprint,
        encoder=ENCODER,
        training=QUICK,
        seed=0,
        pruning=pruning,
    )


def one_mask(keep: int, parent: str = "dense", rewind_step: int = 0) -> Pruning:
    parents = dict.fromkeys(TASKS, Parent(trial=parent, keep=keep))
    return Pruning(parents=parents, rewind_step=rewind_step)


def mask_each(keep: int, rewind_step: int = 0) -> Pruning:
    parents = {task: Parent(trial=f"only_{task}", keep=keep) for task in TASKS}
    return Pruning(parents=parents, rewind_step=rewind_step)


@pytest.fixture(scope="module")
def dense() -> TrialRun:
    return run_trial(trial_of(FLAT), BANK, DATA)


@pytest.fixture(scope="module")
def alone() -> Mapping[str, Mapping[str, torch.Tensor]]:
    """Weights of the dense single-task models."""
    return {
        f"only_{task}": run_trial(trial_of(SharingTree.single(task, 8)), BANK, DATA).weights
        for task in TASKS
    }


def network_for_tasks(alone: Mapping, keep: int = 300) -> tuple[TaskMaskedNetwork, Masking]:
    network, masking = build_pruned(FLAT, ENCODER, specs_of(FLAT), MELS, 0, mask_each(keep), alone)
    assert isinstance(network, TaskMaskedNetwork)
    return network, masking


# -- what may be pruned, what survives ---------------------------------------------------------


def test_every_matrix_and_kernel_but_classifiers_and_a_small_first_convolution() -> None:
    found = maskable(build_network(FLAT, Cnn8(), specs_of(FLAT), 64, 0))
    expected = {f"shared_1_8.{n}.0.weight" for n in range(1, 8)}
    expected |= {"busy_head.gru.weight_ih_l0", "busy_head.gru.weight_hh_l0"}
    expected |= {"low_head.hidden.weight", "low_head.weigh.weight"}
    assert set(found) == expected
    assert found["shared_1_8.1.0.weight"] == 14 * 14 * 9
    # the first convolution has 126 of 24,996 convolution weights above, 36 of 1,044 here
    assert "shared_1_8.0.0.weight" in maskable(
        build_network(FLAT, ENCODER, specs_of(FLAT), MELS, 0)
    )


def test_all_copies_of_the_first_convolution_are_exempt_together() -> None:
    tree = SharingTree.flat(TASKS, 0, 8)
    found = maskable(build_network(tree, Cnn8(), specs_of(tree), 64, 0))
    assert {n for n in found if ".0.0." in n} == set()
    assert {n for n in found if ".1.0." in n} == {"busy_1_8.1.0.weight", "low_1_8.1.0.weight"}


@given(
    st.lists(st.lists(st.integers(-3, 3), min_size=1, max_size=6), min_size=1, max_size=4),
    st.integers(0, 30),
)
def test_survivors_are_those_of_a_slow_ranking(values: list[list[int]], keep: int) -> None:
    weights = {str(i): torch.tensor(row, dtype=torch.float32) for i, row in enumerate(values)}
    places = [(i, j) for i, row in enumerate(values) for j in range(len(row))]
    places = [(i, j) for i, j in places if values[i][j] != 0]
    kept: set[tuple[int, int]] = set()
    for _ in range(min(keep, len(places))):
        left = [place for place in places if place not in kept]
        kept.add(max(left, key=lambda p: (abs(values[p[0]][p[1]]), -p[0], -p[1])))
    found = surviving(weights, list(weights), keep)
    assert {(int(n), j) for n, mask in found.items() for j in np.flatnonzero(mask)} == kept
    masked = {n: w * found[n] for n, w in weights.items()}
    for n, mask in surviving(masked, list(weights), max(0, keep - 2)).items():
        assert not (mask & ~found[n]).any()


# -- one mask ----------------------------------------------------------------------------------


def test_pruned_weights_are_zero_after_training_and_masks_are_nested(dense: TrialRun) -> None:
    names = list(maskable(build_network(FLAT, ENCODER, specs_of(FLAT), MELS, 0)))
    assert any("gru" in name for name in names)
    first = run_trial(trial_of(FLAT, one_mask(800)), BANK, DATA, parents={"dense": dense.weights})
    second = run_trial(
        trial_of(FLAT, one_mask(600, "first", 3)), BANK, DATA, parents={"first": first.weights}
    )
    for parent, child, keep in ((dense, first, 800), (first, second, 600)):
        expected = surviving(parent.weights, names, keep)
        assert sum(int(mask.sum()) for mask in expected.values()) == keep
        for name in names:
            assert torch.equal(child.weights[name] != 0, expected[name]), name
        assert all(not ((child.weights[n] != 0) & (parent.weights[n] == 0)).any() for n in names)
    total = dense.result.params
    everything = sum(int(dense.weights[n].numel()) for n in names)
    assert first.result.params == total - everything + 800
    assert second.result.params == total - everything + 600


def test_momentum_and_decay_do_not_move_a_pruned_weight() -> None:
    network = build_network(FLAT, ENCODER, specs_of(FLAT), MELS, 0).train()
    source = BatchSource(BANK, [DATA[t] for t in TASKS], QUICK, 0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1, weight_decay=0.5)
    for step in range(3):
        training_step(network, source.batch(step), optimizer, QUICK)
    masks = surviving(network.state_dict(), list(maskable(network)), 500)
    hold(network, masks, optimizer)
    for step in range(3, 6):
        before = {name: network.get_parameter(name).detach().clone() for name in masks}
        training_step(network, source.batch(step), optimizer, QUICK)
        for name, mask in masks.items():
            weight = network.get_parameter(name)
            assert weight.grad is not None
            assert (weight[~mask] == 0).all() and (weight.grad[~mask] == 0).all()
            assert (weight[mask] != before[name][mask]).all()


def test_the_gradients_of_survivors_are_those_of_the_masked_function() -> None:
    batch = BatchSource(BANK, [DATA[t] for t in TASKS], QUICK, 0).batch(0)
    masks = {}
    found = []
    for explicit in (True, False):
        network = build_network(FLAT, ENCODER, specs_of(FLAT), MELS, 0).train()
        masks = surviving(network.state_dict(), list(maskable(network)), 500)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.0)
        if explicit:
            outputs = torch.func.functional_call(
                network,
                {n: network.get_parameter(n) * mask for n, mask in masks.items()},
                (batch.x,),
                {"rows": batch.rows},
            )
            losses = [SPECS[t].rules.loss(outputs[t], batch.targets[t]) for t in TASKS]
            torch.stack(losses).sum().backward()
        else:
            hold(network, masks, optimizer)
            wide = QUICK.model_copy(update={"clip_norm": 1e9})
            training_step(network, batch, optimizer, wide)
        found.append({name: p.grad for name, p in network.named_parameters()})
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient)


class Recorder:
    """Stands for masks; keeps the state in which they would begin."""

    def __init__(self, network: torch.nn.Module, masking: Masking | None, start: int) -> None:
        self.network, self.masking, self.start = network, masking, start
        self.state: dict[str, torch.Tensor] = {}

    def begin(self, optimizer: torch.optim.Optimizer) -> None:
        self.state = {n: v.clone() for n, v in self.network.state_dict().items()}
        for number, moments in optimizer.state_dict()["state"].items():
            self.state |= {f"{number} {n}": v.clone() for n, v in moments.items()}
        if self.masking is not None:
            self.masking.begin(optimizer)


def test_before_its_rewind_step_a_pruned_training_is_its_parent(dense: TrialRun) -> None:
    found = []
    for pruning in (None, one_mask(500, rewind_step=4)):
        if pruning is None:
            network, masking = build_network(FLAT, ENCODER, specs_of(FLAT), MELS, 0), None
        else:
            parents = {"dense": dense.weights}
            network, masking = build_pruned(
                FLAT, ENCODER, specs_of(FLAT), MELS, 0, pruning, parents
            )
        recorder = Recorder(network, masking, 4)
        tasks = [DATA[task] for task in TASKS]
        trained = train(network, BANK, tasks, QUICK, 0, masking=recorder)
        found.append((recorder.state, trained))
    (ours, unpruned), (theirs, pruned) = found
    assert ours.keys() == theirs.keys() and len(ours) > 40
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert unpruned.history == dense.history
    assert pruned.history[:2] == unpruned.history[:2]
    assert pruned.history[2] != unpruned.history[2]
    assert pruned.kept_step == 6  # the only validation under masks


# -- a mask for each task ----------------------------------------------------------------------


def test_each_task_sees_its_own_weights_on_its_own_rows(alone: Mapping) -> None:
    network, masking = network_for_tasks(alone)
    masking.begin(torch.optim.SGD(network.parameters(), lr=0.1))
    network.eval()
    x = torch.randn(5, 1, MELS, 24, generator=torch.Generator().manual_seed(0))
    frames = torch.tensor([24, 12, 20, 24, 9])
    rows = {"low": torch.tensor([0, 1, 4]), "busy": torch.tensor([1, 2, 3])}
    with torch.no_grad():
        outputs, everything = network(x, frames, rows), network(x, frames)
        for task in TASKS:
            single = build_network(SharingTree.single(task, 8), ENCODER, [SPECS[task]], MELS, 0)
            state = single.state_dict()
            state |= {n: state[n] * mask for n, mask in masking.masks[task].items()}
            single.load_state_dict(state)
            expected = single.eval()(x, frames)[task]
            torch.testing.assert_close(everything[task], expected)
            torch.testing.assert_close(outputs[task], expected[rows[task]])
    assert any((masking.masks["low"]["low_head.hidden.weight"] == 0).flatten())


def test_a_gradient_reaches_only_the_weights_of_its_task(alone: Mapping) -> None:
    network, masking = network_for_tasks(alone)
    masking.begin(torch.optim.SGD(network.parameters(), lr=0.1))
    network.train()
    batch = BatchSource(BANK, [DATA[t] for t in TASKS], QUICK, 0).batch(0)
    alone_gradients: dict[str, list[torch.Tensor]] = {}
    for task in TASKS:
        network.zero_grad()
        loss = SPECS[task].rules.loss(network(batch.x, rows=batch.rows)[task], batch.targets[task])
        loss.backward()
        own = network.network_of(task)
        for name, mask in masking.masks[task].items():
            gradient = own.get_parameter(name).grad
            assert gradient is not None
            assert (gradient[~mask] == 0).all() and (gradient[mask] != 0).any()
        for name, parameter in network.named_parameters():
            if parameter.grad is not None:
                alone_gradients.setdefault(name, []).append(parameter.grad.clone())
    optimizer = torch.optim.SGD(network.parameters(), lr=0.0)
    training_step(network, batch, optimizer, QUICK.model_copy(update={"clip_norm": 1e9}))
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, sum(alone_gradients[name]))
    assert max(len(gradients) for gradients in alone_gradients.values()) == 2


def test_tasks_share_weights_but_no_statistics(alone: Mapping) -> None:
    network, masking = network_for_tasks(alone)
    flat = build_network(FLAT, ENCODER, specs_of(FLAT), MELS, 0)
    assert sum(p.numel() for p in network.parameters()) == sum(p.numel() for p in flat.parameters())
    tasks = [DATA[task] for task in TASKS]
    train(network, BANK, tasks, QUICK, 0, masking=masking)
    before = predict(network, BANK, clips_of(tasks, "test"))
    means = {
        t: dict(network.network_of(t).named_buffers())[f"{t}_1_8.0.1.running_mean"] for t in TASKS
    }
    assert not torch.equal(means["low"], means["busy"])
    means["busy"] += 1.0
    after = predict(network, BANK, clips_of(tasks, "test"))
    for task, changed in (("low", False), ("busy", True)):
        same = all(np.array_equal(a, b) for a, b in zip(before[task], after[task], strict=True))
        assert same is not changed


@pytest.mark.parametrize("rewind_step", [0, 3])
def test_stored_weights_are_single_task_models_with_their_masks(
    alone: Mapping, rewind_step: int
) -> None:
    keep = 300
    trial = trial_of(FLAT, mask_each(keep, rewind_step))
    done = run_trial(trial, BANK, DATA, parents=alone, test=True)
    assert done.test is not None
    _, masking = network_for_tasks(alone, keep)
    states = {}
    for task in TASKS:
        prefix = f"{task}_network."
        state = {n.removeprefix(prefix): w for n, w in done.weights.items() if n.startswith(prefix)}
        for name, mask in masking.masks[task].items():
            assert int(mask.sum()) <= keep
            assert torch.equal(state[name] != 0, mask), name
        network = build_network(SharingTree.single(task, 8), ENCODER, [SPECS[task]], MELS, 0)
        network.load_state_dict(state)
        states[task] = {name.replace(f"{task}_1_8", "shared"): w for name, w in state.items()}
        logits = predict(network, BANK, {task: DATA[task].clips["test"]})[task]
        kept = done.test.predictions[f"test/{task}"]
        found = np.concatenate(logits) if kept.ndim == 1 else np.stack(logits)
        np.testing.assert_allclose(found, kept, atol=2e-3)
    nonzero = 0
    for name, weight in states["low"].items():
        if name.startswith("shared") and "running" not in name and "num_" not in name:
            other = states["busy"][name]
            both = (weight != 0) & (other != 0)
            assert torch.equal(weight[both], other[both])
            nonzero += int(((weight != 0) | (other != 0)).sum())
    nonzero += sum(
        int((w != 0).sum()) for s in states.values() for n, w in s.items() if "_head." in n
    )
    assert done.result.params == nonzero


@given(st.integers(1, 400), st.integers(1, 400))
@settings(max_examples=10)
def test_the_union_is_counted_once(first: int, second: int) -> None:
    network = TaskMaskedNetwork(FLAT, ENCODER, specs_of(FLAT), MELS, 0)
    masks = {}
    for task, keep in zip(TASKS, (first, second), strict=True):
        generator = torch.Generator().manual_seed(keep)
        own = network.network_of(task)
        sizes = maskable(own)
        weights = {n: torch.rand(own.get_parameter(n).shape, generator=generator) for n in sizes}
        masks[task] = surviving(weights, list(sizes), keep)
    union = network.union(masks)
    points: set[tuple[str, int]] = set()
    for task, own in masks.items():
        for name, mask in own.items():
            shared = name.replace(f"{task}_1_8", "shared")
            points |= {(shared, int(i)) for i in np.flatnonzero(mask)}
    assert sum(int(mask.sum()) for mask in union.values()) == len(points)
    assert {name: m.shape for name, m in union.items()} == {
        name: network.get_parameter(name).shape for name in union
    }


# -- trials ------------------------------------------------------------------------------------


@pytest.mark.parametrize("each", [False, True])
def test_a_pruned_trial_repeats_bit_for_bit(dense: TrialRun, alone: Mapping, each: bool) -> None:
    trial = trial_of(FLAT, mask_each(200, 1) if each else one_mask(300, rewind_step=1))
    parents = alone if each else {"dense": dense.weights}
    first, again = (run_trial(trial, BANK, DATA, parents=parents) for _ in range(2))
    assert first.history == again.history
    assert first.weights.keys() == again.weights.keys()
    for name, weight in first.weights.items():
        assert torch.equal(weight, again.weights[name])


def test_digest_is_of_everything_that_decides_the_masks() -> None:
    base = trial_of(FLAT, one_mask(300))
    assert trial_of(FLAT, one_mask(300)).digest == base.digest
    others = [
        trial_of(FLAT),
        trial_of(FLAT, one_mask(301)),
        trial_of(FLAT, one_mask(300, "other")),
        trial_of(FLAT, one_mask(300, rewind_step=1)),
        trial_of(FLAT, mask_each(300)),
        replace(base, encoder=ENCODER.widened(2)),
    ]
    assert len({base.digest, *(other.digest for other in others)}) == len(others) + 1


def test_weights_of_another_network_are_refused(alone: Mapping) -> None:
    with pytest.raises(
        WorkspaceError, match=r"trial dense: expected the weights of \{busy,low\}@8"
    ):
        run_trial(trial_of(FLAT, one_mask(5)), BANK, DATA, parents={"dense": alone["only_low"]})
