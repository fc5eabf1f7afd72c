"""The tree of lowest AR within budgets of parameters, MACs or both.

Wanted is the tree with the smallest predicted AR, the largest AR that the table has for a pair at
the depth that the tree shares for it, among the trees within the budgets. Only depths that were
measured are used, so the prediction leaves nothing out. A larger threshold only adds trees: the
answer belongs to the smallest threshold at which some strict tree is within the budgets, which is
found by bisection over the AR of the table.

One cost has one smallest tree. Several costs can contradict each other: where no tree that is
smallest in one of them is within all budgets, every task set is solved for all its savings that
no other one beats in every cost (`ParetoSearch`).
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from synergy.costs import Costs
from synergy.errors import ConfigError, ShortfallError
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.exact import MAX_TASKS, ExactSplits
from synergy.synthesis.pareto import MAX_PARETO_TASKS, ParetoSearch
from synergy.synthesis.question import Question
from synergy.synthesis.task_graph import TaskGraph, task_graph
from synergy.synthesis.tree_search import TreeSearch
from synergy.tree import SharingTree


@dataclass(frozen=True)
class _Limit:
    """The most that a whole network may cost, decoders included."""

    name: str
    most: float
    block_costs: Sequence[float]
    cost: Callable[[SharingTree], int]

    def holds(self, tree: SharingTree) -> bool:
        """Whether a tree is within the limit."""
        cost = self.cost(tree)
        return cost <= self.most or math.isclose(cost, self.most, rel_tol=1e-9)


def within_budgets(
    question: Question, table: ARTable, costs: Costs
) -> tuple[SharingTree, float, list[str]]:
    """The tree with the lowest predicted AR within the budgets of a question, that AR, and notes.

    Of several, it is the one with the fewest parameters. Raises what `search` does.
    """
    if len(table.tasks) > MAX_TASKS:
        raise ConfigError(
            f"expected at most {MAX_TASKS} tasks for a budget, found {len(table.tasks)}; "
            "use a threshold of AR instead"
        )
    # Parameters come first even without a limit: wanted is the tree with the fewest.
    most = math.inf if question.max_params is None else question.max_params
    limits = [_Limit("parameters", most, costs.block_params, costs.params)]
    if question.max_macs is not None:
        limits.append(_Limit("MACs", question.max_macs, costs.block_macs, costs.macs))
    flat = SharingTree.flat(table.tasks, costs.depth, costs.depth)
    for limit in limits:
        if not limit.holds(flat):
            raise ConfigError(
                f"{limit.name}: expected a budget of at least {limit.cost(flat):,.10g}, one "
                f"encoder for all tasks and the decoders, found {limit.most:,.10g}"
            )
    thresholds = sorted({0.0} | {c.ar_pct for c in table.cells if c.ar_pct is not None})
    tried = [_Trees(table, max_ar, limits) for max_ar in thresholds]
    if tried[-1].within is None:
        raise ShortfallError(tried[-1].shortfall())
    lowest = tried[bisect.bisect_left(tried, True, key=lambda trees: trees.within is not None)]
    tree, notes = lowest.within, []
    if tree != lowest.smallest[0]:
        if len(table.tasks) <= MAX_PARETO_TASKS:
            tree = lowest.cheapest
        else:
            notes.append(
                "The tree has the lowest AR within the budgets; another one of the same AR "
                f"may cost less, which is not searched for above {MAX_PARETO_TASKS} tasks."
            )
    assert tree is not None
    if skipped := sum(cell.status == "skipped" for cell in table.cells):
        notes.append(
            f"Skipped cells ({skipped} in the table) count as not measured, so a tree of lower "
            "AR may be within the budgets. `synergy pairwise --sweep full` trains them."
        )
    return tree, lowest.max_ar, notes


@dataclass(frozen=True)
class _Trees:
    """The strict trees of one threshold."""

    table: ARTable
    max_ar: float
    limits: Sequence[_Limit]

    @cached_property
    def graph(self) -> TaskGraph:
        """The task graph."""
        return task_graph(self.table, Question(self.max_ar))

    @cached_property
    def smallest(self) -> list[SharingTree]:
        """The smallest tree by what each limit counts."""
        return [
            TreeSearch(ExactSplits, self.graph, limit.block_costs, self.table, strict=True).tree()
            for limit in self.limits
        ]

    def keeps(self, tree: SharingTree) -> bool:
        """Whether a tree is within all limits."""
        return all(limit.holds(tree) for limit in self.limits)

    @cached_property
    def within(self) -> SharingTree | None:
        """A tree within all limits: the cheapest, if it was easy to find."""
        if not all(lim.holds(t) for lim, t in zip(self.limits, self.smallest, strict=True)):
            return None
        if within := next(filter(self.keeps, self.smallest), None):
            return within
        if len(self.table.tasks) > MAX_PARETO_TASKS:
            raise ConfigError(
                f"expected at most {MAX_PARETO_TASKS} tasks for budgets that contradict each "
                f"other ({', '.join(limit.name for limit in self.limits)}), found "
                f"{len(self.table.tasks)}; give one budget, or a larger one"
            )
        return self.cheapest

    @cached_property
    def cheapest(self) -> SharingTree | None:
        """The tree within all limits that has the fewest parameters."""
        costs = [limit.block_costs for limit in self.limits]
        return next(filter(self.keeps, ParetoSearch(self.graph, costs, self.table).trees()), None)

    def shortfall(self) -> str:
        """Why no measured depth helps: what the trees of least cost need."""
        missed = [
            f"at least {limit.cost(tree):,.10g} {limit.name} ({tree.notation(self.table.tasks)}), "
            f"found {limit.most:,.10g}"
            for limit, tree in zip(self.limits, self.smallest, strict=True)
            if not limit.holds(tree)
        ]
        if missed:
            return (
                f"the depths that the table has an AR for need larger budgets: expected "
                f"{'; '.join(missed)}; measure deeper cells with `synergy pairwise`"
            )
        each = " and ".join(f"{limit.most:,.10g} {limit.name}" for limit in self.limits)
        return (
            f"no tree of depths that the table has an AR for keeps {each} at once, though each "
            "alone can be kept: give a larger budget or measure more cells with "
            "`synergy pairwise`"
        )
