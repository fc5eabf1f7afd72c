"""What comes from outside, as messages and tables show it."""

from __future__ import annotations

import os
import pickle
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from synergy.errors import ConfigError
from synergy.wording import (
    LONGEST_LINE,
    LONGEST_QUOTE,
    counted,
    did_you_mean,
    message,
    printable,
    quoted,
    shown,
)

TEXTS = st.text(st.characters(codec=None), max_size=80)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary(max_size=99),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(TEXTS, inner, max_size=9),
    max_leaves=30,
)


def is_safe(text: str) -> bool:
    return all(
        c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in text
    )


@given(TEXTS)
@example("\x1b[31m red \x07 \x9b \u202e \u2066 \ufeff \u2028 \U000e0041 \x7f \r")
def test_nothing_that_a_terminal_obeys_is_left(text):
    assert is_safe(printable(text))
    printable(text).encode("utf-8")


@given(TEXTS)
def test_making_it_safe_twice_changes_nothing(text):
    assert printable(printable(text)) == printable(text)
    assert message(message(text)) == message(text)


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs"), codec="utf-8")))
def test_the_letters_of_all_languages_stay(text):
    assert printable(text) == text


def test_bytes_that_are_no_utf_8_are_shown_as_bytes():
    assert printable(os.fsdecode(b"caf\xe9.wav")) == r"caf\xe9.wav"


@given(st.lists(TEXTS.map(lambda text: text * 50), max_size=300).map("\n".join))
def test_no_message_is_endless(text):
    lines = str(ConfigError(text)).split("\n")
    assert len(lines) <= 200
    assert all(len(line) <= LONGEST_LINE for line in lines)
    assert is_safe("\n".join(lines))


def test_an_error_travels_between_processes():
    error = ConfigError("a\x1bb" * 200)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@given(VALUES)
def test_no_value_is_quoted_at_length(value):
    for text in (quoted(value), shown(value)):
        assert len(text) <= LONGEST_QUOTE
        assert is_safe(text)
        assert "\n" not in text


def test_what_is_short_is_quoted_as_it_is():
    assert quoted("gc") == "'gc'"
    assert quoted([1, 2.5, None]) == "[1, 2.5, None]"


def test_values_of_any_size_are_quoted_in_no_time():
    doubled: list[object] = [1]
    for _ in range(100):
        doubled = [doubled] * 2
    assert len(quoted(doubled)) <= LONGEST_QUOTE
    assert quoted(10**100_000) == "int that is too long to be shown"


@pytest.mark.parametrize("known", [["q" * 61], [f"name{i}" for i in range(1000)]])
def test_hints_are_for_typing_errors(known):
    assert did_you_mean(known[0][:-1], known) == ""
    assert did_you_mean("q" * 100_000, ["q"]) == ""
    assert did_you_mean("gcc", ["gc"]) == "; did you mean 'gc'?"


def test_counts():
    assert (counted(1, "clip"), counted(2, "clip")) == ("1 clip", "2 clips")
