"""The files of a workspace as they lie there: nothing is computed, no recordings, no weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from synergy.errors import ConfigError, ModelError, TreeError, WorkspaceError
from synergy.records import ComparisonsFile, FrontierFile, SummaryFile, TableKind, TreeFile
from synergy.tree import SharingTree
from synergy.trials.record import TrialRecord, TrialResult
from synergy.trials.trial_store import TrialStore
from synergy.workspace import PairTable, Workspace

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

    @property
    def is_plain(self) -> bool:
        """Neither taught by other models nor pruned."""
        return not (self.trial.distillation or self.trial.pruning)


@dataclass(frozen=True)
class Sources:
    """Everything that a report is made of; what is not there is None or empty.

    Attributes
    ----------
    trainings : dict of digest to Training
        All that are finished.
    config : RunConfig, or None
        The last command's settings; as text in ``config_text``.
    spec : Spec, or None
        Specification of the exported model.
    """

    folder: Path
    store: TrialStore
    trainings: Mapping[str, Training]
    config: RunConfig | None
    config_text: str
    tables: Mapping[TableKind, PairTable]
    tree: TreeFile | None
    summary: SummaryFile | None
    frontier: FrontierFile | None
    comparisons: ComparisonsFile | None
    spec: Spec | None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to report."""
        files = (self.tree, self.summary, self.frontier, self.comparisons)
        return not (self.trainings or self.tables or any(file is not None for file in files))

    @property
    def main_table(self) -> TableKind | None:
        """The table that the tree came from; the first one when nothing tells."""
        named = self.tree.table_kind if self.tree else None
        return named if named in self.tables else next(iter(self.tables), None)


def read_sources(workspace: Workspace) -> Sources:
    """Read a workspace.

    Raises
    ------
    WorkspaceError
        If a file is damaged, or there is nothing to report.
    TableError
        If an AR table is damaged.
    """
    from synergy.config import load_config
    from synergy.export.spec import read_spec

    store, config, spec, text = workspace.trials, None, None, ""
    if workspace.config.is_file():
        with _naming_the_way_out(workspace.config, "baseline"):
            config = load_config(workspace.config, imports=False)
        text = workspace.config.read_text(encoding="utf-8")
    spec_file = workspace.model / "spec.json"
    if spec_file.is_file():
        with _naming_the_way_out(spec_file, "synthesize"):
            spec = read_spec(spec_file)
    sources = Sources(
        folder=workspace.folder,
        store=store,
        trainings={digest: _training(store, digest) for digest in store.done()},
        config=config,
        config_text=text,
        tables=workspace.tables(),
        tree=TreeFile.read(workspace.tree),
        summary=SummaryFile.read(workspace.summary),
        frontier=FrontierFile.read(workspace.frontier),
        comparisons=ComparisonsFile.read(workspace.comparisons),
        spec=spec,
    )
    if sources.is_empty:
        raise WorkspaceError(
            f"expected finished trainings or an AR table in {sources.folder}, found neither; "
            f"run `synergy run --workspace {sources.folder}` or `synergy baseline` first"
        )
    return sources


def _training(store: TrialStore, digest: str) -> Training:
    trial = store.trial(digest)
    with _naming_the_way_out(store.path(digest) / "trial.json", "baseline"):
        return Training(digest, trial.sharing_tree, trial, store.result(digest))


@contextmanager
def _naming_the_way_out(file: Path, command: str) -> Iterator[None]:
    try:
        yield
    except (ConfigError, ModelError, TreeError) as error:
        problem = str(error).removeprefix(f"{file}: ")
        raise WorkspaceError(
            f"{file} is damaged ({problem}); run `synergy {command}` again to write it anew"
        ) from error
