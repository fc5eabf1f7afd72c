"""How the page writes numbers."""

from __future__ import annotations

from collections.abc import Callable

from synergy.records import ComparedRow
from synergy.rows import Row
from synergy.wording import duration

_DASH = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"
_SPACE = "\N{NO-BREAK SPACE}"


def _or_dash(write: Callable[[float], str]) -> Callable[[float | None], str]:
    return lambda value: _DASH if value is None else write(value)


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
        "" if points is None else f"{points:+.1f}".replace("-", _MINUS)
        for points in (found.ar_pct, found.ar_low, found.ar_high)
    )
    return f"{value} [{low},{_SPACE}{high}]" if low and high else value


FILTERS = {
    "percent": _or_dash("{:.1f}".format),
    "score": _or_dash(lambda share: f"{100 * share:.1f}"),
    "count": _or_dash("{:,.0f}".format),
    "millions": _or_dash(lambda value: f"{value / 1e6:.1f} M"),
    "duration": _or_dash(duration),
    "reduction": reduction,
    "above": above,
}
"""What a template writes; an en dash for None."""
