"""YAML of configurations: numbers and words, what is refused, what is written and read back."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from synergy.strict_yaml import DEEPEST, MOST_NODES, YamlError, read_yaml, yaml_text

WORDS = st.text(st.characters(codec=None, exclude_characters="\0"), max_size=8) | st.from_regex(
    r"[-+.:_0-9eExXnNoOyY~<=!&*#'\" ]{0,8}", fullmatch=True
)
NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("0", 0), ("-17", -17), ("+4", 4), ("1.5", 1.5), (".5", 0.5), ("3.", 3.0)),
        *(("1e-3", 0.001), ("2E5", 2e5), ("5.0e-3", 0.005), ("-.inf", -math.inf)),
        *(("true", True), ("false", False), ("null", None), ("~", None), ("", None)),
        *((word, word) for word in ("no", "off", "yes", "True", "y", "=", "<<")),
        *((word, word) for word in ("010", "0x10", "0o7", "0b1", "1_0", "6_0", "0x_", "1:30")),
        *((word, word) for word in ("2024-02-30", "2001-12-14t21:59:43.10-05:00", "1e", "\uff11")),
        ("9" * 41, "9" * 41),
        ("9" * 40, int("9" * 40)),
    ],
)
def test_numbers_are_decimal_and_everything_else_is_a_word(text: str, value: Any) -> None:
    found = read_yaml(f"key: {text}")["key"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        *(
            (f"a: 1\nb: {tag}", "line 2: expected no tag")
            for tag in ("!!int abc", "!!float ''", "!!timestamp x", "!!bool maybe", "!x y", "! z")
        ),
        ("a: 1\nb: !!python/object:os.system x", "line 2: expected no tag"),
        ("a: 1\nb: 2\na: 3", "line 3: the key 'a' stands here for the second time"),
        ("1: x\n'1': y", "line 2: the key '1' stands here for the second time"),
        ("? [a]\n: b", "line 1: expected a word as a key"),
        ("a: *b", "line 1: found undefined alias 'b'"),
        ("a: &a [*a]", "line 1: an alias stands inside of what it stands for"),
        ("a: &a {b: [{c: *a}]}", "line 1: an alias stands inside of what it stands for"),
        ("a: 1\n\tb: 2", "line 2: found character"),
        ("a\n---\nb", "line 2: expected a single document"),
        ("a: 1\nb: \0", r"line 2: expected text, found '\\x00'"),
        ("a: [1, 2", "line 1: expected ',' or ']'"),
        ('a: 1\nb: "\\U00110000"', "line 2: expected text, found something else"),
        ('a: 1\nb: "\\Uffffffff"', "line 2: expected text, found something else"),
        (f"%YAML 1.{'1' * 5000}\n--- a", "line 1: expected text, found something else"),
        ("[" * (DEEPEST + 1), "line 1: expected at most 32 levels"),
        ("- " * (DEEPEST + 1), "line 1: expected at most 32 levels"),
        ("{a: " * 100_000, "line 1: expected at most 32 levels"),
        (f"[{'a,' * MOST_NODES}]", "line 1: expected at most 50,000 values"),
    ],
)
def test_what_is_refused_is_named_with_its_line(text: str, problem: str) -> None:
    with pytest.raises(YamlError, match=problem) as caught:
        read_yaml(text)
    assert len(str(caught.value)) < 150


def nested_aliases(levels: int, each: int) -> str:
    """A list of lists, ``each`` in each: by aliases a short text."""
    lines = [f"k0: &k0 [{', '.join('x' * each)}]"]
    for level in range(1, levels):
        lines.append(f"k{level}: &k{level} [{', '.join([f'*k{level - 1}'] * each)}]")
    return "\n".join(lines)


def test_aliases_count_as_what_they_stand_for() -> None:
    assert read_yaml("a: &a [1, 2]\nb: *a") == {"a": [1, 2], "b": [1, 2]}
    assert read_yaml(nested_aliases(3, 9))["k2"] == [[["x"] * 9] * 9] * 9
    with pytest.raises(YamlError, match="line 5: expected at most 50,000 values on 32 levels"):
        read_yaml(nested_aliases(9, 9))


def test_a_chain_of_aliases_is_as_deep_as_it_reads() -> None:
    assert read_yaml(nested_aliases(DEEPEST - 2, 1))
    with pytest.raises(YamlError, match=r"line 31: .* on 32 levels"):
        read_yaml(nested_aliases(DEEPEST - 1, 1))


@settings(max_examples=300)
@given(VALUES)
def test_what_is_written_is_read_back_by_readers_of_any_version(value: Any) -> None:
    text = yaml_text(value)
    text.encode()
    assert same(read_yaml(text), value)
    assert same(yaml.safe_load(text), value)


def same(one: Any, other: Any) -> bool:
    """Equal, and of equal types all the way down."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@settings(max_examples=200)
@given(st.text(st.sampled_from("a1:-? []{},&*!|>'\"%#\n\t\\~.<="), max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(YamlError):
        read_yaml(text)
