"""From a table and a threshold to a tree, with what is known about it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import networkx as nx

from synergy.errors import ConfigError
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.exact import MAX_TASKS, exact_tree, spanning_tree_bound
from synergy.synthesis.notes import depth_notes, failure_notes, sharing_notes
from synergy.synthesis.recursive import PaperSplits, recursive_search
from synergy.synthesis.task_graph import NO_CAPS, Caps, optimistic_graph, task_graph
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
    strict : bool
        Whether pairs share only depths that passed themselves, or nothing.
    encoder_cost : float
        Cost of the blocks of `tree`, in the unit of the block costs; decoders are not counted.
    predicted_ar_pct : float
        Largest AR that the table has for a pair at the depth that `tree` shares for it; 0 for a
        pair that shares nothing. Cells without an AR are left out and named in `notes`. With
        `strict` it never exceeds `max_ar`.
    weights : tuple of (str, str, int)
        Every pair and the largest number of blocks that it may share.
    recursive_cost : float
        Encoder cost of the recursion's tree.
    exact_cost : float, or None
        Encoder cost of the smallest tree; None above 14 tasks.
    provably_optimal : bool
        True when no tree under these weights, or these depths if `strict`, costs less than
        `tree`.
    notes : tuple of str
        What a reader should know about the result, one sentence each.
    caps : tuple of (str, str, int)
        Pairs that may share no more than so many blocks, whatever the table says.
    """

    tree: SharingTree
    max_ar: float
    solver: Solver
    strict: bool
    encoder_cost: float
    predicted_ar_pct: float
    weights: tuple[tuple[str, str, int], ...]
    recursive_cost: float
    exact_cost: float | None
    provably_optimal: bool
    notes: tuple[str, ...]
    caps: tuple[tuple[str, str, int], ...] = ()


