"""Every tree that a table holds: what each threshold gives, without any training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.synthesize import Solver, Synthesis, synthesize
from synergy.synthesis.task_graph import task_graph


@dataclass(frozen=True)
class FrontierTree:
    """The tree of every threshold of ``low`` or more, up to but not including ``high``.

    Attributes
    ----------
    low : float
        In percent.
    high : float, or None
        In percent; None where no larger threshold gives another tree.
    synthesis : Synthesis
        At the threshold ``low``.
    """

    low: float
    high: float | None
    synthesis: Synthesis


def frontier(
    table: ARTable,
    block_costs: Sequence[float],
    depth: int = 8,
    solver: Solver = "recursive",
    strict: bool = False,
) -> tuple[FrontierTree, ...]:
    """The trees of all thresholds.

    A tree can only change where a cell begins to pass, so there are at most as many as different
    AR in the table, and one more. Each is searched for once: with 14 tasks and hundreds of
    different AR this takes minutes, with four tasks a fraction of a second.

    Parameters
    ----------
    table, block_costs, depth, solver, strict
        As in `synthesize`.

    Returns
    -------
    tuple of FrontierTree
        By ascending threshold from 0 on, without gaps; neighbours differ in their trees.

    Raises
    ------
    ConfigError, TableError, TreeError
        As `synthesize`.
    """
    measured = {cell.ar_pct for cell in table.cells if cell.ar_pct is not None}
    found: list[Synthesis] = []
    decided_by = "depths" if strict else "weight"
    before: list[object] | None = None
    for max_ar in sorted({0.0} | measured):
        allowed = [edge[2] for edge in task_graph(table, max_ar).edges(data=decided_by)]
        if allowed == before:
            continue
        before = allowed
        synthesis = synthesize(table, max_ar, block_costs, depth, solver, strict)
        if not found or synthesis.tree != found[-1].tree:
            found.append(synthesis)
    ends = [synthesis.max_ar for synthesis in found[1:]]
    return tuple(
        FrontierTree(synthesis.max_ar, high, synthesis)
        for synthesis, high in zip(found, [*ends, None], strict=True)
    )
