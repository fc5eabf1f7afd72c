"""``synergy predict``: what an exported model says about recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from synergy.cli.answers import Csv, Form, Json, Labels, Question, Text
from synergy.cli.options import Options
from synergy.cli.output import say
from synergy.cli.recordings import Recording, recordings
from synergy.errors import ConfigError, DataError, SynergyError
from synergy.wording import quoted

if TYPE_CHECKING:
    from synergy.model import Model


def predict(
    options: Options,
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="Folder of an exported model.", show_default=False),
    ],
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT",
            help="Recordings (WAV, FLAC, OGG, MP3), folders of them, patterns such as 'a/**/*.wav',"
            " or - for one on stdin.",
            show_default=False,
        ),
    ],
) -> None:
    """Ask an exported model about recordings.

    Prints labels with probabilities, and segments in seconds, of each recording as soon as it was
    heard. Recordings of more than 30 s are heard in windows: classes are those of windows, and
    neighbours of one class are one segment. A recording that cannot be used is named, with exit
    code 2 at the end; the others are answered all the same.

    \b
    Example:
      synergy predict runs/default/model recording.wav
      synergy predict runs/default/model recordings --csv > segments.csv
      synergy predict runs/default/model meeting.mp3 --labels labels --threshold vad=0.7
    """
    from synergy.files import shortly  # help needs no pydantic
    from synergy.model import load_model

    thresholds = _numbers(options.threshold or ())
    form: Form = Labels(options.labels) if options.labels is not None else Text()
    if options.json or options.csv:
        form = Json() if options.json else Csv()
    question = _question(load_model(model), thresholds, options)
    found, bad = _recordings(inputs)
    form.begin(found, question.model.tasks)
    bug: Exception | None = None
    for recording in found:
        try:
            with recording.opened() as content:
                form.tell(question, recording, content)
            continue
        except (OSError, ConfigError):  # of what is written: no other recording has a chance
            raise
        except SynergyError as error:
            problem = str(error)
        except Exception as error:  # whatever it is, the other recordings are answered
            problem, bug = f"{recording.name}: {shortly(error)}", bug or error
        say(f"error: {problem}")
        bad = True
    form.end()
    if bug is not None:
        raise bug
    if bad:
        raise typer.Exit(DataError.exit_code)


def _numbers(given: Sequence[str]) -> dict[str, float]:
    """Thresholds by name; that of all activities under an empty one."""
    from synergy.quantities import decimal_number  # help needs no pydantic

    found: dict[str, float] = {}
    for text in given:
        name, _, number = text.rpartition("=")
        value = decimal_number(number)
        if value is None or not 0 < value < 1 or text.startswith("="):
            raise ConfigError(
                "--threshold: expected a number between 0 and 1, or NAME=P of a task or a class, "
                f"found {quoted(text)}"
            )
        found[name] = value
    return found


def _question(loaded: Model, numbers: Mapping[str, float], options: Options) -> Question:
    """What is asked of each recording; refuses what the model cannot answer."""
    from synergy.tasks.thresholds import class_thresholds

    named = dict(numbers)
    if "" in named:
        named = dict.fromkeys(loaded.thresholds, named.pop("")) | named
    try:
        class_thresholds(loaded.classes, loaded.thresholds, named)
    except SynergyError as error:
        raise ConfigError(f"--threshold: {error}") from error
    try:
        loaded.grid(options.window, options.hop)
    except SynergyError as error:
        raise ConfigError(f"--window and --hop: {error}") from error
    return Question(loaded, named, options.window, options.hop)


def _recordings(inputs: Sequence[Path]) -> tuple[list[Recording], bool]:
    """All recordings, and whether an argument led to none, which is told."""
    found: list[Recording] = []
    bad = False
    for given in inputs:
        try:
            found += recordings(given)
        except DataError as error:
            say(f"error: {error}")
            bad = True
    return found, bad
