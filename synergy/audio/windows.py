"""Windows of a recording that is read block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Self

import numpy as np

from synergy.audio.reading import SAMPLE_RATE_HZ
from synergy.errors import ModelError
from synergy.limits import LEAST_HOP_S, WINDOW_S


class Grid(NamedTuple):
    """Where windows lie, in samples.

    Attributes
    ----------
    length, hop : int
        Of a window, and from the start of one to that of the next, ``hop <= length``; both
        multiples of ``step``.
    step : int
        Between two feature frames: those of all windows lie on one grid.
    whole : int
        A waveform of at most so many samples is one window, with all of them. At least
        ``length + step - 1``, so that every other one holds a window.
    """

    length: int
    hop: int
    step: int
    whole: int

    @classmethod
    def of(cls, window_s: float, hop_s: float | None, step: int, whole_s: float) -> Self:
        """Windows of ``window_s`` seconds, one every ``hop_s``, by default half a window.

        Raises
        ------
        ModelError
            If one of the two is out of range.
        """
        shortest_s, longest_s = WINDOW_S
        if not shortest_s <= window_s <= longest_s:
            raise ModelError(
                f"expected windows of {shortest_s:g} to {longest_s:g} s, found {window_s:g} s"
            )
        hop_s = window_s / 2 if hop_s is None else hop_s
        if not LEAST_HOP_S <= hop_s <= window_s:
            raise ModelError(
                f"expected a hop of {LEAST_HOP_S:g} to {window_s:g} s, which is the length of the "
                f"windows, found {hop_s:g} s"
            )
        length, hop = (step * max(1, round(s * SAMPLE_RATE_HZ / step)) for s in (window_s, hop_s))
        return cls(length, hop, step, max(length + step - 1, round(whole_s * SAMPLE_RATE_HZ)))


def windows(blocks: Iterable[np.ndarray], grid: Grid) -> Iterator[tuple[int, np.ndarray]]:
    """First sample and samples of each window, as soon as they are there.

    A last window ends with the last whole step of the waveform, so it may begin less than a hop
    after the one before it. ``blocks`` are the waveform, one piece after the other.
    """
    held = np.empty(0, np.float32)
    first = start = 0  # of what is held, and of the next window
    for block in blocks:
        held = np.concatenate([held, block])
        if not start and len(held) <= grid.whole:
            continue  # it may be all there is
        while start + grid.length <= first + len(held):
            yield start, held[start - first :][: grid.length]
            start += grid.hop
        kept = max(first, start - grid.hop)  # the last window begins after the one before
        held, first = held[kept - first :], kept
    last = (first + len(held)) // grid.step * grid.step - grid.length
    if not start:
        yield 0, held
    elif last > start - grid.hop:
        yield last, held[last - first :][: grid.length]
