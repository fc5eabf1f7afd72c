"""What every corpus reader needs of its files: safe paths, content digests, a fingerprint."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field

from synergy import limits
from synergy.audio.reading import read_blocks, read_duration
from synergy.cache import cache_folder
from synergy.datasets.base import Clip, Corpus, Progress
from synergy.errors import ConfigError, DataError, WorkspaceError
from synergy.files import Artefact, shortly
from synergy.wording import SPLITS, printable, problem_message, quoted, short_list, shown

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def _folder(text: str) -> str:
    try:
        size = len(os.fsencode(text))
    except UnicodeEncodeError as error:
        raise ValueError(f"expected a path, found {quoted(text)}") from error
    if not text or "\0" in text or size > limits.FOLDER_BYTES:
        raise ValueError(
            f"expected a path of 1 to {limits.FOLDER_BYTES:,} bytes, none of them zero, found "
            f"{quoted(text)}"
        )
    return text


Folder = Annotated[str, AfterValidator(_folder)]
"""The text of a folder, with ``~`` and ``${NAME}`` unexpanded."""

BadAudio = Literal["stop", "skip"]
"""What is done about recordings that cannot be decoded."""

_MOST_SKIPPED = 0.01

Entry = tuple[
    Annotated[int, Field(ge=0)],
    int,
    Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")],
    Annotated[float, Field(gt=0)],
]
"""What is known of a file: size, time of change in ns, digest, duration in seconds."""


class ContentFile(Artefact):
    """What is known of the files of a corpus, by path; kept in the cache."""

    version: int = Field(default=2, ge=2)  # there were files without a checksum
    files: dict[str, Entry]


class FileFacts(NamedTuple):
    """Digest of an audio file's bytes, and its duration by the header."""

    digest: str
    duration_s: float


