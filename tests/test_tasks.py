"""What every kind of task must do, and what each scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from synergy.datasets.base import Clip, Corpus, Segment
from synergy.tasks import TASK_KINDS
from synergy.tasks.task_source import Findings, Matching, TaskSource

FEW = tuple(
    Clip(f"{word}.wav", "train", "", 0.3, {"word": word}, (Segment(0.0, 0.1, "speech"),))
    for word in ("no", "yes")
)
# of every kind: the shapes of logits and of targets, and their type
SHAPES = {
    "clip_classification": ((6, 3), (6,), torch.int64),
    "frame_activity": ((6, 7), (6, 7), torch.uint8),
}
SOURCES = {
    "clip_classification": TaskSource(column="word"),
    "frame_activity": TaskSource(segments="speech"),
}


@pytest.mark.parametrize("name", TASK_KINDS)
def test_contract(name: str) -> None:
    kind = TASK_KINDS[name]
    of_logits, of_targets, dtype = SHAPES[name]
    assert kind.name == name
    head = kind.build_head(channels=5, mels=4, classes=3)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(0))
    x = torch.randn(6, 5, 4, 7, generator=torch.Generator().manual_seed(1), requires_grad=True)
    logits = head(x, torch.full((6,), 7))
    assert logits.shape == of_logits
    torch.testing.assert_close(head(x), logits)
    targets = torch.randint(
        0,
        2,
        of_targets,
        generator=torch.Generator().manual_seed(2),
        dtype=dtype,
    )
    loss = kind.loss(logits, targets)
    assert loss.shape == ()
    loss.backward()
    assert x.grad is not None and torch.isfinite(x.grad).all()
    scores = kind.scores(list(logits.detach().numpy()), list(targets.numpy()))
    assert kind.metric in scores
    assert all(0 <= value <= 1 for value in scores.values())


@pytest.mark.parametrize("name", TASK_KINDS)
def test_a_perfect_answer_scores_one_and_has_no_loss(name: str) -> None:
    kind = TASK_KINDS[name]
    if name == "frame_activity":
        targets = np.array([[0, 1, 1, 0, 1]], dtype=np.uint8)
        logits = np.where(targets == 1, 50.0, -50.0).astype(np.float32)
    else:
        targets = np.array([0, 2, 1])
        logits = (50.0 * np.eye(3)[targets]).astype(np.float32)
    assert kind.scores(list(logits), list(targets))[kind.metric] == 1.0
    assert float(kind.loss(torch.from_numpy(logits), torch.from_numpy(targets))) < 1e-6


@given(st.data())
def test_roc_auc_is_the_chance_that_an_active_frame_scores_higher(data: st.DataObject) -> None:
    count = data.draw(st.integers(2, 12))
    active = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    if active.all() or not active.any():
        active[0] = not active[0]
    logits = np.array(
        data.draw(st.lists(st.integers(-3, 3), min_size=count, max_size=count)), np.float32
    )
    higher = logits[active][:, None] - logits[~active][None, :]
    expected = ((higher > 0) + 0.5 * (higher == 0)).mean()
    scores = TASK_KINDS["frame_activity"].scores([logits], [active.astype(np.uint8)])
    assert scores["roc_auc"] == pytest.approx(expected, abs=1e-6)


def test_majority_is_the_floor_of_accuracy() -> None:
    logits = [np.array([1.0, 0.0], np.float32)] * 4
    scores = TASK_KINDS["clip_classification"].scores(logits, [np.array(k) for k in (0, 0, 0, 1)])
    assert scores == {"accuracy": 0.75, "balanced_accuracy": 0.5, "majority": 0.75}


@pytest.mark.parametrize("name", TASK_KINDS)
def test_labels_become_targets_and_counts(name: str) -> None:
    kind, source = TASK_KINDS[name], SOURCES[name]
    corpus, findings = Corpus("few", Path("nowhere"), FEW, ("word",), "few"), Findings()
    (other,) = (SOURCES[other] for other in SOURCES if other != name)
    assert kind.source_problem(source) is None
    assert kind.source_problem(other)
    found = Matching(source, corpus, FEW)
    classes = kind.default_classes([found])
    labelled = kind.label(found, classes, findings)
    assert [each.clip for each in labelled] == [*FEW]
    assert findings == Findings()
    assert kind.split_problems("train", labelled, classes, 0.01) == []
    targets = [kind.target(each.target, 30, 0.01) for each in labelled]
    assert sum(kind.counts(targets, classes).values()) == sum(target.size for target in targets)


@pytest.mark.parametrize("name", TASK_KINDS)
def test_logits_are_joined_and_split_and_pieces_give_soft_labels(name: str) -> None:
    kind, rng = TASK_KINDS[name], np.random.default_rng(0)
    lengths = [12, 7, 30]
    padded = rng.standard_normal((len(lengths), 30)).astype(np.float32)
    logits = [kind.unpadded(row, n) for row, n in zip(padded, lengths, strict=True)]
    again = kind.split(kind.join(logits), lengths)
    assert all(np.array_equal(*both) for both in zip(logits, again, strict=True))
    pieces = kind.pieces(30, length=12, hop=5)
    joined = kind.join([kind.unpadded(padded[0], frames) for _, frames in pieces])
    assert kind.crop_soft_label(joined, -3, 12, 5).shape == kind.unpadded(padded[0], 12).shape
    assert all(first >= 0 and first + frames <= 30 for first, frames in pieces)
    assert (kind.threshold is None) == (kind.counted == "clips")
