"""The folder in which the stages keep everything, and the lock that one command has on it."""

from __future__ import annotations

import logging
import os
import platform
import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from filelock import FileLock, Timeout

from synergy.errors import ConfigError, TableError, WorkspaceError
from synergy.files import is_partial, read_text, write_atomically
from synergy.machine import refusal
from synergy.records import HolderFile
from synergy.seals import Seals
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.question import TableKind
from synergy.synthesis.resampling import TableSamples
from synergy.synthesis.table_csv import read_lines
from synergy.trials.trial_store import TrialStore

if TYPE_CHECKING:
    from synergy.config import RunConfig

_log = logging.getLogger(__name__)

_LOCK = ".synergy.lock"
_OTHER = "name another folder with --workspace"
_HOLDER = ".synergy.holder.json"


@dataclass(frozen=True)
class PairTable:
    """An AR table and where it comes from.

    Attributes
    ----------
    table : ARTable
    file : Path
    kind : {"plain", "distilled"}, or None
        Which table of the workspace it is; None for one from elsewhere.
    samples : TableSamples, or None
        Tables as they may truly be, where there are any.
    """

    table: ARTable
    file: Path
    kind: TableKind | None = None
    samples: TableSamples | None = None


class TableFiles:
    """The files of one AR table of a workspace, there or not.

    Parameters
    ----------
    folder : Path
    kind : {"plain", "distilled"}

    Attributes
    ----------
    table, samples : Path
        The table and tables as they may truly be.
    scores : Path
        The scores behind it, seed by seed, with the digests of their trials.
    losses : Path
        Signed losses task by task, measured and estimated.
    every : tuple of Path
        All of them.
    """

    def __init__(self, folder: Path, kind: TableKind) -> None:
        ending = "_distilled.csv" if kind == "distilled" else ".csv"
        self.kind: TableKind = kind
        self.table = folder / f"ar_table{ending}"
        self.samples = folder / f"ar_samples{ending}"
        self.scores = folder / f"ar_scores{ending}"
        self.losses = folder / f"ar_losses{ending}"
        self.every = (self.table, self.samples, self.scores, self.losses)

    def read(self) -> PairTable:
        """The table, with its samples if these belong to it.

        Raises
        ------
        TableError
            If the table is damaged.
        """
        broken = Seals(self.table.parent).broken(self.table.name, self.samples.name)
        if problem := broken.get(self.table.name):
            raise TableError(
                f"{self.table} is damaged ({problem}); run `synergy pairwise` to write it anew, "
                "or name a copy in another folder with --table where you changed it yourself"
            )
        table = ARTable.from_csv(self.table)
        samples = None
        if problem := broken.get(self.samples.name):
            _log.warning(
                "%s is damaged (%s) and not used; run `synergy pairwise` to write it anew",
                self.samples,
                problem,
            )
        elif self.samples.is_file():
            with suppress(TableError):
                samples = TableSamples.from_csv(self.samples, table)
        return PairTable(table, self.table, self.kind, samples)

    def single_trials(self) -> frozenset[str]:
        """Digests of the single-task models behind the table; none where that is not known."""
        try:
            header, *rows = (cells for _, cells in read_lines(self.scores))
            place, depth = header.index("trial"), header.index("shared_depth")
        except (TableError, ValueError):  # not there, or of before
            return frozenset()
        return frozenset(row[place] for row in rows if len(row) > place and not row[depth])

    def exchanged(self) -> AbstractContextManager[None]:
        """The time in which all files of the table are written."""
        return Seals(self.table.parent).exchanged(*(path.name for path in self.every))


