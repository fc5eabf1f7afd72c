"""What goes where: data to stdout, everything else to stderr; nothing that a terminal obeys."""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import Any, TextIO

from synergy.wording import printable

# What tables are drawn with: bold letters and their end.
_STYLES = re.compile(r"(\x1b\[[01]m)")
# Between the quotes of JSON; its own escapes cover the rest.
_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\xad\u0600-\uffff\U000e0000-\U000e0fff]")


def write(text: str) -> None:
    """Data, to stdout, at once: a pipe that is closed is noticed here and not at exit."""
    parts = _STYLES.split(text)
    _put(sys.stdout, "".join(p if _STYLES.fullmatch(p) else printable(p) for p in parts))


def document(data: Any) -> str:
    """One JSON document; what `write` would escape is escaped as JSON does."""
    unicode = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    text = json.dumps(data, indent=2, ensure_ascii=not unicode, allow_nan=False)
    return _UNSAFE_IN_JSON.sub(
        lambda m: m[0] if printable(m[0]) == m[0] else json.dumps(m[0])[1:-1], text
    )


def say(text: str) -> None:
    """A note or an error, to stderr, one line each; never wrapped."""
    _put(sys.stderr, printable(text))


class Notes(logging.Handler):
    """Warnings of the package, which the layers that know no progress log, as notes."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say it."""
        say(f"note: {record.getMessage()}")


def _put(stream: TextIO, text: str) -> None:
    """Write a line; a character that the encoding of the stream lacks becomes a question mark."""
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    stream.flush()
