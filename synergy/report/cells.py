"""The AR tables of a run as numbers, each cell with the trainings behind it."""

from __future__ import annotations

from typing import Any

from synergy.errors import TreeError
from synergy.report.reading import Sources
from synergy.report.trainings import Trainings
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.cells import Cell
from synergy.synthesis.question import Question
from synergy.synthesis.task_graph import task_graph
from synergy.tree import SharingTree


def tables(
    sources: Sources, trainings: Trainings, max_ar: float | None, tree: SharingTree | None
) -> list[dict[str, Any]]:
    """All AR tables, the one that the tree came from first.

    Parameters
    ----------
    sources : Sources
    trainings : Trainings
    max_ar : float, or None
        The threshold of the run, in percent.
    tree : SharingTree, or None
        The final one.
    """
    main = main_table(sources)
    kinds = sorted(sources.tables, key=lambda kind: kind != main)
    return [_table(kind, sources.tables[kind], trainings, max_ar, tree) for kind in kinds]


def main_table(sources: Sources) -> str | None:
    """Kind of the table that the tree came from; the plain one when nothing tells."""
    named = str((sources.tree or {}).get("table", ""))
    wanted = "distilled" if named.endswith("ar_table_distilled.csv") else "plain"
    return wanted if wanted in sources.tables else next(iter(sources.tables), None)


def _table(
    kind: str,
    table: ARTable,
    trainings: Trainings,
    max_ar: float | None,
    tree: SharingTree | None,
) -> dict[str, Any]:
    weights = dict.fromkeys(table.pairs(), 0)
    if max_ar is not None:
        graph = task_graph(table, Question(max_ar))
        weights = dict(zip(graph.pairs(), graph.weights, strict=True))
    cells: list[dict[str, Any]] = []
    for cell in table.cells:
        a, b, depth = cell.key
        cells.append(
            {
                **_numbers(cell),
                "passes": max_ar is not None and cell.passes(max_ar),
                "is_weight": weights[a, b] == depth,
                "in_tree": _shared(tree, a, b) == depth,
                "curves": _curves(cell, trainings, kind == "distilled"),
            }
        )
    seeds = sorted({cell.seeds for cell in table.cells if cell.status == "measured"})
    return {
        "kind": kind,
        "tasks": list(table.tasks),
        "depths": list(table.depths),
        "pairs": [list(pair) for pair in table.pairs()],
        "seeds": seeds,
        "cells": cells,
    }


def _numbers(cell: Cell) -> dict[str, Any]:
    return {
        "task_a": cell.task_a,
        "task_b": cell.task_b,
        "shared_depth": cell.shared_depth,
        "ar_pct": cell.ar_pct,
        "ar_low": cell.ar_low,
        "ar_high": cell.ar_high,
        "test_ar_pct": cell.test_ar_pct,
        "status": cell.status,
        "reason": cell.reason,
        "seeds": cell.seeds,
        "single": {cell.task_a: cell.single_a, cell.task_b: cell.single_b},
        "multi": {cell.task_a: cell.multi_a, cell.task_b: cell.multi_b},
    }


def _shared(tree: SharingTree | None, a: str, b: str) -> int:
    try:
        return 0 if tree is None else tree.shared_depth(a, b)
    except TreeError:  # a tree of other tasks
        return 0


def _curves(cell: Cell, trainings: Trainings, distilled: bool) -> dict[str, list[dict[str, Any]]]:
    """Validation scores of both tasks: alone, and together."""
    if cell.status == "skipped":
        return {}
    trials = trainings.of_cell(cell, distilled)
    if not trials:
        return {}
    found: dict[str, list[dict[str, Any]]] = {}
    for task in (cell.task_a, cell.task_b):
        alone = trainings.singles.get(task, [])
        found[task] = [
            *(trainings.curve(trial, task, "single").to_json() for trial in alone),
            *(trainings.curve(trial, task, "shared").to_json() for trial in trials),
        ]
    return found
