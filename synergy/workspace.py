"""The folder in which the stages keep everything, and the lock that one command has on it."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from synergy.errors import WorkspaceError
from synergy.files import is_partial, write_json_atomically, write_text_atomically
from synergy.trials.trial_store import TrialStore

_LOCK = ".synergy.lock"
_HOLDER = ".synergy.holder.json"


class Workspace:
    """The files of one run of the stages.

    ``config.yaml``, ``trials/``, ``ar_table.csv``, ``tree.json``, ``summary.json``, ``model/``
    and ``report.html``. All of them can be read without this package.

    Parameters
    ----------
    folder : Path
    create : bool
        Make the folder when it is not there; otherwise it must be a workspace already.

    Raises
    ------
    WorkspaceError
        If ``folder`` holds something else, cannot be made, or is missing and not to be made.
    """

    def __init__(self, folder: Path, *, create: bool = True) -> None:
        self.folder = Path(folder)
        self.trials = TrialStore(self.folder / "trials")
        self._lock = FileLock(self.folder / _LOCK)
        try:
            self._check()
            if create:
                self.trials.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkspaceError(
                f"the workspace {self.folder} cannot be used ({error.strerror}); "
                "name another one with --workspace"
            ) from error
        if not self.trials.folder.is_dir():
            raise WorkspaceError(
                f"expected a workspace in {self.folder}, found none; name another one with "
                "--workspace or train something first"
            )

    def _check(self) -> None:
        if not self.folder.exists():
            return
        if not self.folder.is_dir():
            raise WorkspaceError(
                f"expected a folder for the workspace, found the file {self.folder}; "
                "name an empty folder or a workspace"
            )
        found = sorted(p.name for p in self.folder.iterdir() if not p.name.startswith("."))
        ours = found == ["trials"] or (
            "trials" in found and (self.config.is_file() or (self.folder / _LOCK).is_file())
        )
        if found and not ours:
            shown = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
            raise WorkspaceError(
                f"expected a workspace in {self.folder}, found {shown}; "
                "name an empty folder or a workspace"
            )

    @property
    def config(self) -> Path:
        """The resolved configuration of the last command."""
        return self.folder / "config.yaml"

    @property
    def ar_table(self) -> Path:
        """The AR table of stage 2."""
        return self.folder / "ar_table.csv"

    @property
    def ar_samples(self) -> Path:
        """Bootstrap tables of the AR table."""
        return self.folder / "ar_samples.csv"

    def table_files(self, distilled: bool = False) -> tuple[Path, Path]:
        """The AR table and its bootstrap tables; pairs with teachers have tables of their own."""
        if not distilled:
            return self.ar_table, self.ar_samples
        return self.folder / "ar_table_distilled.csv", self.folder / "ar_samples_distilled.csv"

    @property
    def refinements(self) -> Path:
        """How many further seeds cells of the AR tables have."""
        return self.folder / "refinements.json"

    @property
    def frontier(self) -> Path:
        """The trees of all thresholds, with what was measured of them."""
        return self.folder / "frontier.json"

    @property
    def tree(self) -> Path:
        """The sharing tree of stage 3."""
        return self.folder / "tree.json"

    @property
    def summary(self) -> Path:
        """The numbers of the run."""
        return self.folder / "summary.json"

    @property
    def comparisons(self) -> Path:
        """The table against the field."""
        return self.folder / "comparisons.json"

    @property
    def model(self) -> Path:
        """Folder of the exported model."""
        return self.folder / "model"

    @property
    def report(self) -> Path:
        """The report for people."""
        return self.folder / "report.html"

    def save_config(self, text: str) -> None:
        """Write ``config.yaml``; trials of another configuration stay valid, they have digests."""
        write_text_atomically(self.config, text)

    def keep_error(self, digest: str, text: str) -> None:
        """Keep what is known of a failed trial in ``errors/<digest>.txt``."""
        folder = self.folder / "errors"
        folder.mkdir(exist_ok=True)
        write_text_atomically(folder / f"{digest}.txt", text)

    @contextmanager
    def lock(self, command: str, wait_s: float = 0) -> Iterator[None]:
        """Hold the workspace; the system releases it when this process dies.

        The same object may lock again inside. Leftovers of killed commands are removed.

        Parameters
        ----------
        command : str
            What others are told, for example ``synergy pairwise``.
        wait_s : float
            How long to wait for another holder, in seconds; negative waits for ever.

        Raises
        ------
        WorkspaceError
            If another command holds the workspace; says which one.
        """
        inside = self._lock.is_locked
        try:
            acquired = self._lock.acquire(timeout=wait_s)
        except Timeout as error:
            raise WorkspaceError(
                f"{self.folder} is held by {self._holder()}; wait for it or use another --workspace"
            ) from error
        except OSError as error:
            raise WorkspaceError(
                f"{self.folder} cannot be locked ({error.strerror}); "
                "name a folder that can be written with --workspace"
            ) from error
        with acquired:
            if inside:
                yield
                return
            self._clean()
            holder = self.folder / _HOLDER
            write_json_atomically(
                holder,
                {
                    "command": command,
                    "host": platform.node(),
                    "pid": os.getpid(),
                    "since": datetime.now().isoformat(timespec="seconds"),
                },
            )
            try:
                yield
            finally:
                holder.unlink(missing_ok=True)

    def _holder(self) -> str:
        try:
            holder = json.loads((self.folder / _HOLDER).read_text(encoding="utf-8"))
            command, pid, host = holder["command"], holder["pid"], holder["host"]
            since = datetime.fromisoformat(holder["since"])
        except (OSError, ValueError, KeyError, TypeError):  # it has just come or is just going
            return "another command"
        where = "" if host == platform.node() else f" on {host}"
        form = "%H:%M:%S" if since.date() == datetime.now().date() else "%Y-%m-%d %H:%M:%S"
        return f"`{command}` (process {pid}{where}, since {since.strftime(form)})"

    def _clean(self) -> None:
        """Remove what killed writers left, in the folder itself and in those inside."""
        for path in (*self.folder.iterdir(), *self.folder.glob("*/*")):
            if is_partial(path) and path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif is_partial(path):
                path.unlink(missing_ok=True)


def same_network(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two trees, as ``tree.json`` has them, are of one shape and width."""
    shapes = [(told.get("tree"), told.get("width", 1.0)) for told in (one, other)]
    return shapes[0] == shapes[1]
