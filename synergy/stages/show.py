"""The state of a workspace, from its files alone: no recordings, no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from synergy.errors import WorkspaceError
from synergy.synthesis.ar_table import ARTable
from synergy.tree import SharingTree
from synergy.workspace import Workspace, same_network

KINDS: tuple[str, ...] = ("single", "pair", "larger")


@dataclass(frozen=True)
class State:
    """What lies in a workspace.

    Attributes
    ----------
    folder : Path
    trials : dict of str to int
        Finished trainings of one task, of two tasks, and of more.
    training_s : float
        Seconds that they took together.
    clips_per_s : float, or None
        Mean speed of the finished trainings.
    tables : dict of {"plain", "distilled"} to ARTable
        Those that are there.
    tree, summary, model : mapping, or None
        tree.json, summary.json, and the specification of the exported model.
    """

    folder: Path
    trials: Mapping[str, int]
    training_s: float
    clips_per_s: float | None
    tables: Mapping[str, ARTable]
    tree: Mapping[str, Any] | None
    summary: Mapping[str, Any] | None
    model: Mapping[str, Any] | None

    @property
    def is_tree_trained(self) -> bool:
        """Whether the scores in the summary are those of the tree in tree.json."""
        if self.tree is None or self.summary is None:
            return False
        return same_network(self.summary.get("synthesis", {}), self.tree)

    @property
    def is_model_current(self) -> bool:
        """Whether the exported model is that of the tree in tree.json."""
        if self.tree is None or self.model is None:
            return self.tree is None
        params = self.model.get("costs", {}).get("total", {}).get("params")
        same = self.model.get("tree") == self.tree["tree"]
        return same and params == self.tree.get("params", params)

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "workspace": str(self.folder),
            "trials": dict(self.trials),
            "training_s": self.training_s,
            "clips_per_s": self.clips_per_s,
            "table": _told(self.tables.get("plain")),
            "table_distilled": _told(self.tables.get("distilled")),
            "tree": self.tree,
            "tree_is_trained": self.is_tree_trained,
            "summary": self.summary,
            "model_is_current": None if self.model is None else self.is_model_current,
            "model": None if self.model is None else str(self.folder / "model"),
        }


def show(workspace: Workspace) -> State:
    """Read the state of a workspace.

    Raises
    ------
    WorkspaceError
        If a file of it is damaged.
    TableError
        If the AR table is damaged.
    """
    store = workspace.trials
    trials: dict[str, int] = dict.fromkeys(KINDS, 0)
    seconds: list[float] = []
    speeds: list[float] = []
    for digest in store.done():
        result = store.result(digest)
        count = len(result.scores.get("valid", {}))
        trials[KINDS[min(count, 3) - 1 if count else 0]] += 1
        seconds.append(result.seconds)
        speeds.append(result.clips_per_s)
    files = {"plain": workspace.table_files(False)[0], "distilled": workspace.table_files(True)[0]}
    tables = {kind: ARTable.from_csv(file) for kind, file in files.items() if file.is_file()}
    tree = _read(workspace.tree)
    if tree is not None:
        _check_tree(workspace.tree, tree)
    return State(
        folder=workspace.folder,
        trials=trials,
        training_s=sum(seconds),
        clips_per_s=fmean(speeds) if speeds else None,
        tables=tables,
        tree=tree,
        summary=_read(workspace.summary),
        model=_read(workspace.model / "spec.json"),
    )


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


def _read(file: Path) -> dict[str, Any] | None:
    """A JSON object, or None when there is no such file."""
    if not file.is_file():
        return None
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise ValueError("it holds no JSON object")
    except (OSError, ValueError) as error:
        raise _damaged(file, error) from error
    return data


def _check_tree(file: Path, tree: Mapping[str, Any]) -> None:
    try:
        SharingTree.from_json(tree["tree"])
        _ = tree["notation"], tree["max_ar"], tree["encoder_params"], tree["predicted_ar_pct"]
    except Exception as error:
        raise _damaged(file, error) from error


def _damaged(file: Path, error: Exception) -> WorkspaceError:
    return WorkspaceError(
        f"{file} is damaged ({error}); run `synergy synthesize` again to write it anew"
    )
