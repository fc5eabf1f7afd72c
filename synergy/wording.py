"""Words that messages, tables and pages have in common, and the names of the splits.

What comes from outside is shown by `printable`, and in a message by `quoted` or `shown`.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import islice
from reprlib import Repr
from typing import Any, Literal

Split = Literal["train", "valid", "test"]

SPLITS: tuple[Split, ...] = ("train", "valid", "test")
REPORTED: tuple[Split, ...] = ("valid", "test")
"""The splits on which models are measured."""

LONGEST_LINE = 500
"""Characters in one line of a message."""

LONGEST_QUOTE = 60
"""Characters of an input that a message repeats."""

NOT_FINAL = (
    "a first look: trained by the short schedule of --quick, so no figure here is final; "
    "--set schedule=fixed trains in full"
)
"""What stands beside all results of such a schedule."""

_MOST_LINES = 200
# Hints are for typing errors: of longer names and longer lists they cost time and help nobody.
_MOST_HINTED = 200

SPLIT_NAMES = {"train": "training", "valid": "validation", "test": "test"}


def printable(text: str) -> str:
    r"""The text with everything escaped that a terminal obeys, reorders or cannot encode.

    These are control and format characters, separators of lines but newline, and lone surrogates,
    in which Python keeps bytes of file names that are not UTF-8: they become ``\xe9``. Idempotent.
    """
    return text if text.isascii() and text.isprintable() else _UNSAFE.sub(_escaped, text)


# Cheap and too wide: `_escaped` decides.
_UNSAFE = re.compile(r"[^\n\x20-\x7e\xa0-\xac\xae-\u05ff]")


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    unsafe = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    if not unsafe:
        return character
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else (f"\\U{code:08x}")
    )


def message(text: str) -> str:
    """A text as an error says it: printable, no line and no list of lines endless. Idempotent."""
    lines = printable(text).split("\n", _MOST_LINES)
    kept = [cut(line, LONGEST_LINE) for line in lines[:_MOST_LINES]]
    return "\n".join(kept if len(lines) <= _MOST_LINES else [*kept[:-1], "  and more"])


def cut(text: str, longest: int) -> str:
    """The text, or as much of it as ``longest`` characters hold with an ellipsis at the end."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def shown(name: object) -> str:
    """A name from outside in a message, without quotes."""
    return cut(printable(str(name)).replace("\n", "\\n"), LONGEST_QUOTE)


_quote = Repr()
_quote.maxstring = _quote.maxother = _quote.maxlong = LONGEST_QUOTE
_quote.maxlevel = 2


def quoted(value: Any) -> str:
    """A value from outside in a message: as Python writes it, the middle of a long one left out."""
    try:
        return shown(_quote.repr(value))
    except ValueError:  # an integer of thousands of digits
        return f"{type(value).__name__} that is too long to be shown"


def problem_message(heading: str, problems: Sequence[str], limit: int = 10) -> str:
    """One message of a heading and at most ``limit`` problems, then how many more there are."""
    if len(problems) == 1:
        return f"{heading}: {problems[0]}"
    lines = [
        f"{heading}: {len(problems)} problems",
        *(f"  {text}" for text in problems[:limit]),
    ]
    if len(problems) > limit:
        lines.append(f"  and {len(problems) - limit} more")
    return "\n".join(lines)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` with the nearest known name, or an empty string."""
    every = [each for each in islice(known, _MOST_HINTED + 1) if len(each) <= LONGEST_QUOTE]
    if len(name) > LONGEST_QUOTE or len(every) > _MOST_HINTED:
        return ""
    near = difflib.get_close_matches(name, every, n=1, cutoff=0.6)
    return f"; did you mean {quoted(near[0])}?" if near else ""


def short_list(names: Iterable[str], limit: int = 10) -> str:
    """Names with commas between; beyond ``limit`` only their number."""
    every = list(names)
    text = ", ".join(map(shown, every[:limit])) or "none"
    return text if len(every) <= limit else f"{text} and {len(every) - limit} more"


def counted(count: int, noun: str, plural: str = "") -> str:
    """``"1 clip"``, ``"2 clips"``."""
    return f"{count} {noun}" if count == 1 else f"{count} {plural or noun + 's'}"


def duration(seconds: float) -> str:
    """``"45 s"``, ``"12 min"``, ``"3 h 05 min"``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def skipped_caveat(skipped: int) -> str:
    """What a reader of a tree's stability must know, one sentence; empty if there is nothing."""
    if not skipped:
        return ""
    return (
        f"Cells that the sweep skipped ({skipped}) count as not passing, so a pair that misses "
        "falls further here than in a full table."
    )


def scaled(width: float) -> str:
    """What the name of a model says of its width: nothing, if it is the configured one."""
    return "" if width == 1.0 else f", width {width:g}"
