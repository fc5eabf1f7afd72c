"""Mixed batches: the same budget per task in every trial, every clip run once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_bank import small_bank, small_data

from synergy.tasks.clips import ClipBank, TaskData
from synergy.training.batches import Batch, BatchSource
from synergy.training.config import TrainingConfig

PLAIN = TrainingConfig(clips_per_task=8, crop_s=0.3, gain_db=0, shift_s=0, masks=0)
FULL = TrainingConfig(clips_per_task=8, crop_s=0.3)


def source(
    bank: ClipBank, *tasks: TaskData, config: TrainingConfig = FULL, seed: int = 0
) -> BatchSource:
    """Batches of some tasks."""
    return BatchSource(bank, tasks, config, seed)


def input_of(batch: Batch, task: str) -> torch.Tensor:
    """What a task sees of a batch."""
    return batch.x[batch.rows[task]]


def in_some_order(x: torch.Tensor) -> list[list[float]]:
    """Rows of a tensor as a sorted list, to compare sets of rows."""
    return sorted(x.flatten(1).tolist())


def test_a_task_sees_the_same_clips_alone_and_with_others() -> None:
    bank = small_bank()
    first, second = small_data(bank, 0, 24)["low"], small_data(bank, 20, 48)["high"]
    for step in (0, 1, 7):
        both = source(bank, first, second).batch(step)
        for task in (first, second):
            alone = source(bank, task).batch(step)
            together = input_of(both, task.task)
            assert in_some_order(together) == in_some_order(input_of(alone, task.task))


def test_tasks_with_the_same_clips_share_all_rows() -> None:
    bank = small_bank()
    data = small_data(bank)
    batch = source(bank, *data.values()).batch(3)
    assert len(batch.x) == 8
    for task in data:
        assert batch.rows[task].tolist() == list(range(8))


def test_tasks_with_other_clips_add_rows_and_a_common_draw_is_one_row() -> None:
    bank = small_bank()
    first, second = small_data(bank, 0, 24)["low"], small_data(bank, 6, 30)["high"]
    both = source(bank, first, second)
    sizes = {len(both.batch(step).x) for step in range(12)}
    assert max(sizes) <= 16
    assert min(sizes) < 16, "some step draws one clip for both tasks"


def test_every_clip_is_drawn_once_per_epoch() -> None:
    bank = small_bank()
    task = small_data(bank)["low"]
    drawn = [clip for step in range(4) for clip, _, _ in source(bank, task)._draw(task, step)]
    for epoch in (drawn[:16], drawn[16:]):
        assert sorted(epoch) == task.clips["train"].tolist()
    assert drawn[:16] != drawn[16:]


def test_long_clips_count_once_per_crop() -> None:
    bank = small_bank(clips=6, frames=60)
    task = small_data(bank)["low"]
    assert len(source(bank, task)._windows(task)) == 4


def test_batches_do_not_depend_on_what_was_drawn_before() -> None:
    bank = small_bank()
    data = list(small_data(bank).values())
    forward = source(bank, *data)
    for step in range(6):
        forward.batch(step)
    again = source(bank, *data).batch(5)
    assert torch.equal(again.x, forward.batch(5).x)
    assert not torch.equal(again.x, forward.batch(4).x)
    assert not torch.equal(again.x, source(bank, *data, seed=1).batch(5).x)


def test_activity_moves_with_the_crop() -> None:
    """In raised frames the middle bands are higher, wherever the crop begins."""
    bank = small_bank()
    task = small_data(bank)["busy"]
    config = TrainingConfig(clips_per_task=16, crop_s=0.3, gain_db=0, shift_s=0.08, masks=0)
    batch = source(bank, task, config=config).batch(0)
    active = batch.targets["busy"].bool()
    middle = batch.x[batch.rows["busy"], 0, 6:10].mean(dim=1)
    assert active.any() and not active.all()
    assert len({tuple(row) for row in active.tolist()}) > 1
    assert middle[active].mean() > middle[~active].mean() + 1.5


def test_targets_follow_their_rows() -> None:
    bank = small_bank()
    data = small_data(bank)
    batch = source(bank, data["low"], data["high"], config=PLAIN).batch(2)
    for task, bands in (("low", slice(0, 4)), ("high", slice(12, 16))):
        raised = batch.x[batch.rows[task], 0, bands].mean(dim=(1, 2)) > 1
        assert raised.long().tolist() == batch.targets[task].tolist()


def test_short_clips_are_extended_by_their_edges() -> None:
    bank = small_bank(frames=10)
    task = small_data(bank)["low"]
    batch = source(bank, task, config=PLAIN).batch(0)
    assert batch.x.shape == (8, 1, 16, 30)
    assert torch.isfinite(batch.x).all()
    clip = batch.x[0, 0]
    assert torch.equal(clip[:, 0], clip[:, 1]) or torch.equal(clip[:, -1], clip[:, -2])


def test_masks_cover_what_they_may_and_gain_moves_all_bands_alike() -> None:
    bank = small_bank()
    task = small_data(bank)["low"]
    plain = source(bank, task, config=PLAIN).batch(0).x
    masks = PLAIN.model_copy(update={"masks": 1, "mel_mask": 0.25, "frame_mask": 0.1})
    masked = source(bank, task, config=masks).batch(0).x
    for before, after in zip(plain[:, 0], masked[:, 0], strict=True):
        hidden = (after == 0) & (before != 0)
        assert hidden.all(dim=1).sum() <= 4
        assert hidden.all(dim=0).sum() <= 3
        assert torch.equal(after[~hidden], before[~hidden])
    assert (masked == 0).any()
    gain = PLAIN.model_copy(update={"gain_db": 6.0})
    moved = source(bank, task, config=gain).batch(0).x - plain
    spread = moved.amax(dim=(1, 2, 3)) - moved.amin(dim=(1, 2, 3))
    assert spread.max() < 1e-5
    assert 0 < moved.abs().max() <= 6 * np.log(10) / 10 + 1e-6


@pytest.mark.parametrize("count", [1, 3, 100])
def test_any_number_of_clips_per_task(count: int) -> None:
    bank = small_bank()
    data = small_data(bank)
    config = FULL.model_copy(update={"clips_per_task": count})
    batch = source(bank, *data.values(), config=config).batch(1)
    for task in data:
        assert len(batch.rows[task]) == len(batch.targets[task]) == count
        assert batch.rows[task].tolist() == sorted(set(batch.rows[task].tolist()))
