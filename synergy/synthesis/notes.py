"""What a reader should know about a tree that was found: one sentence each."""

from __future__ import annotations

from collections.abc import Iterable

from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.question import Caps
from synergy.synthesis.task_graph import TaskGraph


def sharing_notes(graph: TaskGraph, caps: Caps) -> list[str]:
    """Says when no pair may share anything."""
    if any(graph.weights):
        return []
    depth = "any depth that its cap allows" if caps else "any depth"
    return [
        f"No pair passes the threshold at {depth}, so nothing is shared: the tree is one "
        "encoder for each task."
    ]


def depth_notes(table: ARTable, max_ar: float, used: Iterable[tuple[str, str, int]]) -> list[str]:
    """Depths in use at which the pair itself did not pass, although it passed at a larger one.

    Parameters
    ----------
    table : ARTable
    max_ar : float
        The threshold, in percent.
    used : iterable of (str, str, int)
        Number of blocks that each pair shares.
    """
    notes: list[str] = []
    for a, b, depth in used:
        if not depth or (cell := table.cell(a, b, depth)).passes(max_ar):
            continue
        if cell.ar_pct is not None:
            found = f"has an AR of {cell.ar_pct:.4g} %"
        elif cell.status == "skipped":
            found = "was not trained and has no AR"
        else:
            found = "has no measured AR"
        notes.append(
            f"{a} and {b} share {depth} blocks, where the pair {found} against a threshold of "
            f"{max_ar:g} %; it is allowed because the pair passes with more shared blocks."
        )
    return notes


def failure_notes(table: ARTable) -> list[str]:
    """Names the trainings that failed."""
    return [
        f"The training of {cell.label} failed{f' ({cell.reason})' if cell.reason else ''}; "
        "it counts as not passing."
        for cell in table.cells
        if cell.status == "failed"
    ]
