from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_segments import segments


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ("", ()),
        ("000", ()),
        ("1" * 9, ()),
        ("1" * 10, ((0.0, 0.1),)),
        ("0" * 5 + "1" * 20 + "0" * 5, ((0.05, 0.25),)),
        ("1" * 20 + "0" * 9 + "1" * 20, ((0.0, 0.49),)),
        ("1" * 20 + "0" * 10 + "1" * 20, ((0.0, 0.2), (0.3, 0.5))),
        ("1" * 5 + "0" * 5 + "1" * 5, ((0.0, 0.15),)),
        ("1" * 20 + "0" * 50 + "1" * 3, ((0.0, 0.2),)),
    ],
)
def test_segments(frames, expected):
    active = np.array([frame == "1" for frame in frames], dtype=bool)
    assert segments(active, 0.01, 1.0) == expected


@given(st.lists(st.booleans(), max_size=200))
def test_segments_are_in_order_and_apart(frames):
    duration_s = max(0, len(frames) - 1) * 0.01
    found = segments(np.array(frames, dtype=bool), 0.01, duration_s)
    times = [time for segment in found for time in segment]
    assert times == sorted(times)
    assert all(0 <= time <= duration_s for time in times)
    for start, end in found:
        assert end - start >= 0.1 - 1e-6
    for (_, end), (start, _) in itertools.pairwise(found):
        assert start - end >= 0.1 - 1e-6
