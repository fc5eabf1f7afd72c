"""How a command ends: one place turns whatever happened into a sentence and an exit code."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import typer
from typer.completion import shell_complete

from synergy.cli.output import Notes, drop_unwritten, open_streams, say
from synergy.cli.signals import Terminated, raise_if_interrupted
from synergy.errors import SynergyError
from synergy.machine import MachineError, told
from synergy.wording import LONGEST_QUOTE, shown

BUG = 70
"""As EX_SOFTWARE of sysexits.h."""

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
READER_GONE = 141
"""128 + SIGPIPE, as shells report it of programs that the signal ends."""

KEPT = "everything that was finished is kept; run the same command again to go on"

# Set by the shell that asks for completions.
_COMPLETE = "_SYNERGY_COMPLETE"

_EXPECTED = (SynergyError, typer.TyperException, typer.Exit, BrokenPipeError)


class UnexpectedError(SynergyError):
    """A bug, in one sentence."""

    exit_code = BUG


@contextmanager
def reported_in(folder: Path | None) -> Iterator[None]:
    """What is unexpected inside: the machine is to blame, or it is a bug and told in a file.

    Parameters
    ----------
    folder : Path, optional
        Where the file is written; by default in the temporary folder.
    """
    try:
        yield
    except Exception as error:
        raise_if_interrupted()  # what an interrupt leaves behind may fail in a way of its own
        if isinstance(error, _EXPECTED):
            raise
        if sentence := told(error):
            raise MachineError(sentence) from error
        summary = traceback.format_exception_only(error)[-1].strip().splitlines()[0]
        where = _written("".join(traceback.format_exception(error)), folder)
        raise UnexpectedError(
            f"this is a bug in synergy ({summary}); the details {where}"
        ) from error


def run_to_exit_code(arguments: list[str] | None) -> int:
    """Run a command; whatever happens becomes at most a few lines on stderr and an exit code.

    KeyboardInterrupt goes through. ``arguments`` are those of this process by default.
    """
    if arguments is None:
        open_streams()
    logger, notes = logging.getLogger("synergy"), Notes()
    logger.addHandler(notes)
    try:
        return _run(arguments)
    except BrokenPipeError:
        return READER_GONE
    finally:
        logger.removeHandler(notes)
        drop_unwritten()


def interrupted(interrupt: KeyboardInterrupt) -> int:
    """Say that a signal ended the command; the exit code."""
    try:  # what a library makes of a signal does not tell which one came
        raise_if_interrupted()
    except KeyboardInterrupt as first:
        interrupt = first
    terminated = isinstance(interrupt, Terminated)
    with suppress(OSError):
        say(f"{'terminated' if terminated else 'interrupted'}; {KEPT}")
    drop_unwritten()
    return TERMINATED if terminated else INTERRUPTED


def _run(arguments: list[str] | None) -> int:
    try:
        with reported_in(None):
            from synergy.cli.commands import app

            command = typer.main.get_command(app)
            given = sys.argv[1:] if arguments is None else arguments
            if instruction := os.environ.get(_COMPLETE):
                return shell_complete(command, {}, "synergy", _COMPLETE, instruction)
            with command.make_context("synergy", list(given)) as context:
                _require_working_folder()
                command.invoke(context)
    except typer.Exit as exit_:
        return exit_.exit_code
    except SystemExit as exit_:  # of the options on completion
        return int(exit_.code or 0)
    except typer.TyperException as error:
        return _wrong_use(error, sys.argv[1:] if arguments is None else arguments)
    except MachineError as error:
        say(f"error: {error}; {KEPT}")
        return error.exit_code
    except SynergyError as error:
        say(f"error: {error}")
        return error.exit_code
    return 0


def _require_working_folder() -> None:
    """Refuse to work where libraries end the process without a word of why."""
    try:
        Path.cwd()
    except OSError as error:
        raise SynergyError(
            "the working folder is not there any more; change into one that exists"
        ) from error


def _wrong_use(error: typer.TyperException, arguments: list[str]) -> int:
    text, context = error.format_message(), getattr(error, "ctx", None)
    for argument in arguments:
        for quote in (argument, *argument.split("=", 1)):
            if len(quote) > LONGEST_QUOTE:
                text = text.replace(quote, shown(quote))
    is_help = type(error).__name__ == "NoArgsIsHelpError"  # it carries the help as its message
    say(text if is_help else f"error: {text}")
    if context is not None and not is_help:
        say(f"see: {context.command_path} --help")
    return error.exit_code


def _written(text: str, folder: Path | None) -> str:
    """Where ``text`` now lies: in a new file of the folder, or else a temporary one."""
    for place in dict.fromkeys((folder, None)):  # None: wherever the system has such files
        with suppress(OSError):
            handle, name = tempfile.mkstemp(prefix=".synergy-error-", suffix=".txt", dir=place)
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
            return f"are in {name}"
    return "could not be written"
