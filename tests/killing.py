"""A command that is killed at its n-th file operation; knows nothing of what the command is.

The command runs in a fork of this process, which has imported everything already, so that a kill
costs no start-up. An audit hook in the fork sees every file operation of Python below a folder.
Three things have no audit event and are wrapped: ``os.fsync`` and the writers of extension modules
in `NATIVE`. Opening a file for writing counts twice: before it, and when the file is there, but
nothing in it; so does a native writer: before it, and when half of the file is written.

Worker processes that multiprocessing spawns are forked, too, and otherwise go the way of spawned
ones: the same pipes, no other descriptors, signals as after ``exec``.
"""

from __future__ import annotations

import atexit
import fcntl
import importlib
import multiprocessing.spawn
import multiprocessing.util
import os
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path
from typing import Any, Literal

# Libraries read them on import: a fork would lack their threads.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

Role = Literal["main", "worker"]
"""The process of the command, or any of those that it spawned."""

# Functions of extension modules that write a file: module, name, place of the path.
NATIVE = (
    ("safetensors.numpy", "serialize_file", 1),
    ("safetensors.torch", "serialize_file", 1),
    ("soundfile", "write", 0),
)
# Audit events: places of a path and of the descriptor of the folder that it is relative to.
_EVENTS: dict[str, tuple[tuple[int, int], ...]] = {
    "os.mkdir": ((0, 2),),
    "os.rmdir": ((0, 1),),
    "os.remove": ((0, 1),),
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, -1),),
    "os.chmod": ((0, 2),),
    "os.utime": ((0, 3),),
    "shutil.rmtree": ((0, 1),),
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_UNNAMED = getattr(os, "O_TMPFILE", 0)
PATIENCE_S = 120.0
"""A command that takes longer hangs; a process that lives so long after it is an orphan."""


@dataclass(frozen=True)
class Operation:
    """A file operation; without ``changes`` the next kill finds the same files as this one."""

    role: Role
    kind: str
    path: str
    changes: bool


