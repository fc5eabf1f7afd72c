"""A folder that is either as before or complete, whenever the writer is killed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from synergy.errors import ModelError
from synergy.files import partial_path

# What appears in a model folder when somebody imports the model in it.
_BY_PRODUCTS = frozenset({"__pycache__"})


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put ``files`` into ``folder``; one with the same names from earlier is replaced.

    They are written into a temporary folder beside it, which is then renamed.

    Parameters
    ----------
    folder : Path
        Parents are made as needed.
    files : mapping of file name to content

    Raises
    ------
    ModelError
        If ``folder`` holds anything else, or cannot be written; it is then as it was.
    """
    folder = Path(os.path.abspath(folder))
    try:
        _check(folder, files)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(folder) as partial:
            for name, content in files.items():
                with (partial / name).open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            _swap(partial, folder)
    except OSError as error:
        raise ModelError(
            f"the model folder {folder} cannot be written ({error.strerror}); name another one"
        ) from error


def _check(folder: Path, files: Mapping[str, bytes]) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ModelError(f"expected a folder for the model, found the file {folder}")
    strange = sorted({path.name for path in folder.iterdir()} - set(files) - _BY_PRODUCTS)
    if strange:
        shown = ", ".join(strange[:3]) + (", ..." if len(strange) > 3 else "")
        raise ModelError(
            f"expected an empty folder or an exported model in {folder}, found {shown}; it is "
            "left as it is, name another folder"
        )


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    partial = partial_path(folder)
    partial.mkdir()
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _swap(new: Path, folder: Path) -> None:
    """Rename ``new`` to ``folder``; what was there goes aside first, and back if that fails."""
    if not folder.exists():
        new.replace(folder)
        return
    old = partial_path(folder)
    folder.replace(old)
    try:
        new.replace(folder)
    except OSError:
        old.replace(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
