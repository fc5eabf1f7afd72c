"""The files of a workspace as they lie there: nothing is computed, no recordings, no weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from synergy.errors import ConfigError, ModelError, TreeError, WorkspaceError
from synergy.extensions import IMPORTS
from synergy.files import UnfitFileError, read_text
from synergy.null_file import NullFile
from synergy.records import ComparisonsFile, FrontierFile, SummaryFile, TreeFile
from synergy.synthesis.question import TableKind
from synergy.tree import SharingTree
from synergy.trials.record import TrialRecord, TrialResult
from synergy.wording import cut
from synergy.workspace import Workspace

if TYPE_CHECKING:  # both import torch
    from synergy.config import RunConfig
    from synergy.export.spec import Spec


@dataclass(frozen=True)
class Training:
    """A finished trial with what it gave."""

    digest: str
    tree: SharingTree
    trial: TrialRecord
    result: TrialResult


class Sources:
    """Everything that a report is made of; what is not there is None or empty.

    Parameters
    ----------
    workspace : Workspace

    Attributes
    ----------
    trainings : dict of digest to Training
        All that are finished and intact.
    damaged : tuple of str
        Digests of finished ones that are not intact.
    config : RunConfig, or None
        The last command's settings; as text in ``config_text``.
    spec : Spec, or None
        Specification of the exported model.

    Raises
    ------
    WorkspaceError
        If a file is damaged, or there is nothing to report.
    ConfigError, TableError
        If the configuration or an AR table is damaged.
    """

    def __init__(self, workspace: Workspace) -> None:
        from synergy.config import load_config
        from synergy.export.spec import read_spec

        self.folder, self.store = workspace.folder, workspace.trials
        self.config: RunConfig | None = None
        self.config_text = ""
        if workspace.config.exists():
            workspace.check_config()
            with _naming_the_way_out(workspace.config, "baseline"):
                self.config_text = "\n".join(read_text(workspace.config).splitlines())
                self.config = load_config(workspace.config, imports=False)
        self.spec: Spec | None = None
        spec_file = workspace.model / "spec.json"
        if spec_file.exists():
            with _naming_the_way_out(spec_file, "synthesize"):
                self.spec = read_spec(spec_file)
        self.trainings = {digest: self._training(digest) for digest in self.store.done()}
        self.damaged = tuple(d for d in self.store.finished() if d not in self.trainings)
        self.tables = workspace.tables()
        self.nulls: dict[TableKind, NullFile] = {}
        for kind, found in self.tables.items():
            null = NullFile.read(workspace.null(kind))
            if null is not None and set(null.tasks) == set(found.table.tasks):
                self.nulls[kind] = null
        self.tree = TreeFile.read(workspace.tree)
        self.summary = SummaryFile.read(workspace.summary)
        self.frontier = FrontierFile.read(workspace.frontier)
        self.comparisons = ComparisonsFile.read(workspace.comparisons)
        files = (self.tree, self.summary, self.frontier, self.comparisons)
        if not (self.trainings or self.tables or any(file is not None for file in files)):
            raise WorkspaceError(
                f"expected finished trainings or an AR table in {self.folder}, found neither; "
                f"run `synergy run --workspace {self.folder}` or `synergy baseline` first"
            )

    @property
    def main_table(self) -> TableKind | None:
        """The table that the tree came from; the first one when nothing tells."""
        named = self.tree.table_kind if self.tree else None
        return named if named in self.tables else next(iter(self.tables), None)

    def _training(self, digest: str) -> Training:
        trial = self.store.trial(digest)
        with _naming_the_way_out(self.store.path(digest) / "trial.json", "baseline"):
            return Training(digest, trial.sharing_tree, trial, self.store.result(digest))


@contextmanager
def _naming_the_way_out(file: Path, command: str) -> Iterator[None]:
    try:
        yield
    except (ConfigError, ModelError, OSError, TreeError, UnfitFileError) as error:
        problem = " ".join(str(error).removeprefix(f"{file}: ").split())
        if IMPORTS in problem:  # it names a class of somebody else
            raise WorkspaceError(f"{file}: {problem}") from error
        raise WorkspaceError(
            f"{file} is damaged ({cut(problem, 200)}); run `synergy {command}` again to write it "
            "anew"
        ) from error
