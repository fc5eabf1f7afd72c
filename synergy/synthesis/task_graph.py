"""From the AR table to the task graph: how much each pair of tasks may share."""

from __future__ import annotations

import math

import networkx as nx

from synergy.errors import ConfigError
from synergy.synthesis.ar_table import ARTable


def task_graph(table: ARTable, max_ar: float) -> nx.Graph:
    """Complete graph of the tasks, weighted with the depths that pairs may share.

    Parameters
    ----------
    table : ARTable
    max_ar : float
        Largest AR that passes, in percent; finite and at least 0.

    Returns
    -------
    nx.Graph
        Nodes are the tasks in the order of the table; ``weight`` of an edge is the largest swept
        depth whose AR passes, 0 when none does. A failed cell does not pass.

    Raises
    ------
    ConfigError
        If ``max_ar`` is negative or not finite.
    """
    if not (math.isfinite(max_ar) and max_ar >= 0):
        raise ConfigError(
            f"expected a largest AR as a finite percentage of at least 0, found {max_ar}"
        )
    graph = nx.Graph()
    graph.add_nodes_from(table.tasks)
    for a, b in table.pairs():
        passing = [depth for depth in table.depths if table.cell(a, b, depth).passes(max_ar)]
        graph.add_edge(a, b, weight=max(passing, default=0))
    return graph
