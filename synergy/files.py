"""Files of the tool: complete or as before whenever a writer is killed, and read with a schema.

Everything that is read goes through `read_bytes`, everything that is written through
`write_atomically` or a folder that is renamed when it is complete. What is written to be read back
carries a checksum. `StrictModel` is the base of everything that is read from a file; an `Artefact`
is a JSON file that the tool writes and reads back.
"""

from __future__ import annotations

import codecs
import errno
import fcntl
import json
import math
import os
import re
import secrets
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import Any, ClassVar, Self

import xxhash
from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema

from synergy.errors import WorkspaceError
from synergy.machine import blameless, naming
from synergy.wording import cut, printable, shown

PARTIAL = ".partial"

LONGEST_TEXT = 64 * 2**20
"""Bytes of a file that is read as a whole, unless its reader says otherwise."""

_PARTIAL_NAME = re.compile(r"\..+\.[0-9a-f]{12}\.partial", re.DOTALL)
_LONGEST_STEM = 100  # so that the partial name of a long name is none that is too long
_CHUNK = 2**20
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class UnfitFileError(ValueError):
    """What lies there is not a file that can be read, or its content is not what was written.

    Never reaches a person: each reader turns it into its own error with the name of the file.
    """


# -- reading ------------------------------------------------------------------------------------


def read_bytes(path: Path, longest: int = LONGEST_TEXT) -> bytes:
    """The content of a regular file of at most ``longest`` bytes.

    Raises
    ------
    OSError
        If it is not there or cannot be read.
    UnfitFileError
        If it is a folder, a device, a FIFO or a socket, or longer: nothing is read then.
    """
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size <= longest:
            # The size of some regular files is unknown; more than is asked for takes no memory.
            most = min(longest, max(size, _CHUNK))
            data = file.read(most + 1)
            if len(data) <= most:
                return data
        raise UnfitFileError(f"expected at most {longest:,} bytes, found {max(size, longest):,}")


def read_text(path: Path, longest: int = LONGEST_TEXT) -> str:
    """As `read_bytes`, in UTF-8, with or without a mark at its start, or in UTF-16 with one."""
    data = read_bytes(path, longest)
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnfitFileError(f"expected text in UTF-8, {error.reason} at {error.start}") from error


def _opened(path: Path) -> BufferedReader:
    return os.fdopen(open_regular(path), "rb")


def open_regular(path: Path) -> int:
    """The descriptor of a regular file; opening anything else may wait for ever.

    Raises
    ------
    OSError
        If it is not there or cannot be opened.
    UnfitFileError
        If it is a folder, a device, a FIFO or a socket.
    MachineError
        If the machine opens no further file.
    """
    _refuse_irregular(path.stat().st_mode)
    with blameless():
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _refuse_irregular(os.fstat(handle).st_mode)
    except UnfitFileError:
        os.close(handle)
        raise
    return handle


def _refuse_irregular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "something else")
        raise UnfitFileError(f"expected a regular file, found {kind}")


