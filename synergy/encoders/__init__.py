"""Encoders: ordered blocks that a sharing tree can cut between any two.

``ENCODERS`` maps the name in a configuration to the class whose fields are its settings and
which builds the blocks (see `synergy.encoders.base.Encoder`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import SerializeAsAny, ValidationError, WrapValidator

from synergy.encoders.base import Encoder, encoder_at
from synergy.encoders.cnn8 import Cnn8
from synergy.errors import ConfigError
from synergy.extensions import find
from synergy.files import StrictModel, shortly

__all__ = ["ENCODERS", "Cnn8", "Encoder", "EncoderConfig", "encoder_at", "read_encoder"]

ENCODERS = {"cnn8": Cnn8}


def read_encoder(settings: Any) -> Encoder:
    """The encoder of some settings, whose ``name`` is a key in `ENCODERS` or names a class.

    Raises
    ------
    ConfigError
        If there is none of that name.
    pydantic.ValidationError
        If a setting is wrong.
    """
    name = settings.get("name", "cnn8")
    needs = ("model_validate", "build_block", "output_shape", "widened")
    return find(str(name), ENCODERS, "synergy.encoders", needs).model_validate(settings)


def _validated(settings: Any, known: Any) -> Any:
    if isinstance(settings, StrictModel):
        return settings
    if not isinstance(settings, dict) or settings.get("name", "cnn8") == "cnn8":
        return known(settings)
    try:
        return read_encoder(settings)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    except ValidationError as error:
        raise ValueError(shortly(error)) from error


if TYPE_CHECKING:
    EncoderConfig = Encoder
else:
    EncoderConfig = Annotated[SerializeAsAny[Cnn8], WrapValidator(_validated)]
    """Settings of any encoder, also of a class that only its name tells."""
