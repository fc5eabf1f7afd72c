"""What every encoder must do."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from synergy.encoders import ENCODERS, Cnn8


@pytest.mark.parametrize("name", ENCODERS)
def test_contract(name: str) -> None:
    encoder = ENCODERS[name]()
    assert encoder.name == name
    for mels, frames in ((64, 100), (40, 33), (80, 1)):
        x = torch.zeros(2, 1, mels, frames)
        assert len(encoder.frame_strides) == encoder.depth
        for number, stride in enumerate(encoder.frame_strides, start=1):
            block = encoder.build_block(number)
            assert encoder.build_block(number) is not block
            expected = -(-x.shape[3] // stride)
            x = block(x)
            assert x.shape[3] == expected
        assert x.shape[:3] == (2, *encoder.output_shape(mels))
    assert ENCODERS[name].model_validate(encoder.model_dump(mode="json")) == encoder
    assert encoder.widened(1.0) == encoder
    wide, x, wide_x = encoder.widened(1.7), torch.zeros(2, 1, 40, 33), torch.zeros(2, 1, 40, 33)
    for number in range(1, encoder.depth + 1):
        x, wide_x = encoder.build_block(number)(x), wide.build_block(number)(wide_x)
        assert wide_x.shape[1] == round(1.7 * x.shape[1])
        assert wide_x.shape[2:] == x.shape[2:]
    assert (wide.name, wide.frame_strides) == (encoder.name, encoder.frame_strides)
    with pytest.raises(ValueError):
        encoder.widened(1e9)


def test_widths_of_the_paper() -> None:
    sizes = [
        sum(p.numel() for p in Cnn8().build_block(number).parameters()) for number in range(1, 9)
    ]
    assert sum(sizes[:4]) == 9_033
    assert sizes[4:] == [4_032] * 4


def test_widths_are_rounded_half_up_and_stay_positive() -> None:
    assert Cnn8(channels=(1, 2, 3, 4, 5, 6, 7, 9)).widened(0.5).channels == (1, 1, 2, 2, 3, 3, 4, 5)
    assert Cnn8(channels=(1,) * 8).widened(0.1).channels == (1,) * 8


def test_lists_need_eight_entries() -> None:
    with pytest.raises(ValidationError, match="channels: expected 8 numbers, one per block"):
        Cnn8(channels=(1, 2))
