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
from typing import NamedTuple

from pydantic import TypeAdapter

from synergy.audio.reading import cache_folder, read_duration
from synergy.datasets.base import Clip, Progress
from synergy.errors import ConfigError, DataError
from synergy.files import write_atomically
from synergy.wording import SPLITS, problem_message, short_list

_KEPT = TypeAdapter(dict[str, tuple[int, int, str, float]])
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class FileFacts(NamedTuple):
    """Digest of an audio file's bytes, and its duration by the header."""

    digest: str
    duration_s: float


def expand_home(text: str) -> Path:
    """Path with a leading ``~`` or ``~user`` expanded; ConfigError if there is no such home."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"folder {text}: no such home folder; write the path out") from error


def expand_folder(text: str) -> Path:
    """Path with ``${NAME}`` from the environment (ConfigError if not set) and ``~`` expanded."""
    if unset := [name for name in _VARIABLE.findall(text) if not os.environ.get(name)]:
        names = " and ".join(dict.fromkeys(unset))
        raise ConfigError(
            f"folder {text}: the environment variable {names} is not set; "
            "set it to the folder of the data or write the path out"
        )
    return expand_home(_VARIABLE.sub(lambda match: os.environ[match[1]], text))


def corpus_folder(name: str, text: str) -> Path:
    """Existing folder of the corpus ``name``, resolved; DataError if there is none."""
    folder = expand_folder(text)
    if not folder.is_dir():
        raise DataError(f"corpus {name}: expected a folder at {folder}, found none")
    return folder.resolve()


def safe_path(folder: Path, path: str) -> tuple[str, str | None]:
    """Normal form of a path relative to ``folder``, and what is wrong with it, if anything.

    ``folder`` must be resolved. A symbolic link may not lead out of it.
    """
    normal = str(PurePosixPath(path))
    if PurePosixPath(path).is_absolute() or PureWindowsPath(path).drive or "\\" in path:
        return normal, f"{path}: expected a path relative to the folder, with forward slashes"
    if ".." in PurePosixPath(path).parts:
        return normal, f"{path}: the path leaves the corpus folder"
    try:
        resolved = (folder / normal).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        return normal, f"{path!r}: not a usable path ({error})"
    if not resolved.is_relative_to(folder):
        return normal, f"{path}: a symbolic link leads out of the corpus folder"
    if not resolved.is_file():
        return normal, f"{path}: no such file"
    return normal, None


def file_facts(
    folder: Path, paths: Sequence[str], problems: list[str], progress: Progress | None = None
) -> dict[str, FileFacts]:
    """Digest and duration of every file; adds a problem for each that has no audio.

    What was found is kept in the cache by path, size and time of change, so that only new and
    changed files are read. ``folder`` must be resolved.
    """
    kept = cache_folder() / "content" / f"{_hasher(str(folder).encode()).hexdigest()}.json"
    try:
        known = _KEPT.validate_json(kept.read_bytes(), strict=True)
    except (OSError, ValueError):  # missing or damaged
        known = {}
    entries: dict[str, tuple[int, int, str, float]] = {}
    unreadable: dict[str, str] = {}

    def look(path: str) -> None:
        file = folder / path
        try:
            state = file.stat()
            entry = known.get(path)
            if entry is None or entry[:2] != (state.st_size, state.st_mtime_ns):
                duration_s = read_duration(file)
                with file.open("rb") as stream:
                    digest = hashlib.file_digest(stream, _hasher).hexdigest()
                entry = (state.st_size, state.st_mtime_ns, digest, duration_s)
            entries[path] = entry
        except OSError as error:
            unreadable[path] = f"{path}: cannot be read ({error.strerror or error})"
        except DataError as error:
            unreadable[path] = str(error).replace(str(file), path)

    with ThreadPoolExecutor(max_workers=2) as pool:
        for done, _ in enumerate(pool.map(look, paths), start=1):
            if progress is not None and done % 1000 == 0:
                progress(done, len(paths))
    if any(known.get(path) != entry for path, entry in entries.items()):
        with contextlib.suppress(OSError):  # without it the next start is slower, nothing else
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(kept, json.dumps(entries, sort_keys=True))
    problems += [unreadable[path] for path in sorted(unreadable)]
    return {path: FileFacts(*entry[2:]) for path, entry in entries.items()}


def fingerprint(clips: Sequence[Clip], facts: Mapping[str, FileFacts]) -> str:
    """Hex digest of splits, speakers, labels, segments and audio; order and folder play no part."""
    hasher = _hasher()
    for clip in sorted(clips, key=lambda clip: clip.path):
        segments = None if clip.segments is None else sorted(map(astuple, clip.segments))
        row = [clip.path, clip.split, clip.speaker, dict(clip.labels), segments]
        text = json.dumps([*row, facts[clip.path].digest], sort_keys=True, ensure_ascii=True)
        hasher.update(text.encode() + b"\n")
    return hasher.hexdigest()


def refuse(name: str, folder: Path, clips: Iterable[Clip], problems: list[str]) -> None:
    """Raise a DataError on the problems of a corpus; a speaker in several splits is one of them."""
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
        raise DataError(problem_message(f"corpus {name} in {folder}", problems))


def hash_order(name: str) -> str:
    """Sort key that looks random but is the same on every machine."""
    return _hasher(name.encode()).hexdigest()


def _hasher(content: bytes = b"") -> hashlib.blake2b:
    return hashlib.blake2b(content, digest_size=16)
