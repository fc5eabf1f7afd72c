"""Randomness as a function of keys."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from synergy.seeding import digest, hash64, mix, uniform

KEYS = st.integers(0, 2**63)


@given(KEYS, KEYS)
def test_vectors_draw_what_scalars_draw(a: int, b: int) -> None:
    together = uniform(a, np.array([b, b + 1, b], dtype=np.uint64))
    assert together[0] == together[2] == uniform(a, b)
    assert together[1] == uniform(a, b + 1)


@given(KEYS, KEYS)
def test_the_order_of_keys_matters(a: int, b: int) -> None:
    assert (mix(a, b) == mix(b, a)) == (a == b)


def test_uniform_is_uniform_and_independent_between_neighbours() -> None:
    drawn = uniform(7, np.arange(20_000), 3)
    assert drawn.min() >= 0 and drawn.max() < 1
    assert abs(drawn.mean() - 0.5) < 0.01
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 0.03
    assert np.histogram(drawn, bins=10, range=(0, 1))[0].min() > 1_800


def test_splitmix64_reference() -> None:
    # first output of splitmix64 seeded with 0 (Steele, Lea, Flood 2014; Vigna's reference code)
    assert int(mix(0)) == 0xE220A8397B1DCDAF


def test_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": [2, 3]}) == digest({"b": [2, 3], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert hash64("a", 1) != hash64("a1")