class Workspace:
    """The files of one run of the stages. All of them can be read without this package.

    Parameters
    ----------
    folder : Path
    create : bool
        Make the folder when it is not there; otherwise it must be a workspace already.

    Attributes
    ----------
    trials : TrialStore
    config : Path
        The resolved configuration of the last command.
    tree, summary, frontier, comparisons : Path
        Files of `synergy.records`, there or not.
    model : Path
        Folder of the exported model.
    report : Path
        The report for people.
    seals : Seals
        Checksums of the tables and the configuration.

    Raises
    ------
    WorkspaceError
        If ``folder`` holds something else, cannot be made, or is missing and not to be made.
    """

    def __init__(self, folder: Path, *, create: bool = True) -> None:
        self.folder = Path(folder)
        self.trials = TrialStore(self.folder / "trials")
        self.config = self.folder / "config.yaml"
        self.tree = self.folder / "tree.json"
        self.summary = self.folder / "summary.json"
        self.frontier = self.folder / "frontier.json"
        self.comparisons = self.folder / "comparisons.json"
        self.model = self.folder / "model"
        self.report = self.folder / "report.html"
        self.seals = Seals(self.folder)
        self._lock = FileLock(self.folder / _LOCK)
        try:
            self._check()
            if create:
                self.trials.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkspaceError(
                f"the workspace {self.folder} cannot be used: {refusal(error, self.folder, _OTHER)}"
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

    def table_files(self, kind: TableKind) -> TableFiles:
        """The files of an AR table, there or not."""
        return TableFiles(self.folder, kind)

    def null(self, kind: TableKind) -> Path:
        """The null control of an AR table, a `synergy.null_file.NullFile`, there or not."""
        return self.folder / ("null.json" if kind == "plain" else f"null_{kind}.json")

    def tables(self) -> dict[TableKind, PairTable]:
        """The AR tables that are there, the plain one first.

        Raises
        ------
        TableError
            If one is damaged.
        """
        kinds: tuple[TableKind, ...] = get_args(TableKind)
        files = [self.table_files(kind) for kind in kinds]
        return {each.kind: each.read() for each in files if each.table.is_file()}

    def table(self, distilled: bool = False) -> PairTable:
        """The AR table that the third stage rests on.

        With ``distilled`` the table of distilled pairs if there is one, else the plain one.

        Raises
        ------
        WorkspaceError
            If there is none yet; names the command that makes it.
        TableError
            If it is damaged.
        """
        kinds: tuple[TableKind, ...] = ("distilled", "plain") if distilled else ("plain",)
        for kind in kinds:
            files = self.table_files(kind)
            if files.table.is_file():
                return files.read()
        raise WorkspaceError(
            f"expected an AR table in {self.table_files('plain').table}, found none; "
            f"run `synergy pairwise --workspace {self.folder}` first"
        )

    def check(self, config: RunConfig, way_out: str) -> None:
        """Refuse a configuration of another experiment than that of the results in here.

        Parameters
        ----------
        config : RunConfig
        way_out : str
            What a person may do beside naming another folder.

        Raises
        ------
        ConfigError
            If it differs in more than depths, seeds and threshold; names the differences.
        """
        if changed := self._differences(config):
            raise ConfigError(
                f"{self.folder} holds the results of another experiment: {'; '.join(changed)}; "
                f"name another folder with --workspace, or {way_out}"
            )

    def claim(self, config: RunConfig, replace: bool = False) -> Path | None:
        """Keep ``config`` as that of this workspace, which belongs to one experiment.

        With ``replace``, the results of another experiment are put aside, into ``replaced-N``,
        instead of being refused as by `check`. Finished trials stay where they are: they have
        digests. Returns where results were put aside, if any were. A ModelError is raised if the
        model folder could not be replaced at the end.
        """
        from synergy.export.folder import refuse_foreign  # its package imports torch

        refuse_foreign(self.model)
        aside = self._aside()
        moved = None
        if not (replace or aside.exists()):
            self.check(config, "put these results aside with --replace")
        elif aside.exists() or self._differences(config):
            moved = aside
            aside.mkdir(exist_ok=True)
            old = [path for path in (*self._results(), self.config) if path.exists()]
            with self.seals.exchanged(*self.seals.names):
                for path in old:  # the configuration last: it says that all of it is there
                    path.rename(aside / path.name)
        with self.seals.exchanged(self.config.name):
            write_atomically(self.config, config.to_yaml())
        return moved

    def check_config(self) -> None:
        """Raise ConfigError if the kept configuration is not as it was written."""
        if problem := self.seals.broken(self.config.name).get(self.config.name):
            raise ConfigError(
                f"{self.config} is damaged ({problem}); name the configuration that it came from "
                "with --config, or this file where you changed it yourself"
            )

    def _aside(self) -> Path:
        """Where results are put aside: a new folder, or that of a command that was killed."""
        folders = (self.folder / f"replaced-{number}" for number in count(1))
        return next(folder for folder in folders if not (folder / self.config.name).exists())

    def _results(self) -> list[Path]:
        kinds: tuple[TableKind, ...] = get_args(TableKind)
        tables = [p for kind in kinds for p in (*self.table_files(kind).every, self.null(kind))]
        stages = (self.tree, self.summary, self.frontier, self.comparisons)
        return [p for p in (*tables, *stages, self.model, self.report) if p.exists()]

    def _known(self) -> RunConfig:
        """The kept configuration; ConfigError if it cannot be read."""
        from synergy.config import load_config  # imports torch, which readers do without

        self.check_config()
        known = load_config(self.config, imports=False)
        written = re.findall(r"^ +(epochs|weights):", read_text(self.config), re.MULTILINE)
        if written == ["epochs"]:  # by an earlier version, which had no other rule
            training = known.training.model_copy(update={"weights": "best"})
            known = known.model_copy(update={"training": training})
        return known

    def _differences(self, config: RunConfig) -> list[str]:
        if not (self.config.is_file() and self._results()):
            return []
        try:
            return self._known().differences(config)
        except ConfigError as error:
            return [f"its configuration cannot be read ({error})"]

    def is_first_look_at(self, config: RunConfig) -> bool:
        """Whether the results in here are of the same experiment, cut short by --quick."""
        with suppress(ConfigError):
            return self._known().is_first_look_at(config)
        return False

    def keep_error(self, digest: str, text: str) -> None:
        """Keep what is known of a failed trial in ``errors/<digest>.txt``."""
        folder = self.folder / "errors"
        folder.mkdir(exist_ok=True)
        write_atomically(folder / f"{digest}.txt", text)

    @contextmanager
    def lock(self, command: str) -> Iterator[None]:
        """Hold the workspace; the system releases it when this process dies.

        Leftovers of killed commands are removed. Others are told ``command``, for example
        ``synergy pairwise``.

        Raises
        ------
        WorkspaceError
            If another command holds the workspace; says which one.
        """
        try:
            acquired = self._lock.acquire(timeout=0)
        except Timeout as error:
            raise WorkspaceError(
                f"{self.folder} is held by {self._holder()}; wait for it or use another --workspace"
            ) from error
        except OSError as error:
            raise WorkspaceError(
                f"{self.folder} cannot be locked: {refusal(error, self.folder, _OTHER)}"
            ) from error
        with acquired:
            self._clean()
            holder = self.folder / _HOLDER
            HolderFile(
                command=command,
                host=platform.node(),
                pid=os.getpid(),
                since=datetime.now().replace(microsecond=0),
            ).write(holder)
            try:
                yield
            finally:
                holder.unlink(missing_ok=True)

    def _holder(self) -> str:
        try:
            holder = HolderFile.read(self.folder / _HOLDER)
        except WorkspaceError:
            holder = None
        if holder is None:  # it has just come or is just going
            return "another command"
        where = "" if holder.host == platform.node() else f" on {holder.host}"
        today = holder.since.date() == datetime.now().date()
        since = holder.since.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")
        return f"`{holder.command}` (process {holder.pid}{where}, since {since})"

    def _clean(self) -> None:
        """Remove what killed writers left, in the folder itself and in those of the tool."""
        names = (".", "trials", "soft_labels", "probes", "errors")
        for path in (p for name in names for p in (self.folder / name).glob("*")):
            if is_partial(path) and path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif is_partial(path):
                path.unlink(missing_ok=True)
