"""Every tree of a table, and where on the scale of thresholds graph and tree change."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synergy.errors import ConfigError
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.frontier import FrontierTree, frontier
from synergy.synthesis.question import Question, Solver
from synergy.synthesis.task_graph import task_graph

if TYPE_CHECKING:
    from synergy.costs import Costs


@dataclass(frozen=True)
class Stop:
    """Thresholds that lead to one task graph.

    Attributes
    ----------
    low : float
        The lowest of them, in percent.
    high : float, or None
        The first that leads to another one.
    weights : tuple of int
        Blocks that each pair may share, in the order of the table's pairs.
    tree : int
        Place of their tree among the distinct ones.
    """

    low: float
    high: float | None
    weights: tuple[int, ...]
    tree: int

    def to_json(self) -> dict[str, Any]:
        """The stop as JSON values."""
        return {
            "low": self.low,
            "high": self.high,
            "weights": list(self.weights),
            "tree": self.tree,
        }


@dataclass(frozen=True)
class Trees:
    """All thresholds of a table.

    Attributes
    ----------
    solver : {"recursive", "exact"}
    strict : bool
    frontier : tuple of FrontierTree
    stops : tuple of Stop
        By ascending threshold, from 0 on and without gaps.
    """

    solver: Solver
    strict: bool
    frontier: tuple[FrontierTree, ...]
    stops: tuple[Stop, ...]

    def stop_of(self, max_ar: float) -> int:
        """Place of the stop that a threshold belongs to."""
        return max(n for n, stop in enumerate(self.stops) if stop.low <= max_ar or n == 0)


def trees_of(table: ARTable, costs: Costs, solver: str, strict: bool) -> Trees:
    """Solve a table at every threshold that makes a difference.

    Raises
    ------
    TableError, TreeError
        If a task has a name that no tree can hold, or a depth is larger than the encoder's.
    """
    if solver == "exact":
        with suppress(ConfigError):  # too many tasks for it
            found = frontier(Question(solver="exact", strict=strict), table, costs)
            return Trees("exact", strict, found, _stops(table, found))
    found = frontier(Question(strict=strict), table, costs)
    return Trees("recursive", strict, found, _stops(table, found))


def _stops(table: ARTable, found: tuple[FrontierTree, ...]) -> tuple[Stop, ...]:
    measured = {cell.ar_pct for cell in table.cells if cell.ar_pct is not None}
    starts: list[tuple[float, tuple[int, ...], int]] = []
    for low in sorted({0.0} | measured):
        weights = task_graph(table, Question(low)).weights
        tree = max(n for n, entry in enumerate(found) if entry.low <= low)
        if not starts or starts[-1][1:] != (weights, tree):
            starts.append((low, weights, tree))
    ends = [low for low, _, _ in starts[1:]]
    return tuple(
        Stop(low, high, weights, tree)
        for (low, weights, tree), high in zip(starts, [*ends, None], strict=True)
    )
