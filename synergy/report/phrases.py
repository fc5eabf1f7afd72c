"""Numbers in words: what the page says in sentences, and how it writes values."""

from __future__ import annotations

from synergy.records import ComparedRow, Row
from synergy.report.numbers import Numbers
from synergy.wording import REPORTED, SPLIT_NAMES, duration

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


def title(numbers: Numbers, name: str) -> str:
    """What the page is called: the final tree, what it costs and what it keeps."""
    final = numbers.final
    if final is None:
        return f"{name}: {', '.join(numbers.tasks)}"
    parts = [final.notation, f"{count(final.params)} parameters ({final.share_pct:.0f} %)"]
    if final.row:
        parts.append(f"AR {percent(final.row.ar_pct.get('valid'))} %")
    else:
        parts.append(f"predicted AR {percent(final.predicted_ar_pct)} %")
    return " \N{MIDDLE DOT} ".join(parts)


def lead(numbers: Numbers) -> str:
    """The result in two sentences, numbers and their units on one line."""
    return _lead(numbers).replace(" %", f"{_SPACE}%")


def _lead(numbers: Numbers) -> str:
    final, tasks = numbers.final, numbers.tasks
    if final is None:
        named = ", ".join(tasks)
        found = f"What lies in this workspace so far, on the tasks {named}."
        return found if tasks else "What lies in this workspace so far."
    size = (
        f"One network of {count(final.params)} parameters for {len(final.tasks)} tasks, "
        f"{final.share_pct:.0f} % of what separate models need"
    )
    threshold = f"threshold {numbers.max_ar:g} %"
    if not final.row:
        return (
            f"{size}. From the pairs an accuracy reduction of at most "
            f"{percent(final.predicted_ar_pct)} % is expected ({threshold}); "
            "the tree is not trained yet."
        )
    kept = " and ".join(
        f"{reduction(final.row, split)} on {SPLIT_NAMES[split]}"
        for split in REPORTED
        if split in final.row.ar_pct
    )
    return f"{size}. Its accuracy reduction is {kept} ({threshold} on validation)."


FILTERS = {
    "percent": percent,
    "score": score,
    "count": count,
    "millions": millions,
    "duration": lambda seconds: _DASH if seconds is None else duration(seconds),
    "reduction": reduction,
    "above": above,
}
