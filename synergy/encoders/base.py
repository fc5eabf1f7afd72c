"""What the rest of the package knows of an encoder: blocks that can be cut between any two.

Shapes: B batch, C channel, M mel, F frame.
"""

from __future__ import annotations

from typing import Protocol

from torch import nn

from synergy import limits
from synergy.errors import ConfigError


class Encoder(Protocol):
    """An ordered list of blocks; implemented by the configuration of each encoder.

    Block n maps [B, C_n-1, M_n-1, F_n-1] to [B, C_n, M_n, F_n]; block 1 takes log-mel features
    [B, 1, M, F]. Blocks hold no state that ties them to a place in a tree, so that each can be
    built as often as a tree needs it.
    """

    @property
    def name(self) -> str:
        """Key in ``ENCODERS``."""
        ...

    @property
    def depth(self) -> int:
        """Number of blocks, D."""
        ...

    @property
    def frame_strides(self) -> tuple[int, ...]:
        """By how much each block lowers the resolution in frames, D integers.

        A block of stride s turns F frames into ceil(F / s).
        """
        ...

    def output_shape(self, mels: int) -> tuple[int, int]:
        """Channels and mel bands after the last block, for ``mels`` bands at the input."""
        ...

    def build_block(self, number: int) -> nn.Module:
        """A new block, ``number`` in 1..D, with parameters still to be initialised."""
        ...

    def widened(self, factor: float) -> Encoder:
        """The same encoder with the output channels of each block times ``factor``, rounded.

        Raises a ValueError if there is no encoder of that width.
        """
        ...


def encoder_at(encoder: Encoder, width: float) -> Encoder:
    """The encoder with ``width`` times its channels; ConfigError if there is none."""
    if width == 1.0:
        return encoder
    try:
        if not limits.LEAST_WIDTH <= width <= limits.MOST_WIDTH:
            raise ValueError("out of range")
        return encoder.widened(width)
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            f"expected a width that encoder {encoder.name} can have, such as 0.75, found "
            f"{width:g} times its channels"
        ) from error
