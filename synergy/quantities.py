"""Numbers from outside: how they are written, and in what range those of files are.

The types are for fields of a `synergy.files.StrictModel`.
"""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import AfterValidator, Field

from synergy import limits

Count = Annotated[int, Field(ge=0, le=limits.COUNT)]
Percent = Annotated[float, Field(ge=0, le=limits.AR)]
Points = Annotated[float, Field(ge=-limits.AR, le=limits.AR)]
"""A difference of percentages."""
Score = Annotated[float, Field(ge=0, le=limits.SCORE)]
Share = Annotated[float, Field(ge=0, le=1)]
"""A share of a whole."""
Seconds = Annotated[float, Field(ge=0, le=limits.SECONDS)]
Width = Annotated[float, Field(ge=limits.LEAST_WIDTH, le=limits.MOST_WIDTH)]
Blocks = Annotated[int, Field(ge=0, le=limits.BLOCKS)]
Depth = Annotated[int, Field(ge=1, le=limits.BLOCKS)]


def _short(text: str) -> str:
    if len(text) > limits.TEXT:
        raise ValueError(f"expected at most {limits.TEXT:,} characters, found {len(text):,}")
    return text


# Not `max_length`, which refuses the lone surrogates that stand for bytes of file names.
Text = Annotated[str, AfterValidator(_short)]

_DECIMAL = re.compile(r"[0-9.eE+-]+")
_WHOLE = re.compile(r"[+-]?[0-9]{1,15}")


def decimal_number(text: str) -> float | None:
    """The finite number that stands in a text, such as ``-1.5e3``; None if it is something else.

    What Python reads as a number beyond that, such as ``1_0``, ``nan`` or other digits than 0 to
    9, is something else.
    """
    if not _DECIMAL.fullmatch(text):
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def whole_number(text: str) -> int | None:
    """The whole number of at most 15 digits that stands in a text; None if it is something else."""
    return int(text) if _WHOLE.fullmatch(text) else None
