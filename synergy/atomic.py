"""Files that are either as before or complete, whenever the writer is killed."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

PARTIAL = ".partial"


def partial_path(path: Path) -> Path:
    """A new hidden name beside ``path``; what carries it after its writer died is rubbish."""
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}{PARTIAL}")


def is_partial(path: Path) -> bool:
    """Whether the name comes from `partial_path`."""
    return path.name.startswith(".") and path.name.endswith(PARTIAL)


def json_text(data: Any) -> str:
    """Readable JSON, the same text for equal data: sorted keys, two spaces, no NaN.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    return json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_text_atomically(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 under a temporary name, then rename it to ``path``."""
    partial = partial_path(path)
    try:
        with partial.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_json_atomically(path: Path, data: Any) -> None:
    """Write ``data`` in the form of `json_text`; a ValueError leaves ``path`` as it was."""
    write_text_atomically(path, json_text(data))
