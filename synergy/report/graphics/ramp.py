"""Colour classes of accuracy reductions: fixed steps, so that two reports can be compared.

The colours stand in the style sheet as ``--ar-0`` to ``--ar-8``: one ramp of lightness from yellow
to blue, which readers with any colour vision can order, dark on light and light on dark.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise

EDGES = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0)
"""Upper ends of the classes 0 to 7, in percent; class 8 has none."""


def ar_class(ar_pct: float) -> int:
    """Number of the class of an AR in percent."""
    return bisect_left(EDGES, ar_pct)


def class_names() -> tuple[str, ...]:
    """Each class in words, for a legend."""
    inner = (f"{low:g}-{high:g}" for low, high in pairwise(EDGES))
    return (f"up to {EDGES[0]:g}", *inner, f"over {EDGES[-1]:g}")
