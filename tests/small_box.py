"""Commands in boxes: processes of their own that lack what a container may lack.

``python small_box.py PLAN``, a JSON list of ``{"limits": [name, ...], "writable": folder,
"environment": {name: value or null}, "commands": [[argument, ...], ...]}``. What all commands
import is imported once; each box is a fork. Prints a JSON list with what became of the commands of
each box, or why the system refused it.
"""

from __future__ import annotations

import ctypes
import getpass
import json
import os
import resource
import sys
import tempfile
from pathlib import Path

USER = 12345
"""An id without an entry in passwd."""

_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000
_READ_ONLY, _REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 1, 32, 4096, 16384, 1 << 18
_FLAGS = {"nosuid": 2, "nodev": 4, "noexec": 8, "noatime": 1024, "relatime": 1 << 21}
_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    arguments = (source.encode(), target.encode(), kind.encode(), flags, data.encode())
    _checked(_libc.mount(*arguments), f"mount {target}")


def _become(uid: int, kinds: int = 0) -> None:
    """A namespace in which this user has the given id; files stay those of this user."""
    outside = os.geteuid(), os.getegid()
    _checked(_libc.unshare(_NEW_USER | kinds), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    for name, old in zip(("uid", "gid"), outside, strict=True):
        Path(f"/proc/self/{name}_map").write_text(f"{uid} {old} 1")


def _own_mounts() -> None:
    if os.geteuid() == 0:
        _checked(_libc.unshare(_NEW_MOUNTS), "unshare")
    else:
        _become(0, _NEW_MOUNTS)
    _mount("none", "/", "none", _RECURSIVE | _PRIVATE)


def small_shm(_: str) -> None:
    """No room in shared memory."""
    _own_mounts()
    _mount("none", "/dev/shm", "tmpfs", 0, "size=64k")


def read_only(writable: str) -> None:
    """Nothing but one folder can be written, no temporary one either."""
    _own_mounts()
    _mount(writable, writable, "none", _BIND)
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, target, _, options, *_ = line.split()
        flags = sum(_FLAGS.get(option, 0) for option in options.split(","))
        if target != writable and not target.startswith(("/proc", "/sys", "/dev")):
            _mount("none", target, "none", _REMOUNT | _BIND | _READ_ONLY | flags)
    os.chdir("/")
    try:
        tempfile.TemporaryFile(dir="/tmp").close()
    except OSError:
        return
    raise OSError("/tmp can still be written")


def unknown_user(_: str) -> None:
    """A user id without a name."""
    _become(USER)
    for name in ("USER", "LOGNAME", "LNAME", "USERNAME"):
        os.environ.pop(name, None)
    try:
        getpass.getuser()
    except (KeyError, OSError):
        return
    raise OSError(f"user {USER} has a name")


def few_files(_: str) -> None:
    """As many open files as a command needs with one worker."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))


def run(box: dict) -> dict:
    """The exit code of each command of a box and what the last one said."""
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receiver)
        result: dict = {"refused": "it died"}
        try:
            for name, value in box["environment"].items():
                os.environ.pop(name, None)
                os.environ.update({} if value is None else {name: value})
            for name in box["limits"]:
                globals()[name](box["writable"])
            from small_cli import synergy

            ran = [synergy(*command) for command in box["commands"]]
            result = {"codes": [each.code for each in ran], "errors": [each.err for each in ran]}
        except OSError as error:
            result = {"refused": str(error)}
        finally:
            os.write(sender, json.dumps(result).encode())
            os._exit(0)
    os.close(sender)
    with os.fdopen(receiver) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return json.loads(text)


def main() -> None:
    import synergy.running.session
    import synergy.stages.synthesize  # noqa: F401

    print(json.dumps([run(box) for box in json.loads(sys.argv[1])]))


if __name__ == "__main__":
    main()
