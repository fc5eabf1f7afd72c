"""The training loop, its evaluation and the trial around it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_bank import MELS, SPECS, small_bank, small_data

from synergy.encoders import Cnn8
from synergy.errors import TrainingError
from synergy.network import TreeNetwork, build_network
from synergy.training import loop
from synergy.training.config import TrainingConfig
from synergy.training.evaluation import clips_of, predict, score
from synergy.training.loop import Trained, learning_rate, train
from synergy.tree import SharingTree
from synergy.trials.trial import Trial, run_test, run_trial

ENCODER = Cnn8(channels=(8,) * 8, mel_strides=(2, 2, 1, 1, 1, 1, 1, 1))
QUICK = TrainingConfig(
    epochs=5, steps_per_epoch=10, clips_per_task=8, crop_s=0.3, gain_db=0, learning_rate=0.02
)
TREE = SharingTree.parse("{{low,high}@5,busy}@3", 8)


def network_of(tree: SharingTree, seed: int = 0) -> TreeNetwork:
    """A small network."""
    return build_network(tree, ENCODER, [SPECS[t] for t in tree.tasks], MELS, seed)


def trial_of(tree: SharingTree, seed: int = 0, config: TrainingConfig = QUICK) -> Trial:
    """A trial over the small bank."""
    data = small_data(small_bank())
    return Trial(
        tree=tree,
        tasks=tuple(SPECS[task] for task in tree.tasks),
        data={task: data[task].digest for task in tree.tasks},
        bank="made",
        encoder=ENCODER,
        training=config,
        seed=seed,
    )


def test_a_tree_learns_its_tasks_and_a_trial_repeats_bit_for_bit() -> None:
    bank = small_bank()
    data = small_data(bank)
    first, again = (run_trial(trial_of(TREE), bank, data, test=True) for _ in range(2))
    assert first.test is not None and again.test is not None
    for task, scored in first.test.result.scores.items():
        assert scored > 0.85, task
    for key, value in first.test.predictions.items():
        np.testing.assert_array_equal(value, again.test.predictions[key])
    for name, value in first.weights.items():
        assert torch.equal(value, again.weights[name]), name
    assert first.history == again.history
    for key, value in first.predictions.items():
        np.testing.assert_array_equal(value, again.predictions[key])
    later = run_test(trial_of(TREE), first.weights, bank, data)
    assert later.result == first.test.result
    for key, value in later.predictions.items():
        np.testing.assert_array_equal(value, first.test.predictions[key])
    other = run_trial(trial_of(TREE, seed=1), bank, data)
    assert other.history != first.history


def test_a_task_that_shares_nothing_trains_as_it_does_alone() -> None:
    """The common budget: what is not shared is not disturbed."""
    bank = small_bank()
    data = small_data(bank)
    together = SharingTree.flat(["low", "busy"], 0, 8)
    config = QUICK.model_copy(update={"clip_norm": 1e9})
    pair = run_trial(trial_of(together, config=config), bank, data)
    alone = run_trial(trial_of(SharingTree.single("low", 8), config=config), bank, data)
    for ours, theirs in zip(pair.history, alone.history, strict=True):
        assert ours["low_loss"] == pytest.approx(theirs["low_loss"], rel=1e-3)


def trained_by(rule: str) -> tuple[Trained, TreeNetwork, list[dict[str, torch.Tensor]]]:
    """A training by a rule of which weights are kept, and its weights after every epoch."""
    bank = small_bank()
    network = network_of(SharingTree.single("low", 8))
    states: list[dict[str, torch.Tensor]] = []

    def remember(_: object) -> None:
        states.append({name: value.clone() for name, value in network.state_dict().items()})

    config = QUICK.model_copy(update={"weights": rule, "epochs": 8, "steps_per_epoch": 5})
    data = small_data(bank)["low"]
    trained = train(network, bank, [data], config, 0, remember)
    now = score([data], "valid", predict(network, bank, clips_of([data], "valid")))
    assert now == trained.scores["valid"]
    return trained, network, states


def test_weights_of_the_best_validation_are_kept() -> None:
    trained, _, _ = trained_by("best")
    by_step = {row["step"]: row["low_score"] for row in trained.history}
    assert by_step[trained.kept_step] == max(by_step.values())
    assert trained.scores["valid"]["low"]["accuracy"] == by_step[trained.kept_step]


def test_weights_at_the_end_are_kept() -> None:
    trained, network, states = trained_by("last")
    assert trained.kept_step == 40
    kept = network.state_dict()
    assert all(torch.equal(kept[name], value) for name, value in states[-1].items())
    assert trained.history[-1]["low_score"] == trained.scores["valid"]["low"]["accuracy"]


def test_the_mean_of_the_last_quarter_of_the_weights_is_kept() -> None:
    trained, network, states = trained_by("average")
    assert trained.kept_step == 40
    for name, value in network.state_dict().items():
        one, other = states[-2][name], states[-1][name]
        mean = (one + other) / 2 if value.is_floating_point() else other
        torch.testing.assert_close(value, mean)
        assert value.is_floating_point() or other == 40  # batches that normalisation has seen


def test_test_is_looked_at_only_where_that_is_asked_for(monkeypatch) -> None:
    bank = small_bank()
    data = small_data(bank)["low"]
    looked: list[set[int]] = []

    def predicted(network: object, bank: object, clips: dict[str, np.ndarray]) -> object:
        looked.append(set(clips["low"].tolist()))
        return predict(network, bank, clips)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(loop, "predict", predicted)
    of_test = set(data.clips["test"].tolist())
    assert train(network_of(SINGLE), bank, [data], QUICK, 0).scores.keys() == {"valid"}
    assert not any(clips & of_test for clips in looked)
    tested = train(network_of(SINGLE), bank, [data], QUICK, 0, test=True)
    assert tested.scores.keys() == {"valid", "test"}
    assert [clips for clips in looked if clips & of_test] == [of_test]


def test_a_non_finite_loss_says_where() -> None:
    bank = small_bank()
    poisoned = replace(bank, features=tuple(x * np.float16("nan") for x in bank.features))
    with pytest.raises(TrainingError, match=r"loss of low became nan at step 1 of 50; lower"):
        train(
            network_of(SharingTree.single("low", 8)),
            poisoned,
            [small_data(bank)["low"]],
            QUICK,
            seed=0,
        )


SINGLE = SharingTree.single("low", 8)


def test_a_training_that_diverges_on_validation_clips_is_named() -> None:
    """Only clips of the validation split are poisoned: every loss is fine."""
    bank = small_bank()
    data = small_data(bank)["low"]
    poisoned = set(data.clips["valid"].tolist()[:1])
    bank = replace(
        bank,
        features=tuple(
            x * np.float16("nan") if n in poisoned else x for n, x in enumerate(bank.features)
        ),
    )
    says = r"a logit of low on validation clips became nan at step 10 of 50; lower training\.learn"
    with pytest.raises(TrainingError, match=says):
        train(network_of(SINGLE), bank, [data], QUICK, seed=0)


@pytest.mark.parametrize(("task", "scale"), [("low", 1e39), ("busy", 1e5)])
def test_logits_that_cannot_be_kept_end_the_training(monkeypatch, task, scale) -> None:
    """float32 holds none of the first, float16 none of the second; all losses are finite."""
    bank = small_bank()
    data = small_data(bank)[task]

    def large(*given: object) -> dict[str, list[np.ndarray]]:
        with np.errstate(over="ignore"):
            return {
                name: [row * np.float32(scale) for row in rows]
                for name, rows in predict(*given).items()
            }

    monkeypatch.setattr(loop, "predict", large)
    with pytest.raises(TrainingError, match=f"a logit of {task} on validation clips became"):
        train(network_of(SharingTree.single(task, 8)), bank, [data], QUICK, seed=0)


def test_a_score_that_is_not_finite_ends_the_training(monkeypatch) -> None:
    bank = small_bank()
    data = small_data(bank)["low"]

    def scored(tasks: object, split: str, logits: object) -> dict[str, dict[str, float]]:
        return {"low": {"accuracy": 0.5, "precision": float("nan") if split == "test" else 0.5}}

    monkeypatch.setattr(loop, "score", scored)
    says = "expected a finite precision of low on test clips, found nan after step 50 of 50"
    with pytest.raises(TrainingError, match=says):
        train(network_of(SINGLE), bank, [data], QUICK, seed=0, test=True)


def test_evaluation_gives_what_the_network_gives_for_a_clip_alone() -> None:
    bank = small_bank()
    data = small_data(bank)
    network = network_of(TREE).eval()
    together = predict(network, bank, clips_of(list(data.values()), "test"))
    for task, own in data.items():
        for clip, logits in zip(own.clips["test"], together[task], strict=True):
            x = torch.from_numpy(bank.features[clip].astype(np.float32)).T[None, None]
            with torch.no_grad():
                alone = network(x)[task][0].numpy()
            np.testing.assert_allclose(logits, alone, rtol=1e-4, atol=1e-5)


def test_bfloat16_trains_and_is_another_trial() -> None:
    bank = small_bank()
    config = QUICK.model_copy(update={"precision": "bfloat16"})
    trial = trial_of(SharingTree.single("low", 8), config=config)
    assert trial.digest != trial_of(SharingTree.single("low", 8)).digest
    done = run_trial(trial, bank, small_data(bank))
    assert done.result.scores["valid"]["low"] > 0.8
    assert all(v.dtype == torch.float32 for n, v in done.weights.items() if "num_" not in n)


def test_rate_rises_then_falls_to_zero() -> None:
    config = TrainingConfig(epochs=10, steps_per_epoch=100, warmup=0.1)
    rates = [learning_rate(step, config) for step in range(1000)]
    assert max(rates) == pytest.approx(1.0, abs=1e-2)
    assert rates[:100] == sorted(rates[:100])
    assert rates[100:] == sorted(rates[100:], reverse=True)
    assert rates[-1] < 1e-4


def test_digest_is_of_everything_that_decides_the_result() -> None:
    base = trial_of(TREE)
    assert trial_of(TREE).digest == base.digest
    others = [
        replace(base, seed=1),
        replace(base, bank="other"),
        replace(base, data={**base.data, "low": "other"}),
        replace(base, encoder=Cnn8()),
        replace(base, training=QUICK.model_copy(update={"learning_rate": 0.03})),
        trial_of(SharingTree.parse("{{low,high}@4,busy}@3", 8)),
    ]
    assert len({base.digest, *(other.digest for other in others)}) == len(others) + 1
