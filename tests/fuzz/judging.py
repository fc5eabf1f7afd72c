"""What comes out of an input may be an answer or a refusal; everything else is a finding."""

from __future__ import annotations

import io
import json
import logging
import math
import re
import resource
import signal
import sys
import threading
import traceback
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, fields, is_dataclass
from itertools import takewhile
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Literal, NoReturn

import numpy as np

import synergy
from synergy.cli import main
from synergy.errors import SynergyError

PACKAGE = Path(synergy.__file__).parent
LONGEST_LINE = 500
LONGEST_QUOTE = 60
_STEP = LONGEST_QUOTE // 2
# What follows a quote in the sentence (": ", say) can be what followed it in the input.
_CHANCE = 4
_UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


class TookTooLong(BaseException):
    """Raised in an input that goes on and on; no reader may catch it."""


class BrokenLawError(AssertionError):
    """Raised by a class of inputs where an accepted answer breaks a law."""


@dataclass(frozen=True)
class Limits:
    """What one input may take: seconds of CPU and by the clock, bytes of memory.

    ``address_space`` is all that it could get, used or not, in bytes.
    """

    cpu_s: float = 5.0
    clock_s: float = 20.0
    memory: int = 1 << 30
    address_space: int = 4 << 30


@dataclass(frozen=True)
class Given:
    """Text of an input, of which messages may quote little; but paths of its files in full."""

    text: str = ""
    paths: tuple[str, ...] = ()

    def long_quote(self, message: str) -> str:
        """A piece of a message that repeats too much of the text, or is one character only."""
        for path in self.paths:
            message = _without(message, path)
        if run := re.search(rf"(.)\1{{{LONGEST_QUOTE}}}", message):
            return run[0]
        for line in message.split("\n"):
            for first in range(0, len(line) - _STEP, _STEP):
                if line[first : first + _STEP + 1] in self.text:
                    start, end = self._grown(line, first)
                    if end - start > LONGEST_QUOTE + _CHANCE:
                        return line[start:end]
        return ""

    def _grown(self, line: str, start: int) -> tuple[int, int]:
        """Where the quote begins and ends that some characters from ``start`` are part of."""
        end = start + _STEP + 1
        while start and line[start - 1 : end] in self.text:
            start -= 1
        while end < len(line) and line[start : end + 1] in self.text:
            end += 1
        return start, end


def _without(message: str, path: str) -> str:
    """A message without a path, which may be cut."""
    head = path[:LONGEST_QUOTE]
    if len(path) <= LONGEST_QUOTE:
        return message
    while (start := message.find(head)) >= 0:
        pairs = zip(path, message[start:], strict=False)
        length = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        message = message[:start] + "…" + message[start + length :]
    return message


@dataclass(frozen=True)
class Outcome:
    """How an input ended.

    ``kind`` is the same for findings that have one cause, ``details`` tells all.
    """

    verdict: Literal["accepted", "refused", "finding"]
    kind: str = ""
    details: str = ""


@dataclass(frozen=True)
class Ended:
    """How a command ended; ``traceback`` is what it kept of an error of its own."""

    code: int
    out: str
    err: str
    traceback: str = ""


def command(arguments: list[str], tracebacks: Callable[[], str]) -> Ended:
    """Run a command in this process, with streams as strict as those of a terminal."""
    out, err = (
        io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors=errors, write_through=True)
        for errors in ("strict", "backslashreplace")
    )
    with redirect_stdout(out), redirect_stderr(err):
        code = main(arguments)
    told, said = (stream.buffer.getvalue().decode("utf-8") for stream in (out, err))
    return Ended(code, told, said, "" if code in (0, 1, 2) else tracebacks())


def judge(
    attempt: Callable[[], object],
    given: Given = Given(),
    limits: Limits = Limits(),
    surroundings: Callable[[], object] = lambda: None,
) -> Outcome:
    """Run an input and judge what comes out.

    Parameters
    ----------
    attempt : callable
        Returns an answer, whose numbers must be finite, or how a command `Ended`.
    given : Given
    limits : Limits
    surroundings : callable
        Anything that the input must leave as it is.
    """
    before, memory = surroundings(), _peak_memory()
    heard: list[str] = []
    logged = _Logged()
    try:
        with _listening(heard), _collecting(logged), _limited(limits):
            result = attempt()
    except SynergyError as error:
        where = f"{type(error).__name__} from {_place(error.__traceback__)}"
        outcome = _of_message(str(error), given, where)
    except KeyboardInterrupt:
        raise
    except TookTooLong as error:
        where = _place(error.__traceback__).partition(":")[0]
        text = "".join(traceback.format_exception(error))
        return Outcome("finding", f"takes too long in {where}", text)
    except BaseException as error:
        text = "".join(traceback.format_exception(error))
        name = str(error) if isinstance(error, BrokenLawError) else type(error).__name__
        return Outcome("finding", f"{name} at {_place(error.__traceback__)}", text)
    else:
        outcome = _of_result(result, given)
    if outcome.verdict != "finding":
        for line in logged.messages:
            if problem := _wrong_with(line, given):
                return Outcome("finding", f"{problem} that is logged", line)
        if heard:
            return Outcome("finding", f"on stderr: {heard[0]}", "\n".join(heard))
        if (grown := _peak_memory() - memory) > limits.memory:
            return Outcome("finding", "memory", f"{grown / 1e9:.1f} GB more than before")
        if (after := surroundings()) != before:
            return Outcome("finding", "touches what lies outside", f"{before}\n{after}")
    return outcome


# -- answers and messages ---------------------------------------------------------------------


