"""From the AR table to the task graph: how much each pair of tasks may share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import networkx as nx

from synergy.errors import ConfigError
from synergy.synthesis.ar_table import ARTable

Caps = Mapping[frozenset[str], int]
"""Most blocks that a pair may share whatever the table says; pairs that are not named: any."""

NO_CAPS: Caps = MappingProxyType({})


def task_graph(table: ARTable, max_ar: float, caps: Caps = NO_CAPS) -> nx.Graph:
    """Complete graph of the tasks, weighted with the depths that pairs may share.

    Parameters
    ----------
    table : ARTable
    max_ar : float
        Largest AR that passes, in percent; finite and at least 0.
    caps : mapping of frozenset of two tasks to int, optional
        Most blocks that a pair may share, 0 or more.

    Returns
    -------
    nx.Graph
        Nodes are the tasks in the order of the table. ``depths`` of an edge are the swept depths
        that pass and are not above the cap, ascending; ``weight`` is the largest of them, 0 when
        there is none. A failed or skipped cell does not pass.

    Raises
    ------
    ConfigError
        If ``max_ar`` is negative or not finite, or a cap cannot be used.
    """
    return _graph(table, max_ar, caps, assume_skipped=False)


def optimistic_graph(table: ARTable, max_ar: float, caps: Caps = NO_CAPS) -> nx.Graph:
    """The task graph if every skipped cell passes that can, when AR grows with depth.

    That is every skipped depth of a pair, except those above a depth that exceeds the threshold.
    A depth below the largest that passes does not count as exceeding it: there the row itself
    contradicts the assumption. A failed training says nothing of other depths.

    Raises
    ------
    ConfigError
        As `task_graph`.
    """
    return _graph(table, max_ar, caps, assume_skipped=True)


def _graph(table: ARTable, max_ar: float, caps: Caps, *, assume_skipped: bool) -> nx.Graph:
    if not (math.isfinite(max_ar) and max_ar >= 0):
        raise ConfigError(
            f"expected a largest AR as a finite percentage of at least 0, found {max_ar}"
        )
    _check(caps, table)
    graph = nx.Graph()
    graph.add_nodes_from(table.tasks)
    for a, b in table.pairs():
        row = [table.cell(a, b, depth) for depth in table.depths]
        depths = {cell.shared_depth for cell in row if cell.passes(max_ar)}
        if assume_skipped:
            exceeding = (c.shared_depth for c in row if c.ar_pct is not None and c.ar_pct > max_ar)
            certain = max(depths, default=0)
            limit = min((depth for depth in exceeding if depth > certain), default=math.inf)
            skipped = (c.shared_depth for c in row if c.status == "skipped")
            depths |= {depth for depth in skipped if depth < limit}
        cap = caps.get(frozenset((a, b)), math.inf)
        passing = tuple(sorted(depth for depth in depths if depth <= cap))
        graph.add_edge(a, b, weight=max(passing, default=0), depths=passing)
    return graph


def _check(caps: Caps, table: ARTable) -> None:
    pairs = {frozenset(pair) for pair in table.pairs()}
    for pair, cap in caps.items():
        if pair not in pairs:
            raise ConfigError(
                f"expected caps of pairs of {', '.join(table.tasks)}, "
                f"found one of {'-'.join(sorted(pair))}"
            )
        if cap < 0:
            raise ConfigError(
                f"pair {'-'.join(sorted(pair))}: expected a cap of at least 0 blocks, found {cap}"
            )