def parse_json(data: bytes | str) -> Any:
    """JSON values, all finite; an UnfitFileError is raised for anything else."""
    try:
        return json.loads(data, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError as error:
        raise UnfitFileError("expected JSON, found too many levels inside each other") from error
    except ValueError as error:
        raise UnfitFileError(f"expected JSON, {error}") from error


def _refuse_constant(name: str) -> Any:
    raise UnfitFileError(f"found {name}")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse_constant("a number that is too large")


# -- checksums ----------------------------------------------------------------------------------


def checksum(data: bytes) -> str:
    """XXH3 of 128 bits, such as ``xxh3:99aa06d3014798d86001c324468d497f``.

    Against damage, not against an attacker.
    """
    return f"xxh3:{xxhash.xxh3_128_hexdigest(data)}"


def file_checksum(path: Path) -> str:
    """`checksum` of a regular file of any length."""
    hasher = xxhash.xxh3_128()
    with _opened(path) as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
    return f"xxh3:{hasher.hexdigest()}"


def checksums(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """`file_checksum` of files in a folder, by name."""
    return {name: file_checksum(folder / name) for name in sorted(names)}


def damaged(folder: Path, known: Mapping[str, str]) -> dict[str, str]:
    """Files in a folder whose content is not that of their checksums: what is wrong, by name."""
    found: dict[str, str] = {}
    for name, expected in known.items():
        try:
            if file_checksum(folder / name) != expected:
                found[name] = CHANGED
        except FileNotFoundError:
            found[name] = "it is missing"
        except (OSError, ValueError) as error:
            found[name] = shortly(error)
    return found


CHANGED = "its content is not what was written"


def sealed(data: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values with their ``checksum`` among them; how they are laid out plays no part."""
    return {**data, "checksum": _seal(data)}


def unsealed(data: Any, needed: bool) -> Any:
    """The JSON values without their checksum.

    Raises
    ------
    UnfitFileError
        If they are not those that the checksum was taken of, or it is ``needed`` and missing.
    """
    if not isinstance(data, dict):
        return data
    rest = {key: value for key, value in data.items() if key != "checksum"}
    if rest == data:
        if needed:
            raise UnfitFileError("its checksum is missing")
    elif data["checksum"] != _seal(rest):
        raise UnfitFileError(CHANGED)
    return rest


def _seal(data: Mapping[str, Any]) -> str:
    return checksum(json.dumps(data, sort_keys=True, separators=(",", ":")).encode())


# -- writing ------------------------------------------------------------------------------------


def partial_path(path: Path) -> Path:
    """A new hidden name beside ``path``; what carries it after its writer died is rubbish."""
    return path.with_name(f".{path.name[:_LONGEST_STEM]}.{secrets.token_hex(6)}{PARTIAL}")


def is_partial(path: Path) -> bool:
    """Whether the name comes from `partial_path`."""
    return _PARTIAL_NAME.fullmatch(path.name) is not None


def json_text(data: Any) -> str:
    """Readable JSON, the same text for equal data: sorted keys, two spaces, UTF-8.

    A lone surrogate, such as of a file name that is no UTF-8, is escaped as JSON does. A
    ValueError is raised if a number is not finite.
    """
    text = json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write the content, text as UTF-8, under a temporary name, then rename it to ``path``.

    File names inside a text that are not UTF-8 are written as the bytes that they are.

    Raises
    ------
    OSError
        If it cannot be written, or ``path`` is not a regular file: that is left as it is.
    """
    refuse_to_replace(path)
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    _remove_leftovers(path)
    partial = partial_path(path)
    try:
        with naming(path), partial.open("xb") as file:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(file, fcntl.LOCK_EX)  # its writer lives
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _remove_leftovers(path: Path) -> None:
    """Remove what killed writers of ``path`` left beside it."""
    start = f".{path.name[:_LONGEST_STEM]}."
    with os.scandir(path.parent) as entries:
        found = [path.with_name(entry.name) for entry in entries if entry.name.startswith(start)]
    for partial in filter(is_partial, found):
        with suppress(OSError), partial.open("rb") as file:  # gone, or its writer lives
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            partial.unlink()


def refuse_to_replace(path: Path) -> None:
    """Raise OSError if what lies at ``path`` is something else than a regular file."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        kind = "a link" if stat.S_ISLNK(mode) else _KINDS.get(stat.S_IFMT(mode), "something else")
        reason = f"expected a file that may be replaced, found {kind}"
        raise OSError(errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL, reason, str(path))


# -- typed files --------------------------------------------------------------------------------


def _make_strict(schema: Any) -> None:
    """Let numbers and booleans be nothing else; pydantic can say so for single fields only."""
    if isinstance(schema, dict):
        if schema.get("type") in ("int", "float", "bool"):
            schema["strict"] = True
        for key, part in schema.items():
            if key not in ("default", "metadata", "serialization"):
                _make_strict(part)
    elif isinstance(schema, list | tuple):
        for part in schema:
            _make_strict(part)


class StrictModel(BaseModel):
    """A frozen pydantic model that refuses unknown keys and what only looks like a number.

    Numbers are finite, and neither words nor true; an integer may stand where a number is meant,
    a list where a tuple is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        _make_strict(schema)
        return schema


class Artefact(StrictModel):
    """A JSON file that the tool writes and reads back.

    Attributes
    ----------
    version : int
        Of the form, 1 or more; files of before there were versions count as 1, and those of
        version 1 have no checksum.
    """

    VERSION: ClassVar[int] = 2
    MADE_BY: ClassVar[str] = "synergy run"
    """The command that writes the file anew."""
    WAY_OUT: ClassVar[str] = ""
    """What to do about a damaged file where that command reads it first."""
    VERSION_KEY: ClassVar[str] = "version"

    version: int = Field(default=2, ge=1)

    def to_json(self) -> dict[str, Any]:
        """The content as JSON values."""
        return self.model_dump(mode="json")

    def write(self, file: Path) -> None:
        """Write the file; it appears complete or not at all."""
        write_atomically(file, json_text(sealed(self.to_json())))

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """The content of a file; None where there is none.

        Raises
        ------
        WorkspaceError
            If it is damaged, or of a later version than this program knows.
        """
        try:
            return cls.parsed(parse_json(read_bytes(file)))
        except FileNotFoundError:
            return None
        except _LaterVersionError as error:
            raise WorkspaceError(
                f"{file} is of version {error}, expected {cls.VERSION} at most; it was written by "
                "a later synergy: use that one, or another workspace"
            ) from error
        except (OSError, ValueError) as error:
            way_out = cls.WAY_OUT or f"run `{cls.MADE_BY}` again to write it anew"
            raise WorkspaceError(f"{file} is damaged ({shortly(error)}); {way_out}") from error

    @classmethod
    def parsed(cls, data: Any) -> Self:
        """The content of a file from its JSON values, its checksum checked; ValueError if wrong."""
        version = data.get(cls.VERSION_KEY, 1) if isinstance(data, dict) else 1
        if isinstance(version, int) and version > cls.VERSION:
            raise _LaterVersionError(version)
        rest = unsealed(data, needed=version != 1)
        return cls.model_validate(
            {cls.VERSION_KEY: version, **rest} if isinstance(rest, dict) else rest
        )


class _LaterVersionError(ValueError):
    """A file of a later version; the text is that."""


def shortly(error: Exception) -> str:
    """What is wrong with a file, on one line of at most 200 characters."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        where = ".".join(map(shown, first["loc"]))
        text = f"{where}: {first['msg']}" if where else first["msg"]
    elif isinstance(error, OSError):
        text = error.strerror or str(error)
    else:
        text = str(error) or type(error).__name__
    return cut(" ".join(printable(text).split()), 200)
