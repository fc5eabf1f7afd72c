from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError, create_model

from synergy.files import StrictModel
from synergy.quantities import (
    Count,
    Percent,
    Points,
    Score,
    Seconds,
    Share,
    decimal_number,
    whole_number,
)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_written_is_read_as_the_same_number(number):
    assert decimal_number(repr(number)) == number


@given(st.integers(-(10**15) + 1, 10**15 - 1))
def test_whole_numbers_are_read_as_they_are(number):
    assert whole_number(str(number)) == number
    assert decimal_number(str(number)) == number


@pytest.mark.parametrize("text", ["1.", ".5", "+1", "-0", "1E5", "007"])
def test_the_usual_ways_to_write_a_decimal_number(text):
    assert decimal_number(text) == float(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", " 1", "1 ", "1\n", "1_0", "0x1", "nan", "inf", "-Infinity", "1e400", "1" * 5000),
        *("\u0663", "\uff11", "1,5", "1..2", "e5", "+", "--1", "1e", "\ud800", "true", "1f"),
    ],
)
def test_what_is_no_decimal_number(text):
    assert decimal_number(text) is None
    assert whole_number(text) is None


@pytest.mark.parametrize("text", ["1.0", "1e3", "1" * 16, "1" * 5000])
def test_what_is_no_whole_number(text):
    assert whole_number(text) is None


@given(st.text() | st.text("0123456789.eE+-_ nax"))
def test_no_text_raises_anything(text):
    number = decimal_number(text)
    assert number is None or math.isfinite(number)
    whole = whole_number(text)
    assert whole is None or whole == number


@pytest.mark.parametrize("kind", [Count, Percent, Points, Score, Seconds, Share])
@pytest.mark.parametrize(
    "value", [True, "1", "1_0", None, [1], -1e300, 1e300, 10**300, math.nan, math.inf]
)
def test_quantities_of_files_are_plain_numbers_within_bounds(kind, value):
    form = create_model("Form", __base__=StrictModel, number=kind)
    with pytest.raises(ValidationError):
        form(number=value)
    assert form(number=1).number == 1  # pyright: ignore[reportAttributeAccessIssue]