def _of_result(result: object, given: Given) -> Outcome:
    if isinstance(result, Ended):
        return _of_ended(result, given)
    for where, number in numbers(result):
        if not math.isfinite(number):
            return Outcome("finding", f"not finite: {where}", f"{where} is {number}\n{result!r}")
    return Outcome("accepted")


def _of_ended(ended: Ended, given: Given) -> Outcome:
    told = f"exit code {ended.code}\n{ended.err}\n{ended.traceback}"
    if ended.code not in (0, 1, 2):
        frames = re.findall(r'File ".*?/synergy/(\S+)", line (\d+)', ended.traceback)
        errors = re.findall(r"^(\w[\w.]*)(?::|$)", ended.traceback, re.MULTILINE)
        where = ":".join(frames[-1]) if frames else "an unknown place"
        name = errors[-1] if errors else "no traceback"
        return Outcome("finding", f"exit code {ended.code}, {name} at {where}", told)
    if ended.err and (problem := _wrong_with(ended.err, given)):
        return Outcome("finding", f"on stderr of a command: {problem}", told)
    if odd := controls(ended.out):
        return Outcome("finding", f"on stdout of a command: {odd[0]}", f"{odd}\n{ended.out}")
    if ended.code == 2 and not ended.err.strip():
        return Outcome("finding", "exit code 2 without a word", told)
    if "not enough memory" in ended.err:
        return Outcome("finding", "memory of a command", told)
    if ended.code != 2 and ended.out.startswith(("{", "[")):
        try:
            json.loads(ended.out, parse_constant=_not_finite)
        except ValueError as error:
            return Outcome("finding", f"JSON of a command: {error}", ended.out)
    return Outcome("refused" if ended.code == 2 else "accepted")


def _not_finite(name: str) -> NoReturn:
    raise ValueError(f"{name} in an answer")


def _of_message(message: str, given: Given, where: str) -> Outcome:
    if problem := _wrong_with(message, given):
        return Outcome("finding", f"{problem} ({where})", message)
    return Outcome("refused", details=message)


def _wrong_with(message: str, given: Given) -> str:
    """What a message must not have, or nothing."""
    if not message.strip():
        return "an empty message"
    if odd := controls(message):
        return f"a message with {odd[0]}"
    lines = (line.removeprefix("error: ") for line in message.split("\n"))
    if any(len(line) > LONGEST_LINE for line in lines):
        return "a line that is too long"
    if given.long_quote(message):
        return "a long piece of the input in a message"
    return ""


def controls(text: str) -> list[str]:
    """Code points in a text that a terminal obeys, reorders or cannot encode, but newline."""
    odd = {c for c in text if c != "\n" and unicodedata.category(c) in _UNSAFE}
    return [f"U+{ord(c):04X}" for c in sorted(odd)]


def numbers(value: object, where: str = "answer") -> Iterator[tuple[str, Any]]:
    """Every float in an answer, each with where it stands; arrays as a whole."""
    if isinstance(value, float | np.floating):
        yield where, value
    elif isinstance(value, np.ndarray):
        if value.dtype.kind == "f" and value.size:
            yield where, 0.0 if np.isfinite(value).all() else math.nan
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from numbers(inner, f"{where}.{key}"[:80])
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from numbers(inner, where)
    elif is_dataclass(value):
        for field in fields(value):
            yield from numbers(getattr(value, field.name), f"{type(value).__name__}.{field.name}")


# -- limits, and what nobody raises -----------------------------------------------------------


def _peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _address_space() -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    return int(pages) * resource.getpagesize()


@contextmanager
def _limited(limits: Limits) -> Iterator[None]:
    """Raise `TookTooLong` inside, again and again, once a limit of time is reached.

    Memory beyond the address space is refused.
    """

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise TookTooLong

    timers = {
        signal.SIGPROF: (signal.ITIMER_PROF, limits.cpu_s),
        signal.SIGALRM: (signal.ITIMER_REAL, limits.clock_s),
    }
    before = {number: signal.signal(number, stop) for number in timers}
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = _address_space() + limits.address_space
    resource.setrlimit(resource.RLIMIT_AS, (most if hard < 0 else min(most, hard), hard))
    for timer, seconds in timers.values():
        signal.setitimer(timer, seconds, 1.0)
    try:
        yield
    finally:
        for timer, _ in timers.values():
            signal.setitimer(timer, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        for number, handler in before.items():
            signal.signal(number, handler)


class _Logged(logging.Handler):
    """What the package logs; without a handler it would be on stderr."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def _collecting(handler: logging.Handler) -> Iterator[None]:
    logger = logging.getLogger("synergy")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@contextmanager
def _listening(heard: list[str]) -> Iterator[None]:
    """Errors that nobody could raise and warnings, one line each."""

    def unraisable(found: sys.UnraisableHookArgs) -> None:
        heard.append(f"ignored {found.exc_type.__name__} at {_place(found.exc_traceback)}")

    def of_thread(found: threading.ExceptHookArgs) -> None:
        heard.append(f"{found.exc_type.__name__} of a thread at {_place(found.exc_traceback)}")

    before = sys.unraisablehook, threading.excepthook
    sys.unraisablehook, threading.excepthook = unraisable, of_thread
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                yield
            finally:
                heard += [
                    f"{w.category.__name__} at {Path(w.filename).name}:{w.lineno}: {w.message}"
                    for w in warned
                ]
    finally:
        sys.unraisablehook, threading.excepthook = before


def _place(found: TracebackType | None) -> str:
    """The innermost line of the package in a traceback, else the innermost line."""
    frames = [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(found)]
    inside = [(file, line) for file, line in frames if file.is_relative_to(PACKAGE)]
    file, line = (inside or frames or [(Path("nowhere"), 0)])[-1]
    name = file.relative_to(PACKAGE) if inside else file.name
    return f"{name}:{line}"
