"""What goes where: data to stdout, everything else to stderr; nothing that a terminal obeys."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import select
import sys
from contextlib import suppress
from typing import Any, TextIO

from synergy.cli.layout import width_of, wrapped
from synergy.wording import printable

_STDERR = 2
# What tables are drawn with: bold letters and their end.
_STYLES = re.compile(r"(\x1b\[[01]m)")
# Between the quotes of JSON; its own escapes cover the rest.
_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\xad\u0600-\uffff\U000e0000-\U000e0fff]")


class Document(str):
    """A text that stays as it is, however narrow the terminal."""


def write(text: str, end: str = "\n") -> None:
    """Data, to stdout, at once: a pipe that is closed is noticed here and not at exit.

    On a terminal, lines end between words, but those of a `Document`.
    """
    if not isinstance(text, Document):
        text = wrapped(text, width_of(sys.stdout))
    parts = _STYLES.split(text)
    _put(sys.stdout, "".join(p if _STYLES.fullmatch(p) else printable(p) for p in parts), end)


def document(data: Any) -> Document:
    """One JSON document; what `write` would escape is escaped as JSON does."""
    unicode = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    text = json.dumps(data, indent=2, ensure_ascii=not unicode, allow_nan=False)
    safe = _UNSAFE_IN_JSON.sub(
        lambda m: m[0] if printable(m[0]) == m[0] else json.dumps(m[0])[1:-1], text
    )
    return Document(safe)


def say(text: str) -> None:
    """A note or an error, to stderr; on a terminal, its lines end between words."""
    _put(sys.stderr, wrapped(printable(text), width_of(sys.stderr)))


class Notes(logging.Handler):
    """Warnings of the package, which the layers that know no progress log, as notes."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say it."""
        say(f"note: {record.getMessage()}")


def _put(stream: TextIO | None, text: str, end: str = "\n") -> None:
    """Write a line; a character that the encoding of the stream lacks becomes a question mark."""
    if stream is None:  # closed
        return
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding) + end)
    stream.flush()


# -- the streams of the process -----------------------------------------------------------------


class _Stream(io.FileIO):
    """stdout or stderr; an error says which, and what stderr does not take is lost.

    A reader that has gone away is an error in either case.
    """

    def write(self, data: Any) -> int:
        try:
            while (count := super().write(data)) is None:  # somebody made it non-blocking
                select.select([], [self], [])
        except OSError as error:
            if self.fileno() == _STDERR and not isinstance(error, BrokenPipeError):
                return len(data)
            error.filename = "stdout"
            raise
        return count


def open_streams() -> None:
    """Give the process streams that fail in few ways: a closed one leads nowhere."""
    for number in range(3):
        _fill(number)
    for number, name in ((1, "stdout"), (2, "stderr")):
        old = getattr(sys, name)
        if old is not getattr(sys, f"__{name}__"):  # somebody redirected it
            continue
        stream = io.TextIOWrapper(
            io.BufferedWriter(_Stream(number, "w", closefd=False)),
            encoding=old.encoding if old else "utf-8",
            errors="backslashreplace" if name == "stderr" else "replace",
            line_buffering=name == "stderr" or bool(old and old.line_buffering),
        )
        setattr(sys, name, stream)


def _fill(number: int) -> None:
    """Else the next file that is opened would get the number, and what C libraries print."""
    try:
        os.fstat(number)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        os.set_inheritable(null, True)
        if null != number:
            os.dup2(null, number)
            os.close(null)


def drop_unwritten() -> None:
    """What the streams did not take is dropped, so that the interpreter does not fail on it."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)
