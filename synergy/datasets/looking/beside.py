"""Files of labels beside recordings, of whatever program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from synergy import limits
from synergy.audio.reading import read_duration
from synergy.datasets.looking.audacity import read_audacity
from synergy.datasets.looking.elan import read_elan
from synergy.datasets.looking.found import Mark
from synergy.datasets.looking.rttm import SPEECH, read_rttm
from synergy.datasets.looking.sound_index import SoundIndex
from synergy.datasets.looking.textgrid import read_textgrid
from synergy.datasets.looking.webvtt import read_webvtt
from synergy.errors import DataError
from synergy.files import read_text, shortly
from synergy.names import label_problem
from synergy.wording import counted, problem_message, short_list, shown

PROGRAMS: dict[str, tuple[str, Callable[[str, str], dict[str, list[Mark]]]]] = {
    ".txt": ("Audacity labels", read_audacity),
    ".rttm": ("RTTM", read_rttm),
    ".textgrid": ("TextGrid", read_textgrid),
    ".eaf": ("ELAN", read_elan),
    ".vtt": ("WebVTT", read_webvtt),
}
"""By ending in lower case: what it is called, and what reads a text and the stem of its name."""

SILENCE = frozenset({"", "sil", "silence", "<sil>", "sp", "pau", "<p:>", "#", "_", "non-speech"})
_MOST_LABELS = 8
# As much as the loader of manifests lets a segment be too long.
_TOO_LONG_S = 0.1
_SHORTEST_S = 0.001  # points of a label track are no stretches


@dataclass
class Marked:
    """Marks by the path of the recording, the programs that they come from, what to check."""

    marks: dict[str, list[Mark]] = field(default_factory=dict)
    programs: list[str] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)


def marks_beside(folder: Path, files: Sequence[str], sounds: SoundIndex) -> Marked:
    """All marks that files beside recordings hold; none where there are no such files.

    Raises
    ------
    DataError
        If files cannot be read, names all of them. A text that has no labels is only told.
    """
    found = Marked()
    problems: list[str] = []
    others = strange = 0
    for path in files:
        pure = PurePosixPath(path)
        if pure.suffix.lower() not in PROGRAMS:
            continue
        program, read = PROGRAMS[pure.suffix.lower()]
        beside = sounds.beside(path)
        if pure.suffix.lower() == ".txt" and beside is None:
            continue  # some text
        try:
            named = read(read_text(folder / path, limits.ANNOTATION_BYTES), pure.stem)
        except ValueError as error:
            if pure.suffix.lower() == ".txt":  # a transcript
                others += 1
            else:
                problems.append(f"{shown(path)}: {shortly(error)}")
            continue
        except OSError as error:
            problems.append(f"{shown(path)}: cannot be read ({shortly(error)})")
            continue
        if program not in found.programs:
            found.programs.append(program)
        for stem, marks in named.items():
            sound = beside if stem == pure.stem and beside else sounds.find(stem)
            if sound is None:
                strange += 1
            else:
                found.marks.setdefault(sound, []).extend(marks)
    if problems:
        raise DataError(problem_message(f"{folder}", problems, limit=len(problems)))
    if others:
        texts = counted(others, "text")
        found.checks.append(f"{texts} beside recordings hold no labels of Audacity: left out")
    if strange:
        found.checks.append(
            f"labels of {counted(strange, 'recording')} that {'is' if strange == 1 else 'are'} "
            "not there are left out"
        )
    return found


def settled(folder: Path, marks: Mapping[str, Sequence[Mark]]) -> Marked:
    """Marks as a corpus can have them: no silence, few labels, none behind the end.

    Labels are kept where they are few, else all of them become speech: they are words then.
    """
    labels = Counter(m.label for own in marks.values() for m in own if not _silent(m.label))
    few = len(labels) <= _MOST_LABELS and not any(map(label_problem, labels))
    result = Marked()
    behind = 0
    for path, own in marks.items():
        try:
            end_s = read_duration(folder / path)
        except DataError:  # told when the corpus is read
            end_s = float("inf")
        kept: list[Mark] = []
        for mark in own:
            first_s = max(0.0, mark.start_s)
            last_s = mark.end_s if mark.end_s <= end_s + _TOO_LONG_S else end_s
            if _silent(mark.label):
                continue
            if last_s - first_s >= _SHORTEST_S:
                kept.append(Mark(first_s, last_s, mark.label if few else SPEECH))
            behind += last_s < mark.end_s
        result.marks[path] = kept
    if labels and not few:
        result.checks.append(
            f"{len(labels)} different labels, such as {short_list(list(labels)[:3])}, are taken "
            f"for words: every stretch with one counts as {SPEECH}"
        )
    if behind:
        result.checks.append(
            f"{counted(behind, 'stretch', 'stretches')} with a label ended after the end of the "
            "recording: cut off"
        )
    return result


def _silent(label: str) -> bool:
    return label.strip().lower() in SILENCE
