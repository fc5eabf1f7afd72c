"""A model folder: as before or complete, whenever its writer is killed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from synergy.errors import ModelError
from synergy.files import UnfitFileError, partial_path, read_bytes, shortly
from synergy.machine import refusal

MODEL_FILES = ("model.py", "weights.safetensors", "spec.json", "spec.schema.json", "README.md")

# What appears in a model folder when somebody imports the model in it.
_BY_PRODUCTS = frozenset({"__pycache__"})


def read_part(file: Path, what: str, longest: int) -> bytes:
    """The content of a file in a model folder, of so many bytes at most; ModelError if not."""
    try:
        return read_bytes(file, longest)
    except (OSError, UnfitFileError) as error:
        raise ModelError(
            f"{file}: expected the {what} of an exported model, cannot be read ({shortly(error)})"
        ) from error


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put ``files`` into ``folder``; one with the same names from earlier is replaced.

    They are written into a temporary folder beside it, which is then renamed; parents are made as
    needed. A ModelError is raised if ``folder`` holds anything else or cannot be written; it is
    then as it was.
    """
    folder = Path(os.path.abspath(folder))
    new, old = partial_path(folder), partial_path(folder)
    try:
        refuse_foreign(folder, files)
        new.mkdir(parents=True)
        for name, content in files.items():
            with (new / name).open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        if folder.exists():
            folder.replace(old)
        try:
            new.replace(folder)
        except OSError:
            if old.exists():
                old.replace(folder)
            raise
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise ModelError(
            f"the model folder {folder} cannot be written: "
            f"{refusal(error, folder, 'name another one')}"
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def refuse_foreign(folder: Path, names: Iterable[str] = MODEL_FILES) -> None:
    """Raise ModelError if something else than a model lies in ``folder`` and would be replaced."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ModelError(f"expected a folder for the model, found the file {folder}")
    strange = sorted({path.name for path in folder.iterdir()} - set(names) - _BY_PRODUCTS)
    if strange:
        shown = ", ".join(strange[:3]) + (", ..." if len(strange) > 3 else "")
        raise ModelError(
            f"expected an empty folder or an exported model in {folder}, found {shown}; it is "
            "left as it is, name another folder"
        )
