"""Small commands that are killed everywhere, to see what `killing` does: ``killed_toys.py FOLDER``.

A program of its own, because it forks. Prints what was seen as JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from killing import Kill, run

from synergy.executors import Job, ProcessExecutor, Report


def write_three(folder: Path) -> int:
    """A file in place, one through a rename, one in a folder that is removed again."""
    (folder / "first").write_text("first")
    with (folder / ".second").open("w") as file:
        file.write("second")
        file.flush()
        os.fsync(file.fileno())
    (folder / ".second").replace(folder / "second")
    (folder / "third").mkdir()
    (folder / "third" / "file").write_text("third")
    shutil.rmtree(folder / "third")
    return 3


def work(payload: str, report: Report) -> str:
    """The work of a worker: a file."""
    Path(payload).write_text(payload)
    return payload


def two_jobs(folder: Path) -> int:
    """Two files by workers, and a folder for each that is done; exit code: how many are not."""
    jobs = [Job(name, str(folder / name)) for name in ("a", "b")]
    failed = 0
    with closing(ProcessExecutor(1)) as executor:
        for ended in executor.run(work, jobs, lambda key, message: None):
            if ended.error is None:
                (folder / f"{ended.key} is done").mkdir()
            failed += ended.error is not None
    return failed


def sleep_on(folder: Path) -> int:
    """Leaves a process behind."""
    if not os.fork():
        threading.Event().wait()
    return 0


def hang(folder: Path) -> int:
    """Never ends."""
    time.sleep(1000)
    return 0


def everywhere(command: Callable[[Path], int], at: Path, logs: Path, role: str) -> list[object]:
    """How the command ends, and what it leaves, when it is killed at each operation in turn."""
    seen: list[object] = []
    number = 0
    while True:
        number += 1
        shutil.rmtree(at, ignore_errors=True)
        at.mkdir()
        kill = Kill.parse(f"{role}:{number}")
        ended = run(lambda: command(at), at, logs, kill)
        files = {
            path.relative_to(at).as_posix(): path.read_text() if path.is_file() else None
            for path in sorted(at.rglob("*"))
        }
        last = ended.operations[-1] if ended.operations else None
        kind = last and f"{last.kind} {last.path}"
        seen.append({"code": ended.code, "last": kind, "files": files, "orphans": ended.orphans})
        if not ended.reached:
            return seen


def main() -> None:
    """Kill all of them."""
    folder = Path(sys.argv[1])
    at, logs = folder / "at", folder / "logs"
    logs.mkdir()
    seen = {
        "files": everywhere(write_three, at, logs, "main"),
        "main": everywhere(two_jobs, at, logs, "main"),
        "workers": everywhere(two_jobs, at, logs, "worker"),
        "orphans": run(lambda: sleep_on(at), at, logs, patience_s=0.5).orphans,
        "hangs": run(lambda: hang(at), at, logs, patience_s=0.5).code,
        "outside": len(run(lambda: write_three(folder), at, logs).operations),
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
