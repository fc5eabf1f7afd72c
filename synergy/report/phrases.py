"""How the page writes numbers."""

from __future__ import annotations

from synergy.records import ComparedRow, Row
from synergy.wording import duration

_DASH = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"
_SPACE = "\N{NO-BREAK SPACE}"


def percent(value: float | None) -> str:
    """A percentage without its sign, one digit after the point; a dash for None."""
    return _DASH if value is None else f"{value:.1f}"


def score(value: float | None) -> str:
    """A score in [0, 1] as a percentage."""
    return _DASH if value is None else f"{100 * value:.1f}"


def count(value: float | None) -> str:
    """A whole number with thousands separated."""
    return _DASH if value is None else f"{value:,.0f}"


def millions(value: float | None) -> str:
    """A number in millions."""
    return _DASH if value is None else f"{value / 1e6:.1f} M"


def interval(low: float | None, high: float | None) -> str:
    """``[0.4, 3.1]``, or nothing; nothing either for what cannot vary."""
    if low is None or high is None or low == high:
        return ""
    return f"[{low:.1f},{_SPACE}{high:.1f}]"


def reduction(row: Row, split: str) -> str:
    """``1.4 % [0.3, 2.2]``: the AR of a row on a split, with its interval if it has one."""
    value = row.ar_pct.get(split)
    if value is None:
        return _DASH
    ends = interval(row.ar_low.get(split), row.ar_high.get(split))
    return f"{value:.1f} % {ends}".strip()


def above(row: ComparedRow, split: str) -> str:
    """``+1.4 [+0.3, +2.2]``: the AR of a row minus that of the tree, if that is known."""
    found = row.above.get("tree", {}).get(split)
    if found is None:
        return _DASH
    value, low, high = (
        f"{points:+.1f}".replace("-", _MINUS)
        for points in (found.ar_pct, found.ar_low, found.ar_high)
    )
    return f"{value} [{low},{_SPACE}{high}]"


FILTERS = {
    "percent": percent,
    "score": score,
    "count": count,
    "millions": millions,
    "duration": lambda seconds: _DASH if seconds is None else duration(seconds),
    "reduction": reduction,
    "above": above,
}
