"""The files of a workspace as they lie there: nothing is computed, no recordings, no torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from synergy.errors import SynergyError, TableError, WorkspaceError
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.resampling import TableSamples
from synergy.tree import SharingTree
from synergy.trials.trial_store import TrialStore
from synergy.workspace import Workspace

KINDS = ("plain", "distilled")
"""Tables of pairs without and with the single-task models as teachers."""


@dataclass(frozen=True)
class TrialFacts:
    """One finished training.

    Attributes
    ----------
    digest : str
    tree : SharingTree
    seed : int
    settings : str
        Encoder, training, features, teachers and masks as one text; equal for trials that may
        be averaged or compared.
    data : dict of task to str
        Digest of each task's clips and targets.
    tasks : dict of task to mapping
        Kind and classes.
    encoder, training : mapping
    scores : dict
        ``scores[split][task]``, in [0, 1].
    is_plain : bool
        Neither taught by other models nor pruned.
    best_step : int, or None
        The step whose weights were kept.
    steps_per_epoch : int
    seconds : float
    """

    digest: str
    tree: SharingTree
    seed: int
    settings: str
    data: Mapping[str, str]
    tasks: Mapping[str, Mapping[str, Any]]
    encoder: Mapping[str, Any]
    training: Mapping[str, Any]
    scores: Mapping[str, Mapping[str, float]]
    is_plain: bool
    best_step: int | None
    steps_per_epoch: int
    seconds: float


@dataclass(frozen=True)
class Sources:
    """Everything that a report is made of; what is not there is None or empty.

    Attributes
    ----------
    folder : Path
    store : TrialStore
    trials : tuple of TrialFacts
        In the order of their digests.
    config : dict
        The last command's settings, unchecked, and as text in ``config_text``.
    tables : dict of str to ARTable
        By their kinds, see `KINDS`.
    samples : dict of str to TableSamples
        Their bootstrap tables, by the same names.
    tree, summary, frontier, comparisons, spec : dict, or None
        ``tree.json``, ``summary.json``, ``frontier.json``, ``comparisons.json`` and the
        specification of the exported model.
    """

    folder: Path
    store: TrialStore
    trials: tuple[TrialFacts, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    config_text: str = ""
    tables: Mapping[str, ARTable] = field(default_factory=dict)
    samples: Mapping[str, TableSamples] = field(default_factory=dict)
    tree: Mapping[str, Any] | None = None
    summary: Mapping[str, Any] | None = None
    frontier: Mapping[str, Any] | None = None
    comparisons: Mapping[str, Any] | None = None
    spec: Mapping[str, Any] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to report."""
        files = (self.tree, self.summary, self.frontier, self.comparisons)
        return not (self.trials or self.tables or any(file is not None for file in files))


def read(workspace: Workspace) -> Sources:
    """Read a workspace.

    Raises
    ------
    WorkspaceError
        If a file is damaged, or there is nothing to report.
    TableError
        If an AR table is damaged.
    """
    folder = workspace.folder
    text, config = _config(workspace.config)
    files = {kind: workspace.table_files(kind == "distilled") for kind in KINDS}
    tables = {kind: ARTable.from_csv(file) for kind, (file, _) in files.items() if file.is_file()}
    sources = Sources(
        folder=folder,
        store=workspace.trials,
        trials=tuple(_trials(workspace.trials)),
        config=config,
        config_text=text,
        tables=tables,
        samples=dict(_samples(tables, {kind: file for kind, (_, file) in files.items()})),
        tree=_json(workspace.tree, "synthesize"),
        summary=_json(workspace.summary, "synthesize", "rows"),
        frontier=_json(workspace.frontier, "synthesize --train-frontier", "frontier"),
        comparisons=_json(workspace.comparisons, "compare", "rows"),
        spec=_json(workspace.model / "spec.json", "synthesize"),
    )
    if sources.is_empty:
        raise WorkspaceError(
            f"expected finished trainings or an AR table in {folder}, found neither; "
            f"run `synergy run --workspace {folder}` or `synergy baseline` first"
        )
    return sources


@contextmanager
def understanding(file: Path, command: str) -> Iterator[None]:
    """Turn whatever a value of the wrong form raises into one sentence with the way out."""
    try:
        yield
    except WorkspaceError:
        raise
    except (AttributeError, LookupError, OSError, TypeError, ValueError, SynergyError) as error:
        raise WorkspaceError(
            f"{file} is damaged ({error!s:.200}); run `synergy {command}` again to write it anew"
        ) from error


def _samples(
    tables: Mapping[str, ARTable], files: Mapping[str, Path]
) -> Iterator[tuple[str, TableSamples]]:
    for kind, table in tables.items():
        if files[kind].is_file():
            # Those of another state of the table tell nothing about this one.
            with suppress(TableError):
                yield kind, TableSamples.from_csv(files[kind], table)


def _json(file: Path, command: str, rows: str = "") -> dict[str, Any] | None:
    """A JSON object, in which ``rows`` names a list of objects; None when there is no such file."""
    if not file.is_file():
        return None
    with understanding(file, command):
        data = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise ValueError("it holds no JSON object")
        if rows and not all(isinstance(row, dict) for row in data[rows]):
            raise ValueError(f"{rows} holds something else than objects")
        return data


def _config(file: Path) -> tuple[str, dict[str, Any]]:
    if not file.is_file():
        return "", {}
    with understanding(file, "baseline"):
        text = file.read_text(encoding="utf-8")
        try:
            config = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(" ".join(str(error).split())) from error
        if not isinstance(config, dict):
            raise ValueError("it holds no mapping of settings")
        return text, config


def _trials(store: TrialStore) -> Iterator[TrialFacts]:
    for digest in store.done():
        trial, result = store.trial(digest), store.result(digest)
        with understanding(store.path(digest), "baseline"):
            kept = ("encoder", "training", "bank", "distillation", "teachers", "pruning")
            taught = bool(trial.distillation)
            settings = trial.model_dump(mode="json", include=set(kept))
            # Teachers belong to tasks, so they differ between a pair and its single tasks.
            settings["teachers"] = taught
            yield TrialFacts(
                digest=digest,
                tree=trial.sharing_tree,
                seed=trial.seed,
                settings=json.dumps(settings, sort_keys=True),
                data=trial.data,
                tasks={task.name: task.model_dump(mode="json") for task in trial.tasks},
                encoder=trial.encoder,
                training=trial.training,
                scores=result.scores,
                is_plain=not (taught or trial.pruning),
                best_step=result.best_step,
                steps_per_epoch=int(trial.training.get("steps_per_epoch") or 1),
                seconds=result.seconds,
            )