def synthesize(
    table: ARTable,
    max_ar: float,
    block_costs: Sequence[float],
    depth: int = 8,
    solver: Solver = "recursive",
    strict: bool = False,
    caps: Caps = NO_CAPS,
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
    strict : bool
        Pairs share only depths that passed themselves, or nothing. Otherwise a pair may share
        any depth up to the largest that passed, also one at which it did not.
    caps : mapping of frozenset of two tasks to int, optional
        Most blocks that a pair may share, whatever the table says.

    Raises
    ------
    ConfigError
        If the threshold, the solver or a cap cannot be used.
    TableError
        If a pair may share more blocks than the encoder has.
    TreeError
        If the block costs do not fit ``depth`` or a task name cannot be used in a tree.
    """
    if solver not in SOLVERS:
        raise ConfigError(f"expected the solver {' or '.join(SOLVERS)}, found {solver!r}")
    problem = Problem(table, max_ar, block_costs, depth, strict, caps)
    if solver == "exact" and len(problem.graph) > MAX_TASKS:
        raise ConfigError(
            f"expected at most {MAX_TASKS} tasks for the solver exact, found {len(problem.graph)}; "
            "use the solver recursive"
        )
    return problem.synthesis(solver)


@dataclass(frozen=True)
class Problem:
    """What a tree is wanted for; both solvers' answers, each computed once.

    Parameters
    ----------
    table, max_ar, block_costs, depth, strict, caps
        As in `synthesize`.
    """

    table: ARTable
    max_ar: float
    block_costs: Sequence[float]
    depth: int
    strict: bool
    caps: Caps

    @cached_property
    def graph(self) -> nx.Graph:
        """The task graph."""
        return task_graph(self.table, self.max_ar, self.caps)

    @cached_property
    def recursion(self) -> PaperSplits:
        """The recursion's search."""
        return recursive_search(self.graph, self.table, self.block_costs, self.depth, self.strict)

    @cached_property
    def recursive(self) -> SharingTree:
        """The recursion's tree."""
        return self.recursion.tree()

    @cached_property
    def smallest(self) -> SharingTree | None:
        """The exact solver's tree; None for more tasks than it takes."""
        if len(self.graph) > MAX_TASKS:
            return None
        return exact_tree(self.graph, self.block_costs, self.depth, self.table, self.strict)

    def synthesis(
        self, solver: Solver, tree: SharingTree | None = None, notes: Sequence[str] = ()
    ) -> Synthesis:
        """What is known about a tree.

        Parameters
        ----------
        solver : {"recursive", "exact"}
        tree : SharingTree, optional
            The solver's own by default.
        notes : sequence of str
            Come before all others.
        """
        costs = self.block_costs
        recursive_cost = self.recursive.cost(costs)
        exact_cost = None if self.smallest is None else self.smallest.cost(costs)
        if tree is None:
            tree = self.recursive if self.smallest is None or solver != "exact" else self.smallest
        cost = tree.cost(costs)
        least = len(self.graph) * sum(costs) - spanning_tree_bound(self.graph, costs)
        optimal = any(
            math.isclose(cost, bound, rel_tol=1e-9)
            for bound in (least, exact_cost)
            if bound is not None
        )
        shared = shared_depths(tree)
        edges = self.graph.edges
        return Synthesis(
            tree=tree,
            max_ar=self.max_ar,
            solver=solver,
            strict=self.strict,
            encoder_cost=cost,
            predicted_ar_pct=_predicted_ar(self.table, shared),
            weights=tuple((a, b, edges[a, b]["weight"]) for a, b in self.table.pairs()),
            recursive_cost=recursive_cost,
            exact_cost=exact_cost,
            provably_optimal=optimal,
            notes=(
                *notes,
                *sharing_notes(self.graph, self.caps),
                *depth_notes(self.table, self.max_ar, shared),
                *failure_notes(self.table),
                *(self._recursion_notes(optimal) if solver == "recursive" else ()),
                *self._skipped_notes(exact_cost),
            ),
            caps=tuple(
                (a, b, self.caps[frozenset((a, b))])
                for a, b in self.table.pairs()
                if frozenset((a, b)) in self.caps
            ),
        )

    def _recursion_notes(self, optimal: bool) -> list[str]:
        notes: list[str] = []
        if self.smallest is not None and not optimal:
            cost, least = (t.cost(self.block_costs) for t in (self.recursive, self.smallest))
            notes.append(
                f"The recursion is not optimal here: its tree costs {cost:,.10g}, the smallest one "
                f"{least:,.10g} (solver exact)."
            )
        if not self.recursion.followed_all_ties:
            notes.append(
                "Some task sets have too many optimal splits to try them all; of these sets one "
                "split was taken, so another order of the tasks may give another size."
            )
        return notes

    def _skipped_notes(self, exact_cost: float | None) -> list[str]:
        """Says when skipped cells could allow a smaller tree, should AR grow with depth."""
        if exact_cost is None or all(cell.status != "skipped" for cell in self.table.cells):
            return []
        hoped = optimistic_graph(self.table, self.max_ar, self.caps)
        allowed = "depths" if self.strict else "weight"
        edges = self.graph.edges
        if all(hoped.edges[pair][allowed] == edges[pair][allowed] for pair in edges):
            return []
        smallest = exact_tree(hoped, self.block_costs, self.depth, strict=self.strict)
        cost = smallest.cost(self.block_costs)
        if cost >= exact_cost or math.isclose(cost, exact_cost, rel_tol=1e-9):
            return []
        # Strict also needs the cells that a sweep for weights has no use for.
        way = "--sweep full" if self.strict else f"--max-ar {self.max_ar:g}"
        return [
            "Cells that were skipped could allow a smaller tree: at best it would cost "
            f"{cost:,.10g}, the smallest one that the trained cells allow costs "
            f"{exact_cost:,.10g}. `synergy pairwise {way}` trains what is missing."
        ]


def shared_depths(tree: SharingTree) -> dict[frozenset[str], int]:
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
