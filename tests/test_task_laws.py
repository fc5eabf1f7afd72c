"""Bootstrap of scores: laws of what each kind of task resamples and distils."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synergy.tasks import TASK_KINDS


def split_of(kind: str, rng: np.random.Generator, clips: int) -> tuple[list, list]:
    """Made-up logits, with ties, and targets of ``clips`` clips."""
    if kind == "clip_classification":
        logits = [rng.integers(0, 3, 4).astype(np.float32) for _ in range(clips)]
        return logits, [np.asarray(rng.integers(0, 4)) for _ in range(clips)]
    lengths = rng.integers(1, 12, clips)
    logits = [rng.integers(-2, 3, n).astype(np.float32) for n in lengths]
    targets = [rng.integers(0, 2, n).astype(np.uint8) for n in lengths]
    targets[0][0], targets[-1][-1] = 0, 1
    return logits, targets


@pytest.mark.parametrize("kind", sorted(TASK_KINDS))
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16), clips=st.integers(2, 9))
def test_resampled_score_is_the_score_of_the_repeated_clips(
    kind: str, seed: int, clips: int
) -> None:
    rng = np.random.default_rng(seed)
    logits, targets = split_of(kind, rng, clips)
    groups = rng.permutation(np.arange(clips) % max(1, clips // 2))
    weights = rng.integers(0, 3, (5, groups.max() + 1)).astype(float)
    weights[0] = 1.0
    task = TASK_KINDS[kind]
    found = task.resampled_scores(logits, targets, groups, weights)
    assert found.shape == (5,)
    assert found[0] == pytest.approx(task.scores(logits, targets)[task.metric], abs=1e-6)
    for row, value in zip(weights, found, strict=True):
        chosen = [clip for clip in range(clips) for _ in range(int(row[groups[clip]]))]
        active = np.concatenate([np.atleast_1d(targets[c]) for c in chosen] or [np.empty(0)])
        if not chosen or (kind == "frame_activity" and len(np.unique(active)) < 2):
            assert np.isnan(value)
            continue
        again = task.scores([logits[c] for c in chosen], [targets[c] for c in chosen])
        assert value == pytest.approx(again[task.metric], abs=1e-6)


@pytest.mark.parametrize("kind", sorted(TASK_KINDS))
def test_distillation_has_no_gradient_at_the_teacher(kind: str) -> None:
    import torch

    teacher = torch.linspace(-2, 2, 12).reshape(3, 4)
    student = teacher.clone().requires_grad_()
    TASK_KINDS[kind].distillation_loss(student, teacher, 2.0).backward()
    assert student.grad is not None
    assert student.grad.abs().max() < 1e-6
    other = teacher.flip(1).clone().requires_grad_()
    TASK_KINDS[kind].distillation_loss(other, teacher, 2.0).backward()
    assert other.grad is not None
    assert other.grad.abs().max() > 1e-2
