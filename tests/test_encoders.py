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


def test_widths_of_the_paper() -> None:
    sizes = [
        sum(p.numel() for p in Cnn8().build_block(number).parameters()) for number in range(1, 9)
    ]
    assert sum(sizes[:4]) == 9_033
    assert sizes[4:] == [4_032] * 4


def test_lists_need_eight_entries() -> None:
    with pytest.raises(ValidationError, match="channels: expected 8 numbers, one per block"):
        Cnn8(channels=(1, 2))
