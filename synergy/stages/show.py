"""The state of a workspace, from its files alone: no recordings, no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from synergy import limits
from synergy.files import UnfitFileError, read_text
from synergy.records import ModelFile, SummaryFile, TreeFile
from synergy.strict_yaml import YamlError, read_yaml
from synergy.synthesis import ARTable
from synergy.synthesis.question import TableKind
from synergy.workspace import Workspace


@dataclass(frozen=True)
class State:
    """What lies in a workspace; what is not there is None.

    Attributes
    ----------
    trials : dict of str to int
        Finished trainings of one task, of two tasks, and of more.
    training_s : float
        Seconds that they took together.
    clips_per_s : float, or None
        Mean speed of the finished trainings.
    damaged : dict of str to dict
        What is wrong with trainings that count as not done, by digest and file.
    model : ModelFile, or None
        What the specification of the exported model says of it.
    schedule : str
        Of the last command's configuration, empty where that is not known.
    """

    folder: Path
    trials: Mapping[str, int]
    training_s: float
    clips_per_s: float | None
    tables: Mapping[TableKind, ARTable]
    tree: TreeFile | None
    summary: SummaryFile | None
    model: ModelFile | None
    damaged: Mapping[str, Mapping[str, str]]
    schedule: str

    @property
    def is_tree_trained(self) -> bool:
        """Whether the scores in the summary are those of the tree in tree.json."""
        if self.tree is None or self.summary is None:
            return False
        return self.summary.synthesis.is_of(self.tree)

    @property
    def is_model_current(self) -> bool:
        """Whether the exported model is that of the tree in tree.json."""
        if self.tree is None or self.model is None:
            return self.tree is None
        same = self.model.tree == self.tree.tree
        return same and self.tree.params in (None, self.model.params)

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "workspace": str(self.folder),
            "trials": dict(self.trials),
            "schedule": self.schedule,
            "training_s": self.training_s,
            "clips_per_s": self.clips_per_s,
            "damaged": {digest: dict(files) for digest, files in self.damaged.items()},
            "table": _told(self.tables.get("plain")),
            "table_distilled": _told(self.tables.get("distilled")),
            "tree": self.tree and self.tree.to_json(),
            "tree_is_trained": self.is_tree_trained,
            "summary": self.summary and self.summary.to_json(),
            "model_is_current": None if self.model is None else self.is_model_current,
            "model": None if self.model is None else str(self.folder / "model"),
        }


def show(workspace: Workspace) -> State:
    """Read the state of a workspace.

    Raises
    ------
    WorkspaceError, TableError
        If a file of it is damaged, or its trainings cannot be listed. Single trainings that are
        damaged are left out.
    """
    store = workspace.trials
    results = [store.result(digest) for digest in store.done()]
    tasks = Counter(min(len(result.scores.get("valid", ())), 3) for result in results)
    return State(
        folder=workspace.folder,
        trials={"single": tasks[1], "pair": tasks[2], "larger": tasks[3]},
        training_s=sum(result.seconds for result in results),
        clips_per_s=fmean(result.clips_per_s for result in results) if results else None,
        tables={kind: found.table for kind, found in workspace.tables().items()},
        tree=TreeFile.read(workspace.tree),
        summary=SummaryFile.read(workspace.summary),
        model=ModelFile.read(workspace.model / "spec.json"),
        damaged={digest: found for digest in store.finished() if (found := store.damage(digest))},
        schedule=_schedule(workspace.config),
    )


def _schedule(file: Path) -> str:
    """What a configuration says of the length of trainings; its model would import torch."""
    with suppress(OSError, UnfitFileError, YamlError):
        found = read_yaml(read_text(file, limits.CONFIG_BYTES))
        return str(found.get("schedule", "fixed")) if isinstance(found, dict) else ""
    return ""


def _told(table: ARTable | None) -> dict[str, Any] | None:
    """A table as JSON values."""
    if table is None:
        return None
    return {
        "tasks": list(table.tasks),
        "depths": list(table.depths),
        "cells": len(table.cells),
        "measured": sum(cell.status == "measured" for cell in table.cells),
        "ar_pct": [
            {"task_a": a, "task_b": b, "shared_depth": d, "ar_pct": table.cell(a, b, d).ar_pct}
            for a, b in table.pairs()
            for d in table.depths
        ],
    }
