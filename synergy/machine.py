"""What the machine may lack or refuse: space, rights, memory, open files, processes.

One table leads from what the system said to the cause and to what helps. It serves for errors of
the system and for those of libraries that repeat its words.
"""

from __future__ import annotations

import errno
import os
import re
import resource
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from synergy.errors import SynergyError
from synergy.wording import cut, printable


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the machine did not do something, and what helps.

    ``local`` tells that another place, such as another disk, may help as well.
    """

    cause: str
    remedy: str
    local: bool = True


_ROOM = "free some space there"
_FAILED = Trouble("the device, or the way to it, has failed", "look into the log of the system")
_LIMITED_MEMORY = "raise that limit (ulimit -v)"
_TROUBLES: dict[int, Trouble] = {
    errno.ENOSPC: Trouble("no space is left on that device", _ROOM),
    errno.EDQUOT: Trouble("the disk quota is used up", _ROOM),
    errno.EACCES: Trouble("this user has no right to it", "get that right"),
    errno.EPERM: Trouble("the system does not permit it", "get the right to it"),
    errno.EROFS: Trouble("that file system can only be read", "make it writable"),
    errno.EISDIR: Trouble("a folder lies there", "move it away"),
    errno.ENOTDIR: Trouble("a part of that path is no folder", "correct it"),
    errno.ELOOP: Trouble("its links lead in a circle", "correct them"),
    errno.ENAMETOOLONG: Trouble("a name in that path is too long", "shorten it"),
    errno.EBUSY: Trouble("something else uses it", "wait for that"),
    errno.ENOLCK: Trouble("that file system has no locks", "mount it with locks"),
    **dict.fromkeys(
        (errno.EIO, errno.ENXIO, errno.ENODEV, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT),
        _FAILED,
    ),
    errno.EFBIG: Trouble(
        "the file would be larger than the system allows",
        "raise the limit on the size of files (ulimit -f)",
        local=False,
    ),
    errno.EMFILE: Trouble(
        "this process has too many files open",
        "raise the limit on open files (ulimit -n) or use fewer --workers",
        local=False,
    ),
    errno.ENFILE: Trouble(
        "the machine has too many files open", "close other programs", local=False
    ),
    errno.ENOMEM: Trouble("there is not enough memory", "use fewer --workers", local=False),
    errno.EAGAIN: Trouble(
        "no further process or thread may be started",
        "raise the limit on processes (ulimit -u) or use fewer --workers",
        local=False,
    ),
}

# How libraries put it, which raise errors of their own without a number.
_RUST_NUMBER = re.compile(r"\(os error (\d+)\)")
_WORDS = {
    **{os.strerror(number): number for number in _TROUBLES},
    **dict.fromkeys(
        ("can't allocate memory", "bad_alloc", "failed to map segment", "out of memory"),
        errno.ENOMEM,
    ),
    "can't start new thread": errno.EAGAIN,
}
_PROGRAMS_OWN = (KeyError, IndexError, ValueError, TypeError, AssertionError, SynergyError)
_LONGEST_PATH = 200


class MachineError(SynergyError):
    """Raised when the machine lacks or refuses something; says what, and what helps."""


def trouble(error: BaseException) -> Trouble | None:
    """What is wrong with the machine; None when the error has another cause."""
    if isinstance(error, OSError) and _has_own_words(error):
        return Trouble(error.strerror or "", "name another one")
    number = _number(error)
    if number == errno.ENOMEM and (limit := _address_space()) is not None:
        cause = f"{limit / 2**30:.1f} GB of address space are not enough"
        return Trouble(cause, _LIMITED_MEMORY, local=False)
    return None if number is None else _TROUBLES[number]


def told(error: BaseException) -> str | None:
    """`trouble` as one sentence, with the file where it is known; also that of a MachineError."""
    if isinstance(error, MachineError):
        return str(error)
    if (found := trouble(error)) is None:
        return None
    return f"{_named(error)}{found.cause}; {found.remedy}"


def refusal(error: OSError, place: Path, elsewhere: str) -> str:
    """Why ``place`` could not be used, and what helps; follows a colon.

    Parameters
    ----------
    error : OSError
        Whatever its cause.
    place : Path
        The file or folder that was meant.
    elsewhere : str
        How a person names another one, for example ``"name another one with --workspace"``; told
        where that may help.
    """
    found = trouble(error)
    if found is None:
        return f"{error.strerror or error}; {elsewhere}"
    file = error.filename
    if file and not Path(os.fsdecode(file)).is_relative_to(place.parent):
        return f"{_named(error)}{found.cause}; {found.remedy}"
    if not found.local:
        return f"{found.cause}; {found.remedy}"
    if _has_own_words(error):
        return f"{found.cause}; {elsewhere}"
    return f"{found.cause}; {found.remedy}, or {elsewhere}"


@contextmanager
def blameless() -> Iterator[None]:
    """An OSError inside for which no file is to blame, such as too many open ones: a MachineError.

    Whoever takes what cannot be read for damaged does not see it.
    """
    try:
        yield
    except OSError as error:
        found = trouble(error)
        if found is not None and not found.local:
            raise MachineError(told(error) or "") from error
        raise


@contextmanager
def naming(file: Path) -> Iterator[None]:
    """Give an OSError inside the name of the file, which the system leaves out when it writes."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(file)
        raise


def _named(error: BaseException) -> str:
    file = getattr(error, "filename", None)
    if not file:
        return ""
    name = printable(os.fsdecode(file)).replace("\n", "\\n")
    return f"{cut(name, _LONGEST_PATH)}: "


def _has_own_words(error: OSError) -> bool:
    """Whether this package raised it, with words for the case at hand."""
    return bool(error.errno and error.strerror and error.strerror.startswith("expected "))


def _number(error: BaseException) -> int | None:
    """The number in the table that stands behind an exception."""
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno if error.errno in _TROUBLES else None
    if isinstance(error, _PROGRAMS_OWN):
        return None
    text = str(error)
    match = _RUST_NUMBER.search(text)
    if match and int(match[1]) in _TROUBLES:
        return int(match[1])
    said = [number for words, number in _WORDS.items() if words in text]
    starved = _address_space() is not None and _is_of_an_import(error)
    return said[0] if said else errno.ENOMEM if starved else None


def _address_space() -> int | None:
    """The limit on it in bytes, if there is one."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit


def _is_of_an_import(error: BaseException) -> bool:
    """Whether it was raised inside an import, which without memory fails in many ways."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(f.f_code.co_filename.startswith("<frozen importlib") for f in frames)
