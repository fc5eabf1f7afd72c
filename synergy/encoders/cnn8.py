"""The plain convolutional encoder of the paper: eight 3x3 convolutions."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator
from torch import nn

from synergy.files import StrictModel

Width = Annotated[int, Field(ge=1, le=1024)]
Stride = Annotated[int, Field(ge=1, le=8)]


class Cnn8(StrictModel):
    """Eight blocks of 3x3 convolution, batch normalisation and ReLU.

    The default widths reproduce the sizes of Surkov (2026), tables 2 and 4: blocks 1-4 have
    9,033 parameters together and each of 5-8 has 4,032 (the paper's sizes imply 4,033). The
    paper does not print widths; several fit, these do so to the unit. It does not say either
    how the resolution falls; here the convolutions of blocks 1-4 stride.

    Attributes
    ----------
    channels : eight integers
        Output channels of each block.
    mel_strides, frame_strides : eight integers
        Strides over mel bands and over frames of each block.
    """

    name: Literal["cnn8"] = "cnn8"
    channels: tuple[Width, ...] = (14, 14, 22, 21, 21, 21, 21, 21)
    mel_strides: tuple[Stride, ...] = (2, 2, 2, 2, 1, 1, 1, 1)
    frame_strides: tuple[Stride, ...] = (2, 2, 1, 1, 1, 1, 1, 1)

    @model_validator(mode="after")
    def _eight_of_each(self) -> Cnn8:
        for key in ("channels", "mel_strides", "frame_strides"):
            if (found := len(getattr(self, key))) != self.depth:
                raise ValueError(f"{key}: expected 8 numbers, one per block, found {found}")
        return self

    @property
    def depth(self) -> int:
        """Eight."""
        return 8

    def output_shape(self, mels: int) -> tuple[int, int]:
        """Channels and mel bands after block 8."""
        for stride in self.mel_strides:
            mels = -(-mels // stride)
        return self.channels[-1], mels

    def build_block(self, number: int) -> nn.Module:
        """Block ``number`` in 1..8."""
        inputs = 1 if number == 1 else self.channels[number - 2]
        outputs = self.channels[number - 1]
        stride = (self.mel_strides[number - 1], self.frame_strides[number - 1])
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, kernel_size=3, stride=stride, padding=1),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )

    def widened(self, factor: float) -> Cnn8:
        """The same encoder with its channels times ``factor``, rounded half up, at least one."""
        channels = [max(1, math.floor(width * factor + 0.5)) for width in self.channels]
        return Cnn8.model_validate({**self.model_dump(), "channels": channels})