def expand_home(text: str) -> Path:
    """Path with a leading ``~`` or ``~user`` expanded; ConfigError if there is no such home."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f"folder {shown(text)}: no such home folder; write the path out"
        ) from error


def expand_folder(text: str) -> Path:
    """Path with ``${NAME}`` from the environment (ConfigError if not set) and ``~`` expanded."""
    if unset := [name for name in _VARIABLE.findall(text) if not os.environ.get(name)]:
        names = " and ".join(dict.fromkeys(unset))
        raise ConfigError(
            f"folder {shown(text)}: the environment variable {shown(names)} is not set; "
            "set it to the folder of the data or write the path out"
        )
    return expand_home(_VARIABLE.sub(lambda match: os.environ[match[1]], text))


def corpus_folder(name: str, text: str) -> Path:
    """Existing folder of the corpus ``name``, resolved; DataError if there is none."""
    folder = expand_folder(text)
    try:
        if folder.is_dir():
            return folder.resolve()
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"corpus {name}: {folder} cannot be used as a folder ({shortly(error)})"
        ) from error
    raise DataError(f"corpus {name}: expected a folder at {folder}, found none")


def safe_path(folder: Path, path: str) -> tuple[str, str | None]:
    """Normal form of a path relative to ``folder``, and what is wrong with it, if anything.

    ``folder`` must be resolved. A symbolic link may not lead out of it.
    """
    name = shown(path)
    if len(path) > limits.FOLDER_BYTES:
        return path, f"{name}: expected a path of at most {limits.FOLDER_BYTES:,} characters"
    pure = PurePosixPath(path)
    normal = str(pure)
    if pure.is_absolute() or PureWindowsPath(path).drive or "\\" in path:
        return normal, f"{name}: expected a path relative to the folder, with forward slashes"
    if ".." in pure.parts:
        return normal, f"{name}: the path leaves the corpus folder"
    try:
        path.encode()
        resolved = (folder / normal).resolve()
        found = resolved.is_file()
    except UnicodeEncodeError:
        return normal, f"{name}: expected a file name in UTF-8; rename the file"
    except (OSError, RuntimeError, ValueError) as error:
        return normal, f"{name}: not a usable path ({shortly(error)})"
    if not resolved.is_relative_to(folder):
        return normal, f"{name}: a symbolic link leads out of the corpus folder"
    return normal, None if found else f"{name}: no such file"


def file_facts(
    folder: Path,
    paths: Sequence[str],
    problems: list[str],
    progress: Progress | None = None,
    again: bool = False,
) -> dict[str, FileFacts]:
    """Digest and duration of every file; adds a problem for each that has no audio.

    What was found is kept in the cache by path, size and time of change, so that only new and
    changed files are read. With ``again`` all are read, and it is a problem where the content has
    changed and size and time have not. ``folder`` must be resolved.
    """
    kept = cache_folder() / "content" / f"{_hasher(os.fsencode(folder)).hexdigest()}.json"
    known = _known(kept)
    entries: dict[str, Entry] = {}
    unreadable: dict[str, str] = {}

    def look(path: str) -> None:
        file, before = folder / path, known.get(path)
        try:
            state = file.stat()
            same = before is not None and before[:2] == (state.st_size, state.st_mtime_ns)
            if before is not None and same and not again:
                entries[path] = before
                return
            duration_s = read_duration(file)
            for _ in read_blocks(file):  # all of it can be decoded
                pass
            with file.open("rb") as stream:
                digest = hashlib.file_digest(stream, _hasher).hexdigest()
            entries[path] = (state.st_size, state.st_mtime_ns, digest, duration_s)
            if before is not None and same and digest != before[2]:
                unreadable[path] = (
                    f"{shown(path)}: its content has changed, though its size and time have not; "
                    "the next command takes it as it is now"
                )
        except OSError as error:
            unreadable[path] = f"{shown(path)}: cannot be read ({error.strerror or error})"
        except DataError as error:
            unreadable[path] = str(error).replace(printable(str(file)), shown(path))

    with contextlib.ExitStack() as stack:
        pool = ThreadPoolExecutor(max_workers=2)
        stack.callback(pool.shutdown, cancel_futures=True)  # an interrupt waits for two files only
        for done, _ in enumerate(pool.map(look, paths), start=1):
            if progress is not None and done % 1000 == 0:
                progress(done, len(paths))
    if any(known.get(path) != entry for path, entry in entries.items()):
        with contextlib.suppress(OSError):  # without it the next start is slower, nothing else
            kept.parent.mkdir(parents=True, exist_ok=True)
            ContentFile(files=entries).write(kept)
    problems += [unreadable[path] for path in sorted(unreadable)]
    return {path: FileFacts(*entry[2:]) for path, entry in entries.items()}


def _known(kept: Path) -> dict[str, Entry]:
    try:
        found = ContentFile.read(kept)
    except WorkspaceError:  # damaged: as if it were not there
        found = None
    return {} if found is None else found.files


def read_again(corpus: Corpus, progress: Progress | None = None) -> None:
    """Read every file of a corpus, whatever is known of it.

    Raises
    ------
    DataError
        If the content of a file is not that of the digest that was kept, though size and time of
        change are the same. What is known is brought up to date all the same.
    """
    problems: list[str] = []
    paths = [clip.path for clip in corpus.clips]
    file_facts(corpus.folder, paths, problems, progress, again=True)
    refuse(corpus.name, corpus.folder, (), problems)


def fingerprint(clips: Sequence[Clip], facts: Mapping[str, FileFacts]) -> str:
    """Hex digest of splits, speakers, labels, segments and audio; order and folder play no part."""
    hasher = _hasher()
    for clip in sorted(clips, key=lambda clip: clip.path):
        segments = None if clip.segments is None else sorted(map(astuple, clip.segments))
        row = [clip.path, clip.split, clip.speaker, dict(clip.labels), segments]
        text = json.dumps([*row, facts[clip.path].digest], sort_keys=True, ensure_ascii=True)
        hasher.update(text.encode() + b"\n")
    return hasher.hexdigest()


def left_out(
    name: str, on_bad_audio: BadAudio, bad: Sequence[str], files: int, problems: list[str]
) -> list[str]:
    """Notes on recordings that are left out; if that is not wanted they are ``problems``.

    ``bad`` has a sentence on each, of all ``files`` of the corpus.
    """
    if on_bad_audio == "stop" or len(bad) > _MOST_SKIPPED * files:
        problems += bad
        return []
    head = f"corpus {name}, left out of {files} recordings (on_bad_audio: skip)"
    return [f"{head}: {reason}" for reason in bad]


def refuse(
    name: str, folder: Path, clips: Iterable[Clip], problems: list[str], limit: int = 10
) -> None:
    """Raise a DataError on the problems of a corpus; a speaker in several splits is one of them.

    The first ``limit`` of them are shown.
    """
    splits: dict[str, set[str]] = {}
    for clip in clips:
        if clip.speaker:
            splits.setdefault(clip.speaker, set()).add(clip.split)
    shared = [
        f"{speaker} ({', '.join(split for split in SPLITS if split in found)})"
        for speaker, found in sorted(splits.items())
        if len(found) > 1
    ]
    if shared:
        problems.append(
            f"expected every speaker in one split, found in several: {short_list(shared)}"
        )
    if problems:
        raise DataError(problem_message(f"corpus {name} in {folder}", problems, limit))


def hash_order(name: str) -> str:
    """Sort key that looks random but is the same on every machine."""
    return _hasher(name.encode("utf-8", "surrogateescape")).hexdigest()


def _hasher(content: bytes = b"") -> hashlib.blake2b:
    return hashlib.blake2b(content, digest_size=16)