@dataclass(frozen=True)
class Kill:
    """SIGKILL to whoever of a role begins the operation ``number``, counted from 1."""

    role: Role
    number: int

    @classmethod
    def parse(cls, text: str) -> Kill:
        """From ``role:number``, the form of str()."""
        role, _, number = text.partition(":")
        return cls("main" if role == "main" else "worker", int(number))

    def __str__(self) -> str:
        return f"{self.role}:{self.number}"


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    ``code`` is its exit code, minus the signal for one that was killed, None for one that hung.
    ``orphans`` are command lines of processes that lived on.
    """

    code: int | None
    out: str
    err: str
    reached: bool
    operations: tuple[Operation, ...]
    orphans: tuple[str, ...]


def import_all(names: Sequence[str]) -> None:
    """Import what a fork would have to import otherwise; what cannot be is left out."""
    for name in (*(module for module, _, _ in NATIVE), *names):
        if name not in sys.modules:
            try:
                importlib.import_module(name)
            except Exception:  # made by another module, and no file
                continue
    assert threading.active_count() == 1, "a fork would lack the other threads"


def run(
    command: Callable[[], int],
    folder: Path,
    logs: Path,
    kill: Kill | None = None,
    patience_s: float = PATIENCE_S,
) -> Ended:
    """Run ``command`` in a fork, kill it or a worker of it, and wait until all of it is gone.

    Operations below ``folder`` count; ``logs`` is a folder elsewhere.
    """
    watch = _Watch(folder, logs, kill)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if not pid:
        _be(command, watch, logs)
    code = _exit_code(pid, patience_s)
    orphans = _orphans(pid, patience_s)
    return Ended(
        code,
        (logs / "out").read_text(encoding="utf-8"),
        (logs / "err").read_text(encoding="utf-8"),
        bool(watch.shared[16]),
        watch.operations(),
        orphans,
    )


def _be(command: Callable[[], int], watch: _Watch, logs: Path) -> None:
    """Be the process of the command, from its start to its end."""
    code = 70
    try:
        os.setsid()
        for number, name in enumerate(("/dev/null", logs / "out", logs / "err")):
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC if number else os.O_RDONLY
            os.dup2(os.open(name, flags), number)
        multiprocessing.util.spawnv_passfds = watch.fork_instead(
            multiprocessing.util.spawnv_passfds
        )
        watch.begin()
        code = command()
    except BaseException:
        traceback.print_exc()
    finally:
        _leave(code)


def _leave(code: int) -> None:
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class _Watch:
    """Counts operations in the processes of a command and kills at the wanted one."""

    def __init__(self, folder: Path, logs: Path, kill: Kill | None) -> None:
        self.folder = f"{folder}{os.sep}"
        self.kill = kill
        self.role: Role = "main"
        # shared by forks: operations of main and worker, 8 bytes each, and whether it killed
        self.shared = mmap(-1, 17)
        self.thread = threading.Lock()
        self.log = logs / "operations"
        self.log.write_bytes(b"")
        self.descriptor = -1
        self.inside = 0

    def operations(self) -> tuple[Operation, ...]:
        lines = self.log.read_text(encoding="utf-8").splitlines()
        rows = (line.split("\t") for line in lines)
        return tuple(
            Operation("main" if role == "main" else "worker", kind, path, changes == "True")
            for role, kind, path, changes in rows
        )

    def begin(self) -> None:
        self.descriptor = os.open(self.log, os.O_RDWR | os.O_APPEND)
        for name in ("fsync", "fdatasync"):
            setattr(os, name, self._counted_sync(name, getattr(os, name)))
        for module, name, place in NATIVE:
            if found := sys.modules.get(module):
                setattr(found, name, self._counted_writer(getattr(found, name), place))
        sys.addaudithook(self._hook)

    # -- what is seen -------------------------------------------------------------------------

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if not isinstance(path, int) and flags & _WRITING and (found := self._below(path)):
                self._opening(path, flags, found)
        elif event in _EVENTS:
            found = ""
            for place, folder in _EVENTS[event]:
                above = arguments[folder] if 0 <= folder < len(arguments) else None
                found = self._below(arguments[place], above) or found
            if found:
                self._count(event, found, _changes(event, self.folder + found))

    def _opening(self, path: Any, flags: int, found: str) -> None:
        if _UNNAMED and flags & _UNNAMED == _UNNAMED:
            self._count("open unnamed", found, False)
            return
        file = Path(self.folder + found)
        new = bool(flags & os.O_CREAT) and not file.exists()
        cut = bool(flags & os.O_TRUNC) and file.is_file() and file.stat().st_size > 0
        self._count("open", found, new or cut)

        def open_it() -> None:
            os.open(path, flags, 0o666)

        self._count("opened", found, True, open_it)

    def _counted_sync(self, name: str, real: Callable[[int], None]) -> Callable[[Any], None]:
        def sync(file: Any) -> None:
            number = file if isinstance(file, int) else file.fileno()
            if found := self._below(number):
                self._count(f"os.{name}", found, False)
            real(number)

        return sync

    def _counted_writer(self, real: Callable[..., Any], place: int) -> Callable[..., Any]:
        def write(*arguments: Any, **options: Any) -> Any:
            found = self._below(arguments[place])
            if found:
                self._count(real.__name__, found, True)

                def half() -> None:
                    real(*arguments, **options)
                    file = self.folder + found
                    os.truncate(file, Path(file).stat().st_size // 2)

                self._count(f"half of {real.__name__}", found, True, half)
            return real(*arguments, **options)

        return write

    def _below(self, path: Any, above: int | None = None) -> str:
        """The path relative to the folder that is watched, or nothing if it lies elsewhere."""
        if isinstance(path, int):
            file = _descriptors(path).readlink()
        elif not isinstance(path, str | bytes | os.PathLike):  # a stream in memory
            return ""
        else:
            base = Path.cwd() if above in (None, -1) else _descriptors(above).readlink()
            file = base / os.fsdecode(path)  # which may be absolute
        name = os.path.normpath(file)
        return name.removeprefix(self.folder) if name.startswith(self.folder) else ""

    # -- what is done about it ----------------------------------------------------------------

    def _count(
        self, kind: str, path: str, changes: bool, first: Callable[[], None] | None = None
    ) -> None:
        """Count an operation, and die in it if it is the one; ``first`` begins it then."""
        if self.inside == threading.get_ident():  # what is done below is none of the command
            return
        with self.thread:
            self.inside = threading.get_ident()
            place = slice(0, 8) if self.role == "main" else slice(8, 16)
            fcntl.lockf(self.descriptor, fcntl.LOCK_EX)
            number = int.from_bytes(self.shared[place], "little") + 1
            self.shared[place] = number.to_bytes(8, "little")
            os.write(self.descriptor, f"{self.role}\t{kind}\t{path}\t{changes}\n".encode())
            if self.kill == Kill(self.role, number):
                self.shared[16] = 1
                try:
                    if first is not None:
                        first()
                finally:
                    os.kill(os.getpid(), signal.SIGKILL)
            fcntl.lockf(self.descriptor, fcntl.LOCK_UN)
            self.inside = 0

    def fork_instead(self, real: Callable[..., int]) -> Callable[..., int]:
        """Start a worker by a fork instead of a new interpreter."""

        def start(path: Any, arguments: Sequence[Any], descriptors: Sequence[int]) -> int:
            spawned = re.search(r"spawn_main\(tracker_fd=(\d+), pipe_handle=(\d+)\)", arguments[-2])
            if spawned is None:  # the resource tracker
                return real(path, arguments, descriptors)
            sys.stdout.flush()
            sys.stderr.flush()
            pid = os.fork()
            if pid:
                return pid
            code: Any = 70
            try:
                self.role, self.thread = "worker", threading.Lock()
                kept = {0, 1, 2, self.descriptor, *descriptors}
                for number in {int(path.name) for path in _descriptors().iterdir()} - kept:
                    with suppress(OSError):  # the listing itself had one
                        os.close(number)
                for number in (signal.SIGINT, signal.SIGTERM):
                    signal.signal(number, signal.SIG_DFL)
                sys.argv = ["-c", *arguments[-1:]]
                multiprocessing.spawn.spawn_main(
                    tracker_fd=int(spawned[1]), pipe_handle=int(spawned[2])
                )
            except SystemExit as ended:
                code = ended.code
            except BaseException:
                traceback.print_exc()
            os._exit(code or 0)

        return start


def _descriptors(number: int | None = None) -> Path:
    """Where the system lists what this process has open, or one of them."""
    folder = Path("/proc/self/fd")
    return folder if number is None else folder / str(number)


def _changes(event: str, path: str) -> bool:
    if event == "os.mkdir":
        return not os.path.lexists(path)
    if event in ("os.rmdir", "os.remove"):
        return os.path.lexists(path)
    return event != "shutil.rmtree"  # which removes by operations of its own


# -- processes ------------------------------------------------------------------------------------


def _exit_code(pid: int, patience_s: float) -> int | None:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def _orphans(session: int, patience_s: float) -> tuple[str, ...]:
    """Processes of a session that do not end; they are ended."""
    deadline = time.monotonic() + patience_s
    while alive := _alive(session):
        if time.monotonic() > deadline:
            for pid in alive:
                os.kill(pid, signal.SIGKILL)
            return tuple(alive.values())
        time.sleep(0.002)
    return ()


def _alive(session: int) -> dict[int, str]:
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, its_session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state not in "ZX":
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:  # it has just ended
            continue
    return found
