"""Checksums of the loose files of a folder, such as tables, which have no place for one inside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from synergy.errors import WorkspaceError
from synergy.files import Artefact, damaged, file_checksum

SEALS = "checksums.json"


class SealsFile(Artefact):
    """``checksums.json``: the checksum of each file by name; empty while it is exchanged."""

    WAY_OUT: ClassVar[str] = "delete it to go on without the checksums of the files beside it"

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
        there = [name for name in names if (self.file.parent / name).exists()]
        known = {name: file_checksum(self.file.parent / name) for name in there}
        self._write(others | known)

    @property
    def names(self) -> frozenset[str]:
        """Files that have a checksum, none if the checksums are damaged."""
        try:
            return frozenset(name for name, known in self._kept().items() if known)
        except WorkspaceError:
            return frozenset()

    def broken(self, *names: str) -> dict[str, str]:
        """Those of the files, or of all, that are not as they were written: what is wrong.

        A file without a checksum, and one that is not there, count as they should be.

        Raises
        ------
        WorkspaceError
            If the checksums are damaged themselves.
        """
        kept = self._kept().items()
        chosen = {n: known for n, known in kept if known and (not names or n in names)}
        return damaged(self.file.parent, chosen)

    def _kept(self) -> dict[str, str]:
        return (SealsFile.read(self.file) or SealsFile()).files

    def _write(self, files: dict[str, str]) -> None:
        SealsFile(files=files).write(self.file)
