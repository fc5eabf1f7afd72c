"""Distillation: soft labels of finished single-task trials, and trainings that rest on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_bank import SPECS, small_bank, small_data

from synergy.config import RunConfig
from synergy.encoders import Cnn8
from synergy.executors import SerialExecutor
from synergy.experiment import Experiment
from synergy.network import build_network
from synergy.running.progress import Progress
from synergy.running.session import Session
from synergy.training.batches import BatchSource
from synergy.training.config import TrainingConfig
from synergy.training.distillation import DistillationConfig, SoftLabels
from synergy.training.loop import training_step
from synergy.tree import SharingTree
from synergy.trials.teachers import labellings
from synergy.trials.trial import Trial, run_trial
from synergy.trials.trial_store import TrialStore
from synergy.workspace import Workspace

QUICK = TrainingConfig(epochs=1, steps_per_epoch=2, clips_per_task=4, crop_s=0.2)
PAIR = SharingTree.flat(["low", "busy"], 4, 8)
BANK = small_bank()
# two corpora: no clip has labels for both tasks
DATA = {"low": small_data(BANK, 0, 24)["low"], "busy": small_data(BANK, 24)["busy"]}


def trial_of(tree: SharingTree, seed: int = 0) -> Trial:
    return Trial(
        tree=tree,
        tasks=tuple(SPECS[task] for task in tree.tasks),
        data={task: DATA[task].digest for task in tree.tasks},
        bank=BANK.fingerprint,
        encoder=Cnn8(),
        training=QUICK,
        seed=seed,
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TrialStore:
    """Two single-task models of each task."""
    workspace = Workspace(tmp_path_factory.mktemp("workspace") / "run")
    workspace.config.touch()  # or it is none, once there are soft labels
    found = workspace.trials
    for task in DATA:
        for seed in (0, 1):
            trial = trial_of(SharingTree.single(task, 8), seed)
            done = run_trial(trial, BANK, DATA)
            found.write(trial.to_json(), done)
    return found


def distilled(weight: float = 0.5) -> Trial:
    alone = {task: SharingTree.single(task, 8) for task in DATA}
    return replace(
        trial_of(PAIR),
        distillation=DistillationConfig(weight=weight),
        teachers={t: tuple(trial_of(tree, s).digest for s in (0, 1)) for t, tree in alone.items()},
    )


def session_of(store: TrialStore) -> Session:
    config = RunConfig.model_construct(tasks=dict.fromkeys(DATA))
    experiment = Experiment(config=config, corpora={}, bank=BANK, folds=(DATA,), notes=())
    workspace = Workspace(store.folder.parent)
    return Session(experiment, workspace, SerialExecutor(), Progress())


def soft_labels_of(trial: Trial, store: TrialStore) -> SoftLabels:
    """As a training gets them."""
    labels, problems = session_of(store)._labels_for([trial])
    assert not problems
    assert trial.distillation is not None
    asked = labellings(trial, BANK.hop_s)
    hop = asked["low"][0].hop
    return SoftLabels(trial.distillation, hop, {task: labels[each] for task, each in asked.items()})


def test_every_training_clip_is_labelled_by_the_mean_of_the_teachers(store: TrialStore) -> None:
    soft = soft_labels_of(distilled(), store)
    clips = {int(n) for task in DATA.values() for n in task.clips["train"]}
    for task in ("low", "busy"):
        assert set(soft.logits[task]) == clips
    clip = int(DATA["busy"].clips["train"][0])
    # windows of a crop's length, 20 frames, of a clip of 30 frames or more
    assert soft.hop == 25
    assert soft.logits["low"][clip].shape == (1, 2)
    x = torch.from_numpy(BANK.features[clip][:20].astype(np.float32)).T[None, None]
    votes = []
    for seed in (0, 1):
        trial = trial_of(SharingTree.single("low", 8), seed)
        network = build_network(trial.tree, trial.encoder, trial.tasks, BANK.mels, seed).eval()
        network.load_state_dict(store.weights(trial.digest))
        with torch.no_grad():
            votes.append(network(x)["low"][0].numpy())
    np.testing.assert_allclose(soft.logits["low"][clip][0], np.mean(votes, axis=0), atol=1e-5)
    assert soft.logits["busy"][clip].shape == (len(BANK.features[clip]),)


def test_soft_labels_are_kept_and_a_damaged_copy_is_made_anew(store: TrialStore) -> None:
    first = soft_labels_of(distilled(), store)
    folder = store.folder.parent / "soft_labels"
    files = sorted(folder.glob("*.safetensors"))
    assert len(files) == 4
    stamps = [file.stat().st_mtime_ns for file in files]
    assert soft_labels_of(distilled(), store).logits.keys() == first.logits.keys()
    assert [file.stat().st_mtime_ns for file in files] == stamps
    files[0].write_bytes(b"damaged")
    again = soft_labels_of(distilled(), store)
    for task, by_clip in first.logits.items():
        for clip, logits in by_clip.items():
            np.testing.assert_array_equal(again.logits[task][clip], logits)


def test_what_jobs_have_in_common_is_handed_over_once(store: TrialStore) -> None:
    session = session_of(store)
    plain = session._work({})
    labels, _ = session._labels_for([distilled()])
    assert len(labels) == 2
    soft = session._work(labels)
    assert soft is not plain
    assert session._work({}) is plain
    assert session._work(dict(list(labels.items())[:1])) is soft


def test_a_teacher_of_another_task_is_refused(store: TrialStore) -> None:
    wrong = distilled()
    wrong = replace(wrong, teachers={**wrong.teachers, "low": wrong.teachers["busy"]})
    errors = session_of(store).train("", [wrong]).errors
    assert "expected a single-task model of low as a teacher" in errors[wrong.digest]
    assert not (store.path(wrong.digest)).exists()


def test_digest_tells_distilled_trials_apart() -> None:
    plain, soft, softer = trial_of(PAIR), distilled(), distilled(weight=0.9)
    assert len({plain.digest, soft.digest, softer.digest}) == 3


def test_the_soft_labels_of_a_batch_are_cropped_like_its_features(store: TrialStore) -> None:
    soft = soft_labels_of(distilled(), store)
    # labels that name their frame: the crop of the labels is then known from the features
    marked = replace(
        soft,
        logits={
            **soft.logits,
            "busy": {
                clip: BANK.features[clip][:, 0].astype(np.float32) for clip in soft.logits["busy"]
            },
        },
    )
    config = QUICK.model_copy(update={"masks": 0, "gain_db": 0.0})
    batch = BatchSource(BANK, [DATA["low"], DATA["busy"]], config, 0, marked).batch(3)
    rows = len(batch.x)
    assert rows == 8
    assert batch.soft["low"].shape == (rows, 2)
    np.testing.assert_array_equal(batch.soft["busy"].numpy(), batch.x[:, 0, 0].numpy())


@pytest.mark.parametrize(
    ("frames", "length", "hop", "starts"),
    [(30, 20, 5, [0, 5, 10]), (20, 20, 5, [0]), (7, 20, 5, [0]), (29, 20, 5, [0, 5])],
)
def test_windows_of_a_clip(frames: int, length: int, hop: int, starts: list[int]) -> None:
    pieces = SPECS["low"].rules.pieces(frames, length, hop)
    assert pieces == [(start, min(length, frames)) for start in starts]
    assert SPECS["busy"].rules.pieces(frames, length, hop) == [(0, frames)]


@pytest.mark.parametrize(("start", "window"), [(-9, 0), (2, 0), (3, 1), (5, 1), (7, 1), (99, 2)])
def test_a_crop_gets_the_label_of_the_nearest_window(start: int, window: int) -> None:
    windows = np.arange(6, dtype=np.float32).reshape(3, 2)
    label = SPECS["low"].rules.crop_soft_label(windows, start, 20, 5)
    np.testing.assert_array_equal(label, windows[window])


def test_with_all_weight_on_the_teachers_labels_do_not_matter(store: TrialStore) -> None:
    trial = distilled(weight=1.0)
    soft = soft_labels_of(trial, store)
    found = []
    for flip in (False, True):
        network = build_network(trial.tree, trial.encoder, trial.tasks, BANK.mels, 0).train()
        batch = BatchSource(BANK, [DATA["low"], DATA["busy"]], QUICK, 0, soft).batch(0)
        targets = {t: (1 - values if flip else values) for t, values in batch.targets.items()}
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        training_step(
            network,
            replace(batch, targets=targets),
            optimizer,
            QUICK,
            trial.distillation,
        )
        found.append(torch.cat([p.detach().flatten() for p in network.parameters()]))
    assert torch.equal(*found)


def test_a_distilled_trial_trains_and_repeats_bit_for_bit(store: TrialStore) -> None:
    trial = distilled()
    soft = soft_labels_of(trial, store)
    first, again = (run_trial(trial, BANK, DATA, soft_labels=soft) for _ in range(2))
    assert first.history == again.history
    for name, weights in first.weights.items():
        assert torch.equal(weights, again.weights[name])
    plain = run_trial(trial_of(PAIR), BANK, DATA)
    assert any(not torch.equal(w, plain.weights[n]) for n, w in first.weights.items())
