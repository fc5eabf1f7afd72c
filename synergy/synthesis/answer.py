"""From a question and a table to a tree, with what is known about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from synergy.costs import Costs
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.budget import within_budgets
from synergy.synthesis.cells import Cell
from synergy.synthesis.exact import MAX_TASKS, ExactSplits, spanning_tree_bound
from synergy.synthesis.question import Question, Solver
from synergy.synthesis.recursive import PaperSplits
from synergy.synthesis.task_graph import TaskGraph, task_graph
from synergy.synthesis.tree_search import TreeSearch
from synergy.tree import SharingTree


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
        As in `Question`; True with a budget.
    encoder_cost : float
        Parameters of the blocks of `tree`; decoders are not counted.
    predicted_ar_pct : float
        Largest AR that the table has for a pair at the depth that `tree` shares for it. Cells
        without an AR are left out and named in `notes`. If `strict`, `max_ar` at most.
    weights : tuple of (str, str, int)
        Every pair and the largest number of blocks that it may share.
    recursive_cost, exact_cost : float
        Encoder costs of the recursion's and of the smallest tree; the latter is None above 14
        tasks. Where MACs are limited, the tree of a budget may cost more than it.
    provably_optimal : bool
        True when no tree under these weights, or these depths if `strict`, costs less than
        `tree`.
    notes : tuple of str
        What a reader should know about the result, one sentence each.
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
        If there are too many tasks, or a budget holds no network at all: not
        even one encoder that all tasks share.
    ShortfallError
        If no tree of measured depths is within the budgets.
    TableError, TreeError
        If a pair may share more blocks than there are, or a cost or a task name cannot be used.
    """
    tree, notes = None, []
    if question.has_budget:
        tree, max_ar, notes = within_budgets(question, table, costs)
        question = replace(question, max_ar=max_ar, solver="exact", strict=True)
    graph, blocks = task_graph(table, question), costs.block_params
    smallest = None
    if len(graph.tasks) <= MAX_TASKS or question.solver == "exact":
        smallest = TreeSearch(ExactSplits, graph, blocks, table, question.strict).tree()
    recursion = TreeSearch(PaperSplits, graph, blocks, table, question.strict)
    recursive = recursion.tree()
    by_recursion = question.solver == "recursive"
    tree = tree or (recursive if by_recursion or smallest is None else smallest)
    cost, exact_cost = tree.cost(blocks), None if smallest is None else smallest.cost(blocks)
    bounds = [len(graph.tasks) * sum(blocks) - spanning_tree_bound(graph, blocks)]
    bounds += [] if exact_cost is None else [exact_cost]
    optimal = any(math.isclose(cost, bound, rel_tol=1e-9) for bound in bounds)
    depths = ((*pair, tree.shared_depth(*pair)) for pair in table.pairs())
    used = [table.cell(*key) for key in depths if key[2]]
    if not any(graph.weights):
        notes.append(
            "No pair passes the threshold at any depth, so nothing is shared: the tree is one "
            "encoder for each task."
        )
    notes += [
        _depth_note(cell, question.max_ar) for cell in used if not cell.passes(question.max_ar)
    ]
    notes += [
        f"The training of {cell.label} failed{f' ({cell.reason})' if cell.reason else ''}; "
        "it counts as not passing."
        for cell in table.cells
        if cell.status == "failed"
    ]
    if by_recursion and exact_cost is not None and not optimal:
        notes.append(
            f"The recursion is not optimal here: its tree costs {cost:,.10g}, the smallest one "
            f"{exact_cost:,.10g} (solver exact)."
        )
    if by_recursion and not recursion.complete:
        notes.append(
            "Some task sets have too many optimal splits to try them all; of these sets one "
            "split was taken, so another order of the tasks may give another size."
        )
    if exact_cost is not None and any(cell.status == "skipped" for cell in table.cells):
        notes += _skipped_notes(question, table, blocks, graph, exact_cost)
    return Synthesis(
        tree=tree,
        max_ar=question.max_ar,
        solver=question.solver,
        strict=question.strict,
        encoder_cost=cost,
        predicted_ar_pct=max((c.ar_pct for c in used if c.ar_pct is not None), default=0.0),
        weights=tuple((*pair, w) for pair, w in zip(graph.pairs(), graph.weights, strict=True)),
        recursive_cost=recursive.cost(blocks),
        exact_cost=exact_cost,
        provably_optimal=optimal,
        notes=tuple(notes),
    )


def _depth_note(cell: Cell, max_ar: float) -> str:
    """Says that a pair uses a depth at which it did not pass itself."""
    found = "has no measured AR"
    if cell.ar_pct is not None:
        found = f"has an AR of {cell.ar_pct:.4g} %"
    elif cell.status == "skipped":
        found = "was not trained and has no AR"
    return (
        f"{cell.task_a} and {cell.task_b} share {cell.shared_depth} blocks, where the pair {found} "
        f"against a threshold of {max_ar:g} %; it is allowed because the pair passes with more "
        "shared blocks."
    )


def _skipped_notes(
    question: Question, table: ARTable, blocks: Sequence[float], graph: TaskGraph, least: float
) -> list[str]:
    """Says when skipped cells could allow a smaller tree, should AR grow with depth."""
    hoped, strict = task_graph(table, question, optimistic=True), question.strict
    if hoped.depths == graph.depths or (not strict and hoped.weights == graph.weights):
        return []
    cost = TreeSearch(ExactSplits, hoped, blocks, strict=strict).tree().cost(blocks)
    if cost >= least or math.isclose(cost, least, rel_tol=1e-9):
        return []
    # Strict also needs the cells that a sweep for weights has no use for.
    way = "--sweep full" if strict else f"--sweep scan --max-ar {question.max_ar:g}"
    return [
        "Cells that were skipped could allow a smaller tree: at best it would cost "
        f"{cost:,.10g}, the smallest one that the trained cells allow costs "
        f"{least:,.10g}. `synergy pairwise {way}` trains what is missing."
    ]
