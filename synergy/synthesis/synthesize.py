"""From a table and a threshold to a tree, with what is known about it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import networkx as nx

from synergy.errors import ConfigError
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.exact import MAX_TASKS, exact_tree, spanning_tree_bound
from synergy.synthesis.recursive import RecursiveSearch
from synergy.synthesis.task_graph import task_graph
from synergy.tree import Branch, SharingTree

Solver = Literal["recursive", "exact"]
SOLVERS: tuple[Solver, ...] = ("recursive", "exact")


@dataclass(frozen=True)
class Synthesis:
    """A sharing tree and how it was found.

    Attributes
    ----------
    tree : SharingTree
    max_ar : float
        The threshold, in percent.
    solver : {"recursive", "exact"}
        The one that found `tree`.
    encoder_cost : float
        Cost of the blocks of `tree`, in the unit of the block costs; decoders are not counted.
    predicted_ar_pct : float
        Largest AR that the table has for a pair at the depth that `tree` shares for it; 0 for a
        pair that shares nothing. Cells without an AR are left out and named in `notes`.
    weights : tuple of (str, str, int)
        Every pair and the number of blocks that it may share.
    recursive_cost : float
        Encoder cost of the recursion's tree.
    exact_cost : float, or None
        Encoder cost of the smallest tree; None above 14 tasks.
    provably_optimal : bool
        True when no tree under these weights costs less than `tree`.
    notes : tuple of str
        What a reader should know about the result, one sentence each.
    """

    tree: SharingTree
    max_ar: float
    solver: Solver
    encoder_cost: float
    predicted_ar_pct: float
    weights: tuple[tuple[str, str, int], ...]
    recursive_cost: float
    exact_cost: float | None
    provably_optimal: bool
    notes: tuple[str, ...]


def synthesize(
    table: ARTable,
    max_ar: float,
    block_costs: Sequence[float],
    depth: int = 8,
    solver: Solver = "recursive",
) -> Synthesis:
    """Find the tree that shares as much as the table allows.

    Parameters
    ----------
    table : ARTable
    max_ar : float
        Largest AR that a pair may have, in percent; finite and at least 0.
    block_costs : sequence of float, length ``depth``
        Parameters, MACs or any other cost of the blocks 1..``depth``.
    depth : int
        Number of blocks of the encoder.
    solver : {"recursive", "exact"}
        The paper's recursion, or the smallest tree (up to 14 tasks). Both run; this one decides.

    Raises
    ------
    ConfigError
        If the threshold or the solver cannot be used.
    TableError
        If a pair may share more blocks than the encoder has.
    TreeError
        If the block costs do not fit ``depth`` or a task name cannot be used in a tree.
    """
    if solver not in SOLVERS:
        raise ConfigError(f"expected the solver {' or '.join(SOLVERS)}, found {solver!r}")
    graph = task_graph(table, max_ar)
    if solver == "exact" and len(graph) > MAX_TASKS:
        raise ConfigError(
            f"expected at most {MAX_TASKS} tasks for the solver exact, found {len(graph)}; "
            "use the solver recursive"
        )
    search = RecursiveSearch(graph, table, block_costs, depth)
    tree = search.tree()
    recursive_cost = tree.cost(block_costs)
    exact_cost = None
    if len(graph) <= MAX_TASKS:
        smallest = exact_tree(graph, block_costs, depth, table)
        exact_cost = smallest.cost(block_costs)
        tree = smallest if solver == "exact" else tree
    cost = tree.cost(block_costs)
    least = len(graph) * sum(block_costs) - spanning_tree_bound(graph, block_costs)
    optimal = any(
        math.isclose(cost, bound, rel_tol=1e-9)
        for bound in (least, exact_cost)
        if bound is not None
    )

    shared = _shared_depths(tree)
    notes = [
        *_sharing_notes(graph),
        *_depth_notes(table, max_ar, shared),
        *_failure_notes(table),
    ]
    if exact_cost is not None and solver == "recursive" and not optimal:
        notes.append(
            f"The recursion is not optimal here: its tree costs {cost:,.10g}, the smallest one "
            f"{exact_cost:,.10g} (solver exact)."
        )
    if solver == "recursive" and not search.followed_all_ties:
        notes.append(
            "Some task sets have too many optimal splits to try them all; of these sets one split "
            "was taken, so another order of the tasks may give another size."
        )
    return Synthesis(
        tree=tree,
        max_ar=max_ar,
        solver=solver,
        encoder_cost=cost,
        predicted_ar_pct=_predicted_ar(table, shared),
        weights=tuple((a, b, graph.edges[a, b]["weight"]) for a, b in table.pairs()),
        recursive_cost=recursive_cost,
        exact_cost=exact_cost,
        provably_optimal=optimal,
        notes=tuple(notes),
    )


def _shared_depths(tree: SharingTree) -> dict[frozenset[str], int]:
    """Number of blocks that each pair shares; one walk, where `shared_depth` takes one a pair."""
    shared: dict[frozenset[str], int] = {}

    def visit(branch: Branch, placed: int) -> None:
        placed = placed if branch.blocks is None else branch.blocks[1]
        for one, other in itertools.combinations(branch.children, 2):
            for pair in itertools.product(one.tasks, other.tasks):
                shared[frozenset(pair)] = placed
        for child in branch.children:
            visit(child, placed)

    visit(tree.root, 0)
    return shared


def _predicted_ar(table: ARTable, shared: dict[frozenset[str], int]) -> float:
    used = ((a, b, shared[frozenset((a, b))]) for a, b in table.pairs())
    values = [table.cell(a, b, depth).ar_pct for a, b, depth in used if depth]
    return max((value for value in values if value is not None), default=0.0)


def _sharing_notes(graph: nx.Graph) -> list[str]:
    if any(weight for _, _, weight in graph.edges(data="weight")):
        return []
    return [
        "No pair passes the threshold at any depth, so nothing is shared: the tree is one "
        "encoder for each task."
    ]


def _depth_notes(table: ARTable, max_ar: float, shared: dict[frozenset[str], int]) -> list[str]:
    """Depths in use at which the pair itself did not pass, although it passed at a larger one."""
    notes: list[str] = []
    for a, b in table.pairs():
        depth = shared[frozenset((a, b))]
        if not depth or (cell := table.cell(a, b, depth)).passes(max_ar):
            continue
        found = "has no measured AR" if cell.ar_pct is None else f"has an AR of {cell.ar_pct:g} %"
        notes.append(
            f"{a} and {b} share {depth} blocks, where the pair {found} against a threshold of "
            f"{max_ar:g} %; it is allowed because the pair passes with more shared blocks."
        )
    return notes


def _failure_notes(table: ARTable) -> list[str]:
    return [
        f"The training of {cell.label} failed{f' ({cell.reason})' if cell.reason else ''}; "
        "it counts as not passing."
        for cell in table.cells
        if cell.status == "failed"
    ]
