"""Encoders: ordered blocks that a sharing tree can cut between any two.

``ENCODERS`` maps the name in a configuration to the class whose fields are its settings and
which builds the blocks (see `synergy.encoders.base.Encoder`).
"""

from __future__ import annotations

from synergy.encoders.base import Encoder, encoder_at
from synergy.encoders.cnn8 import Cnn8

ENCODERS = {"cnn8": Cnn8}

EncoderConfig = Cnn8
"""Settings of any encoder: the classes in `ENCODERS`."""

__all__ = ["ENCODERS", "Cnn8", "Encoder", "EncoderConfig", "encoder_at"]
