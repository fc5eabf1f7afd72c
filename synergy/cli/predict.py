"""``synergy predict``: what an exported model says about recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synergy.cli.options import Output, output_option
from synergy.cli.output import document, write
from synergy.errors import DataError, ModelError

if TYPE_CHECKING:
    from synergy.tasks.predictions import Prediction


def predict(
    output: Output,
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
    threshold: Annotated[
        float | None,
        output_option(
            "--threshold P", "Probability from which a frame is active, instead of the model's."
        ),
    ] = None,
) -> None:
    """Ask an exported model about recordings.

    Prints labels with probabilities, and speech segments in seconds. A recording that cannot be
    used is named at the end, with exit code 2; the others are answered all the same.

    \b
    Example:
      synergy predict runs/default/model recording.wav
    """
    from synergy.model import load_model

    loaded = load_model(model)
    answers: list[dict[str, Any]] = []
    problems: list[str] = []
    for file in files:
        try:
            found = loaded.predict(file, threshold)
        except (DataError, ModelError) as error:
            problems.append(str(error))
            continue
        if output.as_json:
            tasks = {task: answer.to_json() for task, answer in found.items()}
            answers.append({"file": str(file), "tasks": tasks})
        else:
            write("\n".join([str(file), *(f"  {t}: {_text(a)}" for t, a in found.items())]))
    if output.as_json:
        write(document(answers))
    if problems:
        raise DataError("\n".join(problems))


def _text(answer: Prediction) -> str:
    from synergy.tasks.predictions import ActivityPrediction

    if isinstance(answer, ActivityPrediction):
        spans = ", ".join(f"{start:.2f}-{end:.2f} s" for start, end in answer.segments)
        return f"{answer.label} at {spans}" if spans else f"no {answer.label}"
    ranked = sorted(answer.probabilities.items(), key=lambda pair: -pair[1])[:3]
    return ", ".join(f"{label} {100 * share:.1f} %" for label, share in ranked)
