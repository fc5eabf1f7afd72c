"""Which recordings a command line names: files, folders, patterns, standard input."""

from __future__ import annotations

import glob
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from synergy.errors import DataError
from synergy.wording import short_list

STDIN = "-"

_STDIN_BYTES = 2**32
"""The most that a WAV can announce."""


@dataclass(frozen=True)
class Recording:
    """A recording that was asked for.

    Attributes
    ----------
    name : str
        As it is told; the path of a file.
    place : Path
        Relative: inside the folder that was named, or the name of the file.
    """

    name: str
    place: Path

    @contextmanager
    def opened(self) -> Iterator[BinaryIO | None]:
        """What standard input has, in a file without a name; None for files.

        Raises
        ------
        DataError
            If nothing is there, or too much.
        """
        if self.name != STDIN:
            yield None
            return
        source = getattr(sys.stdin, "buffer", None)
        nothing = f"{STDIN}: expected a recording on standard input, found none"
        if source is None or source.isatty():
            raise DataError(nothing)
        with tempfile.TemporaryFile() as file:
            while data := source.read(2**20):
                if file.tell() + len(data) > _STDIN_BYTES:
                    raise DataError(
                        f"{STDIN}: expected at most {_STDIN_BYTES:,} bytes on standard input, "
                        "found more; cut the recording into parts"
                    )
                file.write(data)
            if not file.tell():
                raise DataError(nothing)
            file.flush()
            yield file


def recordings(given: Path) -> list[Recording]:
    """The recordings that one argument names, sorted; what is no folder and no pattern is one.

    Folders are searched to their depth for names that end like those of recordings, without
    hidden ones and without following links to folders.

    Raises
    ------
    DataError
        If there is none, or a folder cannot be read.
    """
    from synergy.audio.reading import SUFFIXES  # help needs no numpy

    text = str(given)
    if os.path.isdir(given):  # noqa: PTH112, pathlib raises on names that are too long
        places = sorted(_below(given))
        if not places:
            raise DataError(
                f"{given}: expected recordings in that folder ({short_list(sorted(SUFFIXES), 20)}),"
                " found none"
            )
        return [Recording(str(given / place), place) for place in places]
    if set("*?[") & set(text) and not os.path.lexists(given):
        found = sorted(set(glob.glob(text, recursive=True)))  # noqa: PTH207, absolute ones as well
        files = [file for file in map(Path, found) if not file.is_dir()]
        if not files:
            raise DataError(f"{given}: expected recordings that this pattern fits, found none")
        return [Recording(str(file), Path(file.name)) for file in files]
    return [Recording(text, Path("stdin" if text == STDIN else given.name))]


def _below(folder: Path) -> Iterator[Path]:
    from synergy.audio.reading import SUFFIXES

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: the folder cannot be read ({error.strerror})")

    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield (Path(parent) / name).relative_to(folder)
