"""Recordings by what other files call them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath


class SoundIndex:
    """Finds recordings by path, name or stem; a name that several have is none of them."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = list(paths)
        self._known = {path: path for path in paths}
        self._known |= {_without_ending(path): path for path in paths}
        self._named: dict[str, str | None] = {}
        for path in paths:
            pure = PurePosixPath(path)
            for name in {pure.name, pure.stem}:
                self._named[name] = None if name in self._named else path

    def find(self, text: str, folder: str = "") -> str | None:
        """The recording that a text names, seen from a folder, with or without its ending."""
        text = text.strip().replace("\\", "/").removeprefix("./")
        near = (PurePosixPath(folder) / text).as_posix() if text else ""
        for path in (text, near):
            if path in self._known:
                return self._known[path]
        return self._named.get(PurePosixPath(text).name) if text else None

    def beside(self, path: str) -> str | None:
        """The recording that a file of another kind belongs to, by its stem."""
        pure = PurePosixPath(path)
        return self.find(pure.stem, pure.parent.as_posix())


def _without_ending(path: str) -> str:
    return PurePosixPath(path).with_suffix("").as_posix()
