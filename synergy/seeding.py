"""Randomness as a function of what it is for, instead of a state that is passed around.

A draw is a hash of a seed and of the things that it belongs to (a task's stream, a clip, a
step). So it depends neither on what was drawn before nor on the order of work, a stopped run
needs no generator state, and two tasks that draw one clip in one step draw the same crop.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)


def hash64(*parts: str | int) -> int:
    """A 64-bit hash of strings and integers, the same on every machine."""
    text = json.dumps(parts, ensure_ascii=True, separators=(",", ":"))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def digest(value: Any) -> str:
    """Hex digest (20 characters) of a JSON value, independent of the order of keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def mix(*keys: int | np.ndarray) -> np.ndarray:
    """Combine integer keys, broadcast against each other, into one uint64 hash each.

    The mixing function is splitmix64 (Steele, Lea, Flood 2014), applied once per key.
    """
    state = np.zeros((), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for key in keys:
            state = (state ^ np.asarray(key).astype(np.uint64)) + _GOLDEN
            state = (state ^ (state >> np.uint64(30))) * _MIX_A
            state = (state ^ (state >> np.uint64(27))) * _MIX_B
            state = state ^ (state >> np.uint64(31))
    return state


def uniform(*keys: int | np.ndarray) -> np.ndarray:
    """Uniform numbers in [0, 1) for integer keys, broadcast against each other; float64."""
    return (mix(*keys) >> np.uint64(11)).astype(np.float64) * 2.0**-53
