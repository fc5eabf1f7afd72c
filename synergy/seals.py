"""Checksums of the loose files of a folder, such as tables, which have no place for one inside."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from synergy.errors import WorkspaceError
from synergy.files import Artefact, damaged, file_checksum

_log = logging.getLogger(__name__)

SEALS = "checksums.json"


class SealsFile(Artefact):
    """``checksums.json``: the checksum of each file by name; empty while it is exchanged."""

    WAY_OUT: ClassVar[str] = "the files beside it are read without; the next writer writes it anew"

    files: dict[str, str] = Field(default={})


class Seals:
    """The checksums of files in a folder; one process at a time writes them.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / SEALS

    @contextmanager
    def exchanged(self, *names: str) -> Iterator[None]:
        """Keep the checksums of files that are written, replaced or removed inside.

        Of a writer that is killed meanwhile, the files count as they are found.
        """
        others = {name: known for name, known in self._kept().items() if name not in names}
        self._write({**others, **dict.fromkeys(names, "")})
        yield
        there = {path.name for path in self.file.parent.iterdir()}
        known = {name: file_checksum(self.file.parent / name) for name in there.intersection(names)}
        self._write({name: old for name, old in others.items() if name in there} | known)

    @property
    def names(self) -> frozenset[str]:
        """Files that have a checksum."""
        return frozenset(name for name, known in self._kept().items() if known)

    def broken(self, *names: str) -> dict[str, str]:
        """Those of the files, or of all, that are not as they were written: what is wrong.

        A file without a checksum counts as it should be.
        """
        kept = self._kept().items()
        chosen = {n: known for n, known in kept if known and (not names or n in names)}
        return damaged(self.file.parent, chosen)

    def _kept(self) -> dict[str, str]:
        """The checksums; none where they are damaged themselves, which is told."""
        try:
            return (SealsFile.read(self.file) or SealsFile()).files
        except WorkspaceError as error:
            _log.warning("%s", error)
            return {}

    def _write(self, files: dict[str, str]) -> None:
        SealsFile(files=files).write(self.file)
