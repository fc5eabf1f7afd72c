"""The folders of one process: where inputs lie, and what nothing may touch."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np
import soundfile

ENVIRONMENT = {"HOME": "home", "SYNERGY_CACHE": "kept", "TMPDIR": "temporary"}


class Sandbox:
    """A folder with one folder for each class of inputs, and ``outside``, which must stay.

    Parameters
    ----------
    root : Path
        Empty; everything lies below it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.outside = self.root / "outside"
        self.current = self.root / "current"
        self.temporary = self.root / "temporary"
        for name in ("home", "kept", "temporary", "outside", "current"):
            (self.root / name).mkdir()
        sound = (0.1 * np.random.default_rng(0).standard_normal(3200)).astype(np.float32)
        soundfile.write(self.outside / "tone.wav", sound, 16_000)
        (self.outside / "secret.txt").write_text("nobody reads this")

    def folder(self, name: str) -> Path:
        """A new folder for a class of inputs."""
        folder = self.root / name
        folder.mkdir()
        return folder

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Inside, home, cache, temporary files and the current folder lie in the sandbox."""
        before = Path.cwd()
        paths = {name: str(self.root / folder) for name, folder in ENVIRONMENT.items()}
        with (
            patch.dict(os.environ, paths),
            patch.object(tempfile, "tempdir", None),
            patch.object(os, "fsync", lambda _: None),  # slow, and power cuts are tried elsewhere
        ):
            os.chdir(self.current)
            try:
                yield
            finally:
                os.chdir(before)

    def surroundings(self) -> object:
        """What no input may change: the files outside, and which folders there are."""
        with os.scandir(self.outside) as entries:
            outside = sorted((e.name, e.stat().st_size, e.stat().st_mtime_ns) for e in entries)
        return outside, sorted(self.root.iterdir()), list(self.current.iterdir())

    def traceback(self) -> str:
        """What a command wrote about an error of its own; the file is gone afterwards."""
        found = sorted(self.root.rglob(".synergy-error-*.txt"))
        texts = [file.read_text(encoding="utf-8", errors="replace") for file in found]
        for file in found:
            file.unlink()
        return "\n".join(texts)


class Files:
    """A folder whose files are as they were laid down whenever the next input comes.

    Parameters
    ----------
    folder : Path
        With its files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sound = {path: self._content(path) for path in self._paths()}

    def _paths(self) -> set[str]:
        return {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*")}

    def _content(self, path: str) -> bytes | None:
        """Bytes of a plain file; None for anything else."""
        file = self.folder / path
        return file.read_bytes() if file.is_file() and not file.is_symlink() else None

    def sound(self, path: str) -> bytes:
        """The content of a file before it was spoiled."""
        return self._sound[path] or b""

    @property
    def names(self) -> list[str]:
        """All plain files, sorted."""
        return sorted(path for path, content in self._sound.items() if content is not None)

    @contextmanager
    def spoiled(self, changes: dict[str, bytes | None]) -> Iterator[None]:
        """Inside, some files have another content; those with None are gone."""
        for path, content in changes.items():
            file = self.folder / path
            if content is None:
                file.unlink()
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
        try:
            yield
        finally:
            self._restore(changes)

    def _restore(self, changes: dict[str, bytes | None]) -> None:
        for path in sorted(self._paths() - set(self._sound), reverse=True):
            strange = self.folder / path
            if strange.is_dir() and not strange.is_symlink():
                shutil.rmtree(strange)
            else:
                strange.unlink()
        for path, content in self._sound.items():
            file = self.folder / path
            if content is not None and (path in changes or not file.is_file()):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
