"""From a question and a table to a tree, with what is known about it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from synergy.costs import Costs
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.budget import within_budgets
from synergy.synthesis.exact import MAX_TASKS, exact_tree, spanning_tree_bound
from synergy.synthesis.notes import depth_notes, failure_notes, sharing_notes
from synergy.synthesis.question import Question, Solver
from synergy.synthesis.recursive import PaperSplits
from synergy.synthesis.task_graph import TaskGraph, optimistic_graph, task_graph
from synergy.synthesis.tree_search import TreeSearch
from synergy.tree import Branch, SharingTree


@dataclass(frozen=True)
class Synthesis:
    """A sharing tree and how it was found.

    Attributes
    ----------
    tree : SharingTree
    max_ar : float
        The threshold, in percent; with a budget the lowest AR within it.
    solver : {"recursive", "exact"}
        The one that found `tree`.
    strict : bool
        Whether pairs share only depths that passed themselves, or nothing.
    encoder_cost : float
        Parameters of the blocks of `tree`; decoders are not counted.
    predicted_ar_pct : float
        Largest AR that the table has for a pair at the depth that `tree` shares for it; 0 for a
        pair that shares nothing. Cells without an AR are left out and named in `notes`. With
        `strict` it never exceeds `max_ar`.
    weights : tuple of (str, str, int)
        Every pair and the largest number of blocks that it may share.
    recursive_cost : float
        Encoder cost of the recursion's tree.
    exact_cost : float, or None
        Encoder cost of the smallest tree; None above 14 tasks. Where MACs are limited, the tree
        of a budget may cost more.
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


def search(question: Question, table: ARTable, costs: Costs) -> Synthesis:
    """Find the tree of a table: within the budgets if there are any, else the threshold.

    Within a threshold, the tree shares as much as the table allows. Both solvers run; the one of
    the question decides. Within budgets, it is the strict tree of lowest predicted AR, and of
    those the one with the fewest parameters, by the solver exact. With several different costs
    and more than 10 tasks it can happen that it has more; a note says so.

    Parameters
    ----------
    question : Question
    table : ARTable
        Of at most 14 tasks with a budget or the solver exact.
    costs : Costs
        Of an encoder of the table's depths. For a budget, of the decoders of its tasks, too.

    Raises
    ------
    ConfigError
        If a cap is of other tasks, there are too many, or a budget holds no network at all: not
        even one encoder that all tasks share.
    ShortfallError
        If no tree of measured depths is within the budgets.
    TableError
        If a pair may share more blocks than the encoder has.
    TreeError
        If a cost cannot be used or a task name cannot be used in a tree.
    """
    if not question.has_budget:
        return _Answers(question, table, costs.block_params).synthesis()
    tree, max_ar, notes = within_budgets(question, table, costs)
    terms = replace(question, max_ar=max_ar, solver="exact", strict=True, caps={})
    return _Answers(terms, table, costs.block_params).synthesis(tree, notes)


@dataclass(frozen=True)
class _Answers:
    """Both solvers' answers, each computed once."""

    question: Question
    table: ARTable
    block_costs: Sequence[float]

    @cached_property
    def graph(self) -> TaskGraph:
        """The task graph."""
        return task_graph(self.table, self.question)

    @cached_property
    def smallest(self) -> SharingTree | None:
        """The exact solver's tree; None for more tasks than it takes, unless it was asked for."""
        if len(self.graph.tasks) > MAX_TASKS and self.question.solver != "exact":
            return None
        return exact_tree(self.graph, self.block_costs, self.table, self.question.strict)

    def synthesis(self, tree: SharingTree | None = None, notes: Sequence[str] = ()) -> Synthesis:
        """What is known about a tree, by default the solver's own; ``notes`` come first."""
        question, table, costs = self.question, self.table, self.block_costs
        exact_cost = None if self.smallest is None else self.smallest.cost(costs)
        recursion = TreeSearch(PaperSplits, self.graph, costs, table, question.strict)
        recursive = recursion.tree()
        if tree is None:
            tree = recursive if question.solver == "recursive" else self.smallest
        assert tree is not None
        cost = tree.cost(costs)
        least = len(table.tasks) * sum(costs) - spanning_tree_bound(self.graph, costs)
        optimal = any(
            math.isclose(cost, bound, rel_tol=1e-9)
            for bound in (least, exact_cost)
            if bound is not None
        )
        shared = shared_depths(tree)
        used = [(*pair, shared[frozenset(pair)]) for pair in table.pairs()]
        reductions = (table.cell(a, b, depth).ar_pct for a, b, depth in used if depth)
        told = [*notes, *sharing_notes(self.graph, question.caps)]
        told += depth_notes(table, question.max_ar, used)
        told += failure_notes(table)
        if question.solver == "recursive":
            if exact_cost is not None and not optimal:
                told.append(
                    f"The recursion is not optimal here: its tree costs {cost:,.10g}, the smallest "
                    f"one {exact_cost:,.10g} (solver exact)."
                )
            if not recursion.complete:
                told.append(
                    "Some task sets have too many optimal splits to try them all; of these sets "
                    "one split was taken, so another order of the tasks may give another size."
                )
        return Synthesis(
            tree=tree,
            max_ar=question.max_ar,
            solver=question.solver,
            strict=question.strict,
            encoder_cost=cost,
            predicted_ar_pct=max((ar for ar in reductions if ar is not None), default=0.0),
            weights=tuple(
                (a, b, weight)
                for (a, b), weight in zip(table.pairs(), self.graph.weights, strict=True)
            ),
            recursive_cost=recursive.cost(costs),
            exact_cost=exact_cost,
            provably_optimal=optimal,
            notes=(*told, *self._skipped_notes(exact_cost)),
            caps=tuple(
                (a, b, question.caps[frozenset((a, b))])
                for a, b in table.pairs()
                if frozenset((a, b)) in question.caps
            ),
        )

    def _skipped_notes(self, exact_cost: float | None) -> list[str]:
        """Says when skipped cells could allow a smaller tree, should AR grow with depth."""
        if exact_cost is None or all(cell.status != "skipped" for cell in self.table.cells):
            return []
        hoped, strict = optimistic_graph(self.table, self.question), self.question.strict
        if hoped.deciding(strict) == self.graph.deciding(strict):
            return []
        cost = exact_tree(hoped, self.block_costs, strict=strict).cost(self.block_costs)
        if cost >= exact_cost or math.isclose(cost, exact_cost, rel_tol=1e-9):
            return []
        # Strict also needs the cells that a sweep for weights has no use for.
        way = "--sweep full" if strict else f"--max-ar {self.question.max_ar:g}"
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
