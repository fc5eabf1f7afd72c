"""``synergy predict``: what an exported model says about recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from synergy.cli.options import Options
from synergy.cli.output import document, say, write
from synergy.errors import DataError, SynergyError


def predict(
    options: Options,
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="Folder of an exported model.", show_default=False),
    ],
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", help="Recordings: WAV, FLAC, OGG or MP3.", show_default=False
        ),
    ],
) -> None:
    """Ask an exported model about recordings.

    Prints labels with probabilities, and speech segments in seconds. A recording that cannot be
    used is named at the end, with exit code 2; the others are answered all the same.

    \b
    Example:
      synergy predict runs/default/model recording.wav
    """
    from synergy.files import shortly  # help needs no pydantic
    from synergy.model import load_model

    loaded = load_model(model)
    answers: list[dict[str, Any]] = []
    problems: list[str] = []
    bug: Exception | None = None
    for file in files:
        try:
            found = loaded.predict(file, options.threshold)
        except SynergyError as error:
            problems.append(str(error))
            continue
        except Exception as error:  # whatever it is, the other recordings are answered
            problems.append(f"{file}: {shortly(error)}")
            bug = bug or error
            continue
        if options.json:
            tasks = {task: answer.to_json() for task, answer in found.items()}
            answers.append({"file": str(file), "tasks": tasks})
        else:
            lines = [str(file), *(f"  {t}: {a.text}" for t, a in found.items())]
            write("\n".join(line.replace("\n", "\\n") for line in lines))
    if options.json:
        write(document(answers))
    if bug is not None:
        say("\n".join(problems))
        raise bug
    if problems:
        raise DataError("\n".join(problems))
