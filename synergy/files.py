"""Files of the tool: complete or as before whenever a writer is killed, and read with a schema.

`StrictModel` is the base of everything that is read from a file; an `Artefact` is a file of a
workspace that the tool writes and reads back.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from synergy.errors import WorkspaceError

PARTIAL = ".partial"


def partial_path(path: Path) -> Path:
    """A new hidden name beside ``path``; what carries it after its writer died is rubbish."""
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}{PARTIAL}")


def is_partial(path: Path) -> bool:
    """Whether the name comes from `partial_path`."""
    return path.name.startswith(".") and path.name.endswith(PARTIAL)


def json_text(data: Any) -> str:
    """Readable JSON, the same text for equal data: sorted keys, two spaces.

    A ValueError is raised if a number is not finite.
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


class StrictModel(BaseModel):
    """A frozen pydantic model that refuses unknown keys and non-finite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Artefact(StrictModel):
    """A JSON file that the tool writes and reads back.

    Attributes
    ----------
    version : int
        Of the form, 1 or more; files of before there were versions count as 1.
    """

    VERSION: ClassVar[int] = 1
    MADE_BY: ClassVar[str] = "synergy run"
    """The command that writes the file anew."""
    WAY_OUT: ClassVar[str] = ""
    """What to do about a damaged file where that command reads it first."""

    version: int = Field(default=1, ge=1)

    def to_json(self) -> dict[str, Any]:
        """The content as JSON values."""
        return self.model_dump(mode="json")

    def write(self, file: Path) -> None:
        """Write the file; it appears complete or not at all."""
        write_text_atomically(file, json_text(self.to_json()))

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """The content of a file; None where there is none.

        Raises
        ------
        WorkspaceError
            If it is damaged, or of a later version than this program knows.
        """
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
            if isinstance(data, dict) and data.get("version", 1) > cls.VERSION:
                raise WorkspaceError(
                    f"{file} is of version {data['version']}, expected {cls.VERSION} at most; it "
                    "was written by a later synergy: use that one, or another workspace"
                )
            return cls.model_validate(data)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, RecursionError) as error:
            way_out = cls.WAY_OUT or f"run `{cls.MADE_BY}` again to write it anew"
            raise WorkspaceError(f"{file} is damaged ({shortly(error)}); {way_out}") from error


def shortly(error: Exception) -> str:
    """What is wrong with a file, on one line of at most 200 characters."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        text = f"{where}: {first['msg']}" if where else first["msg"]
    else:
        text = str(error) or type(error).__name__
    return f"{' '.join(text.split()):.200}"
