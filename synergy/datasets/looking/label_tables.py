"""Tables that tell what recordings hold: CSV or TSV with any of the usual names of columns."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from synergy.datasets.csv_rows import Rows, read_rows
from synergy.datasets.looking.found import Mark, Recorded, plain
from synergy.datasets.looking.rttm import SPEECH
from synergy.datasets.looking.sound_index import SoundIndex
from synergy.datasets.split_names import split_names
from synergy.errors import DataError
from synergy.names import label_problem
from synergy.quantities import decimal_number
from synergy.wording import Split, counted, quoted, short_list, shown

READY = "manifest.csv"
ENDINGS = (".csv", ".tsv", ".tab")
COLUMNS: dict[str, frozenset[str]] = {
    role: frozenset(words.split())
    for role, words in {
        "path": "path file filename filepath fname audio audiopath audiofile audiofilename wav "
        "wavpath wavfile wavfilename clip clippath clipname recording recordingid slicefilename "
        "sound soundfile soundpath utterance utteranceid utt uttid id name",
        "speaker": "speaker speakerid speakername spk spkid spkr client clientid subject subjectid "
        "participant participantid person personid user userid actor actorid reader readerid "
        "talker talkerid voice voiceid",
        "split": "split set subset partition usage",
        "start": "start starts starttime startsec startseconds begin begins begintime tbegin "
        "onset tmin xmin t0 startms beginms onsetms",
        "end": "end ends endtime endsec endseconds stop stoptime finish tend tmax xmax t1 endms "
        "stopms",
        "duration": "duration durations dur length durationseconds seconds",
        "event": "label class event eventlabel category tag type annotation",
        "licence": "licence license",
    }.items()
}
"""What columns are for, by their `plain` names; what is in none may hold classes."""

_KNOWN = frozenset().union(*COLUMNS.values())
_RESERVED = frozenset({"path", "split", "speaker", "duration_s", "licence", "label_source"})
# Of what numbers are measures and no classes, few as they may be.
_MEASURES = frozenset(
    [
        "age",
        "year",
        "years",
        "height",
        "weight",
        "level",
        "score",
        "rating",
        "count",
        "index",
        "number",
        "votes",
        "upvotes",
        "downvotes",
        "rate",
        "samplerate",
        "channels",
        "bits",
        "bitdepth",
        "fold",
        "seconds",
        "frames",
    ]
)
_MOST_TABLES = 50
_MOST_CLASSES = 500
_MOST_NUMBERS = 10
_FEWEST_EACH = 3  # clips of a class, on average


@dataclass
class Told:
    """What tables tell: recordings by path, columns that can be tasks, what to check.

    ``ready`` if one of them is a manifest that can be read as it is.
    """

    ready: bool = False
    tables: list[str] = field(default_factory=list)
    recorded: dict[str, Recorded] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)


def told_by_tables(folder: Path, files: Sequence[str], sounds: SoundIndex) -> Told:
    """All that the tables below a folder tell of its recordings.

    Of tables that are called like splits the others are no part. A table without a column of
    recordings is left out.

    Raises
    ------
    DataError
        If rows contradict each other, or times are no numbers.
    """
    paths = [path for path in files if path.lower().endswith(ENDINGS)]
    stems = {path: PurePosixPath(path).stem.lower() for path in paths}
    known = split_names(stems.values())
    named = [path for path in paths if stems[path] in known]
    told = Told()
    for path in (named or paths)[:_MOST_TABLES]:
        folder_of = PurePosixPath(path).parent.as_posix()
        try:
            columns, rows = read_rows(folder / path, (), _familiar)
        except DataError as error:
            told.checks.append(f"{shown(path)} is left out: {error}")
            continue
        roles = _roles(columns, rows, sounds, folder_of)
        if "path" not in roles:
            told.checks.append(f"{shown(path)} is left out: no column has names of recordings")
            continue
        told.tables.append(path)
        told.ready |= path == READY and roles["path"] == "path" and roles.get("split") == "split"
        others = [] if "start" in roles else [c for c in columns if c not in {*roles.values()}]
        named_split = known[stems[path]] if named else None
        try:
            _add(told, path, roles, others, rows, sounds, named_split)
        except ValueError as error:
            raise DataError(f"{(folder / path).parent}: {error}") from error
    if (further := len(named or paths) - _MOST_TABLES) > 0:
        told.checks.append(
            f"{counted(further, 'further table')} left out: more than {_MOST_TABLES}"
        )
    _classes(told)
    return told


def _familiar(header: Sequence[str]) -> int:
    return len(_KNOWN & {*map(plain, header)})


def _roles(columns: Sequence[str], rows: Rows, sounds: SoundIndex, folder: str) -> dict[str, str]:
    """Column by role, of the roles that are there."""
    roles: dict[str, str] = {}
    for role, words in COLUMNS.items():
        named = [column for column in columns if plain(column) in words]
        if role == "path":  # names are many: what they hold decides
            hits = {c: sum(bool(sounds.find(row[c], folder)) for _, row in rows) for c in named}
            named = [c for c in named if hits[c] and hits[c] == max(hits.values())]
        if named:
            roles[role] = named[0]
    offsets = [column for column in columns if plain(column) == "offset"]
    if offsets and plain(roles.get("start", "")) == "onset":
        roles["end"] = offsets[0]
    if "split" in roles:
        words = {row[roles["split"]].lower() for _, row in rows} - {""}
        if not words <= split_names(words).keys():
            del roles["split"]
    if "start" not in roles or not roles.keys() & {"end", "duration"}:
        for role in ("start", "end", "event", "duration"):
            roles.pop(role, None)
    return roles


def _add(
    told: Told,
    table: str,
    roles: dict[str, str],
    others: Sequence[str],
    rows: Rows,
    sounds: SoundIndex,
    split: Split | None,
) -> None:
    known = split_names(row[roles["split"]] for _, row in rows) if "split" in roles else {}
    folder = PurePosixPath(table).parent.as_posix()
    lost: list[str] = []
    heard: dict[str, set[str]] = {}
    for where, row in rows:
        text = row[roles["path"]]
        path = sounds.find(text, folder)
        if path is None:
            lost.append(text)
            continue
        told.ready &= path == text or table != READY
        own = split or known.get(row[roles.get("split", "")].lower())
        labels = {column: row[column] for column in others if row[column]}
        if "licence" in roles:
            labels["licence"] = row[roles["licence"]]
        speaker = row[roles.get("speaker", "")]
        if "start" in roles:  # a recording may have stretches of several people
            heard.setdefault(path, set()).add(speaker)
            speaker = ""
        new = Recorded(path, own, speaker, labels)
        if contradiction := _join(told.recorded.setdefault(path, Recorded(path)), new):
            raise ValueError(
                f"{where}: {shown(path)} has another {shown(contradiction)} here than "
                "before; expected the same in all rows of a recording"
            )
        if "start" in roles:
            each = told.recorded[path]
            each.marks = [*(each.marks or []), _mark(where, row, roles)]
    for path, speakers in heard.items():
        if len(speakers) == 1:
            told.recorded[path].speaker = told.recorded[path].speaker or speakers.pop()
    if lost:
        told.checks.append(
            f"{shown(table)}: {counted(len(lost), 'row')} of {len(rows)} "
            f"{'names' if len(lost) == 1 else 'name'} no recording that is there, such as "
            f"{quoted(lost[0])}: left out"
        )


def _join(old: Recorded, new: Recorded) -> str:
    """Add to a recording what another row tells of it; what they contradict each other in."""
    for column, value in new.labels.items():
        if old.labels.setdefault(column, value) != value:
            return column
    if old.split and new.split and old.split != new.split:
        return "split"
    if old.speaker and new.speaker and old.speaker != new.speaker:
        return "speaker"
    old.split, old.speaker = old.split or new.split, old.speaker or new.speaker
    return ""


def _mark(where: str, row: defaultdict[str, str], roles: dict[str, str]) -> Mark:
    cells = {role: row[roles[role]] for role in ("start", "end", "duration") if role in roles}
    # tables with semicolons write decimal commas
    numbers = {role: decimal_number(cell.replace(",", ".")) for role, cell in cells.items()}
    scale = 0.001 if plain(roles["start"]).endswith("ms") else 1.0
    start, end = numbers["start"], numbers.get("end")
    if "end" not in roles and start is not None and numbers["duration"] is not None:
        end = start + numbers["duration"]
    if start is None or end is None or not 0 <= start <= end:
        raise ValueError(
            f"{where}: expected start and end in seconds, found "
            f"{' and '.join(map(quoted, cells.values()))}"
        )
    return Mark(start * scale, end * scale, row[roles["event"]] if "event" in roles else SPEECH)


def _classes(told: Told) -> None:
    """Note the columns with few values that are there several times; others stay labels."""
    recorded = list(told.recorded.values())
    same: dict[tuple[int, ...], str] = {}
    for column in dict.fromkeys(column for each in recorded for column in each.labels):
        values = Counter(each.labels[column] for each in recorded if column in each.labels)
        numbers = [value for value in values if decimal_number(value.replace(",", ".")) is not None]
        wrong = any(map(label_problem, values)) or column in _RESERVED
        few = 2 <= len(values) <= _MOST_CLASSES
        often = sum(values.values()) >= _FEWEST_EACH * len(values)
        # ages, levels and the like are no classes
        digits = len(values) <= _MOST_NUMBERS and plain(column) not in _MEASURES
        digits &= all(map(str.isdecimal, numbers))
        if few and often and not wrong and (digits or len(numbers) < len(values)):
            seen: dict[str | None, int] = {}
            parts = tuple(seen.setdefault(e.labels.get(column), len(seen)) for e in recorded)
            if same.setdefault(parts, column) == column:
                told.classes.append(column)
            else:
                told.checks.append(f"{shown(column)} tells what {shown(same[parts])} does: no task")


def without_texts(recorded: Sequence[Recorded], classes: Sequence[str]) -> None:
    """Take out the columns that a corpus cannot have, such as texts."""
    columns = list(dict.fromkeys(column for each in recorded for column in each.labels))
    for column in columns:
        values = [column, *(r.labels[column] for r in recorded if column in r.labels)]
        possible = column not in _RESERVED and not any(map(label_problem, values))
        if column not in classes and column != "licence" and not possible:
            for each in recorded:
                each.labels.pop(column, None)


def no_classes(told: Told) -> str:
    """What is said where tables have no column of classes."""
    columns = {column for each in told.recorded.values() for column in each.labels}
    return (
        f"{short_list(told.tables)}: expected a column with the classes of the recordings, with at "
        f"least {_FEWEST_EACH} recordings for each on average, found "
        f"{short_list(sorted(columns))}"
    )
