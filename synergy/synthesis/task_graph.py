"""From the AR table to the task graph: how much each pair of tasks may share."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral

import networkx as nx

from synergy.errors import TableError
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.question import Question
from synergy.wording import quoted, shown


@dataclass(frozen=True)
class TaskGraph:
    """The complete graph of some tasks, weighted with the depths that pairs may share.

    Parameters
    ----------
    tasks : tuple of str
        At least one.
    depths : tuple of tuple of int
        For every pair, in the order of `pairs`, the depths that pass: at least 1, ascending.

    Raises
    ------
    TableError
        If there is no task, or the depths of a pair are impossible.
    """

    tasks: tuple[str, ...]
    depths: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if not self.tasks:
            raise TableError("expected a task graph with at least one task, found none")
        for (a, b), passing in zip(self.pairs(), self.depths, strict=True):
            whole = all(isinstance(depth, Integral) and depth >= 1 for depth in passing)
            if not whole or list(passing) != sorted(set(passing)):
                raise TableError(
                    f"pair {shown(a)}-{shown(b)}: expected whole ascending depths of at least 1 in "
                    f"the task graph, found {quoted(passing)}"
                )

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """All pairs, in task order."""
        return tuple(itertools.combinations(self.tasks, 2))

    @cached_property
    def weights(self) -> tuple[int, ...]:
        """The largest depth that passes, for every pair; 0 where there is none."""
        return tuple(int(passing[-1]) if passing else 0 for passing in self.depths)

    def to_networkx(self) -> nx.Graph:
        """The graph with a ``weight`` and the ``depths`` that pass on every edge."""
        graph = nx.Graph()
        graph.add_nodes_from(self.tasks)
        for pair, weight, depths in zip(self.pairs(), self.weights, self.depths, strict=True):
            graph.add_edge(*pair, weight=weight, depths=depths)
        return graph


def task_graph(table: ARTable, question: Question, *, optimistic: bool = False) -> TaskGraph:
    """The swept depths at which the pairs of a table pass.

    Parameters
    ----------
    table : ARTable
        Its failed cells do not pass.
    question : Question
        Its threshold.
    optimistic : bool
        Whether every skipped cell passes that can, when AR grows with depth: every skipped depth
        of a pair, except those above a depth that exceeds the threshold. A depth below the
        largest that passes does not count as exceeding it: there the row itself contradicts the
        assumption. A failed training says nothing of other depths. Otherwise none passes.
    """
    found: list[tuple[int, ...]] = []
    for a, b in table.pairs():
        row = [table.cell(a, b, depth) for depth in table.depths]
        depths = {cell.shared_depth for cell in row if cell.passes(question.max_ar)}
        if optimistic:
            measured = (cell.shared_depth for cell in row if cell.ar_pct is not None)
            limit = min((d for d in measured if d > max(depths, default=0)), default=math.inf)
            skipped = (cell.shared_depth for cell in row if cell.status == "skipped")
            depths |= {depth for depth in skipped if depth < limit}
        found.append(tuple(sorted(depths)))
    return TaskGraph(table.tasks, tuple(found))
