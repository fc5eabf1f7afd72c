"""How a command ends: one place turns whatever happened into a sentence and an exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import typer
from typer.completion import shell_complete

from synergy.cli.output import say
from synergy.errors import SynergyError

BUG = 70
"""As EX_SOFTWARE of sysexits.h."""

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
READER_GONE = 141
"""128 + SIGPIPE, as shells report it of programs that the signal ends."""

KEPT = "everything that was finished is kept; run the same command again to go on"

# Set by the shell that asks for completions.
_COMPLETE = "_SYNERGY_COMPLETE"

# The disk's or the system's fault, not the program's.
_SYSTEM_ERRORS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO),
}
_EXPECTED = (
    *(SynergyError, typer.TyperException, typer.Exit, typer.Abort),
    *(BrokenPipeError, MemoryError),
)


class _Terminated(KeyboardInterrupt):
    """SIGTERM; it takes the way of Ctrl-C, which ends the workers."""


class UnexpectedError(SynergyError):
    """A bug, in one sentence."""

    exit_code = BUG


@contextmanager
def reported_in(folder: Path | None) -> Iterator[None]:
    """An unexpected exception inside is written into ``folder``, or a temporary one, and told."""
    try:
        yield
    except Exception as error:
        raise_if_interrupted()  # an interrupted import may fail in a way of its own
        if isinstance(error, _EXPECTED) or getattr(error, "errno", None) in _SYSTEM_ERRORS:
            raise
        summary = traceback.format_exception_only(error)[-1].strip().splitlines()[0]
        where = _written("".join(traceback.format_exception(error)), folder)
        raise UnexpectedError(
            f"this is a bug in synergy ({summary}); the details {where}"
        ) from error


def run_to_exit_code(app: typer.Typer, arguments: list[str] | None) -> int:
    """Run ``app``; whatever happens becomes at most a few lines on stderr and an exit code."""
    try:
        with _signals_raise(), reported_in(None):
            command = typer.main.get_command(app)
            given = sys.argv[1:] if arguments is None else arguments
            if instruction := os.environ.get(_COMPLETE):
                return shell_complete(command, {}, "synergy", _COMPLETE, instruction)
            with command.make_context("synergy", list(given)) as context:
                command.invoke(context)
    except typer.Exit as exit_:
        return exit_.exit_code
    except SystemExit as exit_:  # of the options on completion
        return int(exit_.code or 0)
    except typer.TyperException as error:
        return _wrong_use(error)
    except SynergyError as error:
        say(f"error: {error}")
        return error.exit_code
    except _Terminated:
        say(f"terminated; {KEPT}")
        return TERMINATED
    except (KeyboardInterrupt, typer.Abort):
        say(f"interrupted; {KEPT}")
        _forget_interrupt()
        return INTERRUPTED
    except BrokenPipeError:
        _close_quietly()
        return READER_GONE
    except MemoryError:
        say("error: there is not enough memory; use fewer --workers")
        return 2
    except OSError as error:
        say(f"error: {error.filename or 'a file'}: {error.strerror}; {KEPT}")
        return 2
    return 0


@contextmanager
def _signals_raise() -> Iterator[None]:
    """SIGINT and SIGTERM raise inside; after SIGTERM a second one ends the process as usual."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        _came.append(number)
        if number == signal.SIGTERM:
            signal.signal(number, signal.SIG_DFL)
        raise_if_interrupted()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    report = sys.unraisablehook

    def report_others(found: sys.UnraisableHookArgs) -> None:
        if not issubclass(found.exc_type, KeyboardInterrupt):  # `raise_if_interrupted` repeats it
            report(found)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # nohup and job control mean it
            signal.signal(number, interrupt)
    sys.unraisablehook = report_others
    try:
        yield
    finally:
        sys.unraisablehook = report
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        _came.clear()


_came: list[int] = []


def _forget_interrupt() -> None:
    """Let the process end with the exit code and not by the signal.

    CPython ends itself by SIGINT when KeyboardInterrupt once left code that was compiled from a
    string, even when it was handled later; the next such code takes that back.
    """
    namedtuple("_Nothing", ())  # evaluates a string


def raise_if_interrupted() -> None:
    """Raise again what a signal raised earlier.

    An extension module that is just being imported may swallow KeyboardInterrupt; so whoever
    goes on for long asks here now and then.
    """
    if signal.SIGTERM in _came:
        raise _Terminated
    if _came:
        raise KeyboardInterrupt


def _wrong_use(error: typer.TyperException) -> int:
    text, context = error.format_message(), getattr(error, "ctx", None)
    is_help = type(error).__name__ == "NoArgsIsHelpError"  # it carries the help as its message
    say(text if is_help else f"error: {text}")
    if context is not None and not is_help:
        say(f"see: {context.command_path} --help")
    return error.exit_code


def _close_quietly() -> None:
    """Nothing is left to be written when the interpreter flushes stdout at its end."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _written(text: str, folder: Path | None) -> str:
    """Where ``text`` now lies: in a new file of the folder, or else a temporary one."""
    for place in dict.fromkeys((folder, None)):  # None: wherever the system has such files
        with suppress(OSError):
            handle, name = tempfile.mkstemp(prefix=".synergy-error-", suffix=".txt", dir=place)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            return f"are in {name}"
    return "could not be written"
