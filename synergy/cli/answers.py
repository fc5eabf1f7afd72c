"""What a model says about recordings, as text, JSON, CSV or labels; each as soon as it is there."""

from __future__ import annotations

import csv
import io
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from synergy.cli.output import Document, document, write
from synergy.cli.recordings import Recording
from synergy.errors import ConfigError
from synergy.machine import refusal
from synergy.wording import printable

if TYPE_CHECKING:
    from synergy.model import Model
    from synergy.tasks.predictions import PredictedSegment, Prediction


@dataclass(frozen=True)
class Question:
    """What is asked of each recording; see `synergy.model.Model.segments`."""

    model: Model
    threshold: Mapping[str, float]
    window_s: float | None
    hop_s: float | None

    def whole(self, recording: Recording, content: BinaryIO | None) -> dict[str, Prediction] | None:
        """What is said about a recording as a whole; None for one that is heard in windows."""
        from synergy.audio.reading import read_duration
        from synergy.model import LONGEST_STREAM_S, WHOLE_S

        longest_s = WHOLE_S if self.window_s is None else self.window_s
        if read_duration(recording.name, LONGEST_STREAM_S, content) > longest_s:
            return None
        return self.model.predict(recording.name, self.threshold, content)

    def segments(
        self, recording: Recording, content: BinaryIO | None
    ) -> Iterator[tuple[str, PredictedSegment]]:
        """What is where in it."""
        return self.model.segments(
            recording.name, self.threshold, self.window_s, self.hop_s, content
        )

    def by_task(
        self, recording: Recording, content: BinaryIO | None
    ) -> dict[str, list[PredictedSegment]]:
        """The same, all segments of each task."""
        found: dict[str, list[PredictedSegment]] = {task: [] for task in self.model.tasks}
        for task, segment in self.segments(recording, content):
            found[task].append(segment)
        return found


class Form(ABC):
    """A form of output, from the first recording to the last."""

    def begin(self, recordings: Sequence[Recording], tasks: Sequence[str]) -> None:  # noqa: B027
        """Before the first one."""

    @abstractmethod
    def tell(self, question: Question, recording: Recording, content: BinaryIO | None) -> None:
        """What is said about one recording, which has this content if it is no file."""

    def end(self) -> None:  # noqa: B027
        """After the last one."""


class Text(Form):
    """For people: a line for each task, or for each segment of a long recording."""

    def tell(self, question: Question, recording: Recording, content: BinaryIO | None) -> None:
        """All at once, or as the recording is heard."""
        found = question.whole(recording, content)
        if found is not None:
            write("\n".join(map(_one_line, (recording.name, *_lines(found)))))
            return
        name = recording.name
        for task, segment in question.segments(recording, content):
            lines = [f"  {task}: {segment.text}"]
            if name:  # not before anything can be said of it
                lines, name = [name, *lines], ""
            write("\n".join(map(_one_line, lines)))
        if name:
            write(_one_line(name))


def _lines(found: Mapping[str, Prediction]) -> Iterator[str]:
    for task, answer in found.items():
        yield f"  {task}: {answer.text}"


def _one_line(text: str) -> str:
    return text.replace("\n", "\\n")


class Json(Form):
    """One document: a list with an object for each recording."""

    def __init__(self) -> None:
        self._opening = "["

    def tell(self, question: Question, recording: Recording, content: BinaryIO | None) -> None:
        """The next object of the list."""
        from synergy.audio.reading import SAMPLE_RATE_HZ  # help needs no numpy

        answer: dict[str, Any] = {"file": recording.name}
        found = question.whole(recording, content)
        if found is not None:
            answer["tasks"] = {task: told.to_json() for task, told in found.items()}
        else:
            grid = question.model.grid(question.window_s, question.hop_s)
            answer["window_s"], answer["hop_s"] = (n / SAMPLE_RATE_HZ for n in grid[:2])
            answer["tasks"] = {
                task: {"segments": [segment.to_json() for segment in segments]}
                for task, segments in question.by_task(recording, content).items()
            }
        text = document(answer).replace("\n", "\n  ")
        write(Document(f"{self._opening}\n  {text}"), end="")
        self._opening = ","

    def end(self) -> None:
        """The end of the list."""
        write("\n]" if self._opening == "," else "[]")


class Csv(Form):
    """One table with a row for each segment."""

    def begin(self, recordings: Sequence[Recording], tasks: Sequence[str]) -> None:
        """Its head."""
        write("file,task,start_s,end_s,label,probability")

    def tell(self, question: Question, recording: Recording, content: BinaryIO | None) -> None:
        """The rows of one recording, task by task."""
        rows = io.StringIO()
        writer = csv.writer(rows, lineterminator="\n")
        for task, segments in question.by_task(recording, content).items():
            for each in segments:
                share = round(each.probability, 6)
                writer.writerow([recording.name, task, each.start_s, each.end_s, each.label, share])
        write(Document(rows.getvalue()), end="")


class Labels(Form):
    """Label tracks of Audacity: start, end and label in a line, with tabs between."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, recordings: Sequence[Recording], tasks: Sequence[str]) -> None:
        """Refuse two recordings whose labels would be one file."""
        of_place: dict[Path, str] = {}
        for recording in recordings:
            other = of_place.setdefault(recording.place, recording.name)
            if other != recording.name:
                raise ConfigError(
                    f"--labels: expected recordings of different names, found {recording.name} and "
                    f"{other}, whose labels would be one file; give the folder that holds both"
                )

    def tell(self, question: Question, recording: Recording, content: BinaryIO | None) -> None:
        """A file for each task, ``RECORDING.TASK.txt``, in the subfolder of the recording."""
        from synergy.files import write_atomically  # help needs no pydantic

        for task, segments in question.by_task(recording, content).items():
            file = self._folder / recording.place.parent / f"{recording.place.name}.{task}.txt"
            lines = [
                f"{each.start_s:.6f}\t{each.end_s:.6f}\t{_one_line(printable(each.label))}\n"
                for each in segments
            ]
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(file, "".join(lines))
            except OSError as error:
                raise ConfigError(
                    f"--labels: {file} cannot be written: "
                    f"{refusal(error, file, 'name another folder')}"
                ) from error
            write(_one_line(str(file)))
