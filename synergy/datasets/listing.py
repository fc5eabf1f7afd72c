"""Which files lie below a folder."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from synergy import limits
from synergy.errors import DataError
from synergy.files import shortly

AUDIO = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".sph"}
)
"""Endings of recordings, in lower case."""


def files_below(folder: Path) -> list[str]:
    """Paths of all files below a folder, relative to it, with forward slashes, sorted.

    Nothing hidden, nothing whose name or folder begins with ``_``, and nothing behind a link to
    another folder.

    Raises
    ------
    DataError
        If a folder cannot be listed, or there are more than `limits.FILES`.
    """

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: the folder cannot be listed ({shortly(error)})")

    found: list[str] = []
    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if name[0] not in "._"]
        inside = Path(place).relative_to(folder)
        found += [(inside / name).as_posix() for name in names if name[0] not in "._"]
        if len(found) > limits.FILES:
            raise DataError(
                f"{folder}: expected at most {limits.FILES:,} files, found more; name a folder "
                "that has recordings and nothing else"
            )
    return sorted(found)


def is_audio(path: str) -> bool:
    """Whether the ending is that of a recording."""
    return PurePosixPath(path).suffix.lower() in AUDIO
