"""From folders as they lie on somebody's disk to a configuration, and what is in them."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from synergy import limits
from synergy.config import load_config
from synergy.datasets import load_corpus
from synergy.datasets.base import Corpus
from synergy.datasets.looking import look
from synergy.datasets.looking.found import Ask, Found, Recorded
from synergy.errors import ConfigError, DataError
from synergy.files import read_text, shortly, write_atomically
from synergy.strict_yaml import yaml_text
from synergy.tasks.clips import FEWEST_SPEAKERS
from synergy.tasks.selection import TaskSelection, select_clips
from synergy.training.config import TrainingConfig
from synergy.wording import REPORTED, SPLIT_NAMES, SPLITS, counted, printable, short_list

CONFIG = "synergy.yaml"
MARK = "# Written by `synergy init`"
_GENERIC = frozenset({"class", "classes", "label", "labels", "category", "target", "type", "name"})
Preparing = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TaskRow:
    """A task in one corpus: classes, known speakers, clips, hours, and clips of each split."""

    task: str
    kind: str
    corpus: str
    classes: tuple[str, ...]
    speakers: int
    clips: int
    hours: float
    splits: Mapping[str, int]


@dataclass(frozen=True)
class Understood:
    """What was written, what each corpus was taken for, its tasks, and what to check."""

    file: Path
    written: tuple[Path, ...]
    layouts: Mapping[str, str]
    tasks: tuple[TaskRow, ...]
    checks: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        paths = {"file": str(self.file), "written": list(map(str, self.written))}
        return {**asdict(self), **paths}


def init(
    folders: Sequence[Path],
    output: Path | None,
    replace: bool,
    ask: Ask,
    preparing: Preparing | None = None,
) -> Understood:
    """Look at folders, write a configuration and the lists that it needs, and read it back.

    Parameters
    ----------
    output : Path, optional
        Where it is written; by default the working folder, unless recordings lie around it.
    replace : bool
        Replace what an earlier call wrote there.

    Raises
    ------
    ConfigError
        If something would be replaced that may not be, or a folder is named twice.
    DataError
        If a folder is not understood, or what was written cannot be used as it is.
    """
    places = _places(folders)
    target = (output or Path()).resolve()
    inside = [place for place in places.values() if output is None and _is_below(target, place)]
    if inside:
        raise ConfigError(
            f"expected to write beside the recordings, found that {target} is in {inside[0]}; "
            "name a folder with --output, this one if it is wanted"
        )
    own = [target / f"{name}_{rest}" for name in places for rest in ("lists", "splits.csv")]
    found = {name: look(place, ask, own) for name, place in places.items()}
    files = _texts(target, places, found)
    _refuse_foreign(target, list(files), replace)
    _write(files)
    written = tuple(file for file, text in files.items() if text is not None)
    try:
        rows, notes, failed = _read_back(target / CONFIG, preparing)
        if failed and rows:
            _write(_texts(target, places, found, failed))
        elif failed:
            raise DataError("\n".join(failed.values()))
    except DataError as error:
        raise DataError(
            f"{error}\n{target / CONFIG} is written; change it or the recordings, and look again "
            f"with `synergy data check --config {target / CONFIG}`"
        ) from error
    notes += [f"left out: {' '.join(problem.split())}" for problem in failed.values()]
    checks = [f"{name}: {check}" for name, each in found.items() for check in each.checks]
    if len({row.task for row in rows}) == 1:
        checks.append("one task alone has no other to share layers with: add one")
    layouts = {name: each.layout for name, each in found.items()}
    return Understood(target / CONFIG, written, layouts, tuple(rows), (*checks, *notes))


def _places(folders: Sequence[Path]) -> dict[str, Path]:
    """Folders by the names of their corpora."""
    places: dict[str, Path] = {}
    for folder in folders:
        try:
            if not folder.is_dir():
                raise DataError(f"expected a folder of recordings at {folder}, found none")
            place = folder.resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise DataError(f"{folder} cannot be used as a folder ({shortly(error)})") from error
        for name, other in places.items():
            if _is_below(place, other) or _is_below(other, place):
                raise ConfigError(
                    f"expected folders beside each other, found {place} and {other} (corpus {name})"
                )
        places[_unused(_word(place.name, "recordings"), places)] = place
    return places


def _is_below(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def _word(text: str, otherwise: str) -> str:
    """A name for tasks, corpora and files: a letter, then letters, digits, ``_`` and ``-``."""
    word = re.sub(r"[^A-Za-z0-9-]+", "_", text).strip("_-")[: limits.NAME - 10]
    return word if re.match("[A-Za-z]", word) else f"{otherwise}_{word}".rstrip("_")


def _unused(name: str, taken: Mapping[str, object]) -> str:
    known = {each.lower().replace("-", "_") for each in taken}
    names = [name, *(f"{name}_{number}" for number in range(2, len(taken) + 3))]
    return next(each for each in names if each.lower().replace("-", "_") not in known)


# -- what is written ------------------------------------------------------------------------------


def _texts(
    target: Path,
    places: Mapping[str, Path],
    found: Mapping[str, Found],
    failed: Iterable[str] = (),
) -> dict[Path, str | None]:
    """Text of each file that is written, the lists first; None for one that must not be there.

    The tasks that ``failed`` are left out.
    """
    files: dict[Path, str | None] = {}
    parts = [
        f"{MARK}: look through it and change what you like.\n"
        "# docs/configuration.md has every setting, docs/own_recordings.md tells how it is made.\n"
    ]
    corpora: list[str] = ["corpora:\n"]
    for name, each in found.items():
        place = _seen_from(target, places[name])
        settings: dict[str, Any] = {**each.settings, "folder": place}
        told = (f"understood as: {each.layout}", *each.checks)
        corpora += [f"  # {' '.join(printable(line).split())}\n" for line in told]
        if each.recorded is not None:
            lists = f"{name}_lists"
            settings |= {"folder": lists, "root": place, "splits": f"{lists}/splits.csv"}
            files[target / lists / "manifest.csv"] = _manifest(each.recorded)
            files[target / lists / "segments.csv"] = _segments(each.recorded)
        elif each.settings["format"] != "speech_commands":
            settings["splits"] = f"{name}_splits.csv"
        settings["on_bad_audio"] = "skip"
        corpora.append(_indented({name: settings}, 2))
    tasks = {name: task for name, task in _tasks(found).items() if name not in failed}
    parts += [
        "".join(corpora),
        "# One entry for each thing that a recording tells; delete those that you do not need.\n"
        + "tasks:\n"
        + _indented(tasks, 2),
        "# As many steps as the recordings are worth, never more than `training` says.\n"
        "schedule: auto\n",
        "# The defaults. Fewer epochs are quicker and less accurate; crops should be as long as\n"
        "# what tells the classes apart.\n"
        + yaml_text({"training": TrainingConfig().model_dump(mode="json")}),
        "# Trainings with several seeds tell what is chance; three are a good start.\n"
        + "seeds: 1\n"
        + "# Largest loss of accuracy by sharing, in percent.\n"
        + "max_ar: 2.0\n",
    ]
    files[target / CONFIG] = "\n".join(parts)
    return files


def _seen_from(target: Path, place: Path) -> str:
    """A folder as the configuration names it: relative where it lies below."""
    text = os.path.relpath(place, target) if _is_below(place, target) else str(place)
    if "${" in text:
        raise DataError(f"{text}: a configuration would take ${{ for a variable; rename the folder")
    return str(place) if text.startswith(("~", "$")) else text


def _indented(data: Mapping[str, Any], spaces: int) -> str:
    return "".join(f"{' ' * spaces}{line}\n" for line in yaml_text(dict(data)).splitlines())


def _tasks(found: Mapping[str, Found]) -> dict[str, Any]:
    """Tasks of all corpora; those of one name and kind are one task."""
    tasks: dict[str, Any] = {}
    for corpus, each in found.items():
        for label, task in each.tasks.items():
            name = _word(corpus if label.lower() in _GENERIC else label, "task")
            if name in tasks and (tasks[name]["kind"] != task.kind or label.lower() in _GENERIC):
                name = _word(f"{name}_{label}", "task")
            if name not in tasks:
                name = _unused(name, tasks)
            entry = tasks.setdefault(name, {"kind": task.kind, "corpora": {}})
            entry["corpora"][corpus] = dict(task.source)
    return tasks


def _manifest(recorded: Sequence[Recorded]) -> str:
    columns = list(dict.fromkeys(column for each in recorded for column in each.labels))
    splits = ["split"] if any(each.split for each in recorded) else []
    rows = [
        [
            each.path,
            *([each.split or ""] if splits else []),
            each.speaker,
            *(each.labels.get(column, "") for column in columns),
        ]
        for each in recorded
    ]
    return _csv(["path", *splits, "speaker", *columns], rows)


def _segments(recorded: Sequence[Recorded]) -> str | None:
    rows = [
        [each.path, f"{mark.start_s:.4f}", f"{mark.end_s:.4f}", mark.label]
        for each in recorded
        for mark in each.marks or ()
    ]
    return _csv(["path", "start_s", "end_s", "label"], rows) if rows else None


def _csv(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([columns, *rows])
    return table.getvalue()


def _write(files: Mapping[Path, str | None]) -> None:
    for file, text in files.items():
        try:
            if text is None:
                file.unlink(missing_ok=True)
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(file, text)
        except OSError as error:
            raise ConfigError(f"{file}: cannot be written ({shortly(error)})") from error


def _refuse_foreign(target: Path, files: Sequence[Path], replace: bool) -> None:
    """Raise ConfigError on what lies where something is to be written, and may not go."""
    there = [file for file in files if os.path.lexists(file)]
    if not there:
        return
    if not replace:
        raise ConfigError(
            f"{there[-1]} is there already; move it away, name another folder with --output, or "
            "add --replace if `synergy init` wrote it"
        )
    try:
        text = read_text(target / CONFIG, limits.CONFIG_BYTES)
    except (OSError, ValueError):
        text = ""
    foreign = [
        file
        for file in there
        if not text.startswith(MARK) or (file.name != CONFIG and file.parent.name not in text)
    ]
    if foreign:
        raise ConfigError(
            f"{short_list(map(str, foreign), 3)}: `synergy init` did not write it, so --replace "
            "leaves it; move it away or name another folder with --output"
        )


# -- what is there --------------------------------------------------------------------------------


def _read_back(
    file: Path, preparing: Preparing | None
) -> tuple[list[TaskRow], list[str], dict[str, str]]:
    """What the tasks of a configuration find, what is to be said of it, and which fail and why."""
    config = load_config(file)
    corpora: dict[str, Corpus] = {}
    for name, settings in config.corpora.items():

        def tell(done: int, total: int, name: str = name) -> None:
            if preparing is not None:
                preparing(f"reading {name}", done, total)

        corpora[name] = load_corpus(name, settings, tell)
    rows: list[TaskRow] = []
    notes = [note for corpus in corpora.values() for note in corpus.notes]
    failed: dict[str, str] = {}
    for name, task in config.tasks.items():
        try:
            found = select_clips(name, task.classes, task.rules, task.corpora, corpora)
        except DataError as error:
            failed[name] = str(error)
            continue
        rows += [_row(found, corpus, task.kind) for corpus in task.corpora]
        notes += [note for note in (found.alike, _few(found)) if note]
    return rows, notes, failed


def _row(found: TaskSelection, corpus: str, kind: str) -> TaskRow:
    clips = [each.clip for each in found.clips if each.corpus == corpus]
    return TaskRow(
        task=found.spec.name,
        kind=kind,
        corpus=corpus,
        classes=found.spec.classes,
        speakers=len({clip.speaker for clip in clips} - {""}),
        clips=len(clips),
        hours=round(sum(clip.duration_s for clip in clips) / 3600, 4),
        splits={split: sum(clip.split == split for clip in clips) for split in SPLITS},
    )


def _few(found: TaskSelection) -> str:
    """Says in which splits fewer speakers are known than an interval needs."""
    few: list[str] = []
    for split in REPORTED:
        known = {(e.corpus, e.clip.speaker) for e in found.of_split(split) if e.clip.speaker}
        if 0 < len(known) < FEWEST_SPEAKERS:
            few.append(f"{counted(len(known), 'speaker')} in {SPLIT_NAMES[split]}")
    return f"{found.spec.name}: {' and '.join(few)}: too few for an interval" if few else ""
