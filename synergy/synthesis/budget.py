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
from synergy.synthesis.exact import MAX_TASKS, exact_tree
from synergy.synthesis.pareto import MAX_PARETO_TASKS, ParetoSearch
from synergy.synthesis.question import Question
from synergy.synthesis.task_graph import TaskGraph, task_graph
from synergy.tree import SharingTree


@dataclass(frozen=True)
class _Budget:
    """The most that a whole network may cost, decoders included."""

    name: str
    most: int
    block_costs: Sequence[float]
    cost: Callable[[SharingTree], int]

    def holds(self, tree: SharingTree) -> bool:
        """Whether a tree is within the budget."""
        cost = self.cost(tree)
        return cost <= self.most or math.isclose(cost, self.most, rel_tol=1e-9)

    def needs(self, tree: SharingTree) -> str:
        """What a tree costs, in words."""
        return f"at least {self.cost(tree):,.10g}"


def within_budgets(
    question: Question, table: ARTable, costs: Costs
) -> tuple[SharingTree, float, list[str]]:
    """The tree with the lowest predicted AR within the budgets of a question.

    Of several, the one with the fewest parameters.

    Returns
    -------
    tree : SharingTree
    max_ar : float
        The lowest AR within the budgets, in percent.
    notes : list of str
        What a reader should know, one sentence each.

    Raises
    ------
    ConfigError, ShortfallError, TableError, TreeError
        As `synergy.synthesis.search.search`.
    """
    if len(table.tasks) > MAX_TASKS:
        raise ConfigError(
            f"expected at most {MAX_TASKS} tasks for a budget, found {len(table.tasks)}; "
            "use a threshold of AR instead"
        )
    limits = (
        ("parameters", question.max_params, costs.block_params, costs.params),
        ("MACs", question.max_macs, costs.block_macs, costs.macs),
    )
    budgets = [
        _Budget(n, most, blocks, cost) for n, most, blocks, cost in limits if most is not None
    ]
    flat = SharingTree.flat(table.tasks, costs.depth, costs.depth)
    for budget in budgets:
        if not budget.holds(flat):
            raise ConfigError(
                f"{budget.name}: expected a budget of {budget.needs(flat)}, one "
                f"encoder for all tasks and the decoders, found {budget.most:,.10g}"
            )
    thresholds = sorted({0.0} | {c.ar_pct for c in table.cells if c.ar_pct is not None})
    tried = [_Candidates(table, max_ar, budgets, costs.block_params) for max_ar in thresholds]
    if tried[-1].any_within is None:
        raise ShortfallError(tried[-1].shortfall())
    lowest = bisect.bisect_left(tried, True, key=lambda trees: trees.any_within is not None)
    tree, notes = tried[lowest].best()
    skipped = sum(cell.status == "skipped" for cell in table.cells)
    if skipped:
        notes.append(
            f"Skipped cells ({skipped} in the table) count as not measured, so a tree of lower "
            "AR may be within the budgets. `synergy pairwise --sweep full` trains them."
        )
    return tree, thresholds[lowest], notes


@dataclass(frozen=True)
class _Candidates:
    """The strict trees of one threshold."""

    table: ARTable
    max_ar: float
    budgets: Sequence[_Budget]
    block_costs: Sequence[float]

    @cached_property
    def graph(self) -> TaskGraph:
        """The task graph."""
        return task_graph(self.table, Question(self.max_ar))

    @property
    def _costs(self) -> list[tuple[float, ...]]:
        return [tuple(self.block_costs), *(tuple(b.block_costs) for b in self.budgets)]

    @cached_property
    def smallest(self) -> list[SharingTree]:
        """The smallest tree by ``block_costs``, then by the cost of each budget."""
        found = {
            costs: exact_tree(self.graph, costs, self.table, strict=True)
            for costs in dict.fromkeys(self._costs)
        }
        return [found[costs] for costs in self._costs]

    def _within(self, tree: SharingTree) -> bool:
        return all(budget.holds(tree) for budget in self.budgets)

    @cached_property
    def any_within(self) -> SharingTree | None:
        """A tree within all budgets: the cheapest by ``block_costs``, if it was easy to find."""
        _, *smallest = self.smallest
        if not all(b.holds(tree) for b, tree in zip(self.budgets, smallest, strict=True)):
            return None
        easy = next((tree for tree in self.smallest if self._within(tree)), None)
        if easy is not None:
            return easy
        if len(self.table.tasks) > MAX_PARETO_TASKS:
            raise ConfigError(
                f"expected at most {MAX_PARETO_TASKS} tasks for budgets that contradict each "
                f"other ({', '.join(b.name for b in self.budgets)}), found "
                f"{len(self.table.tasks)}; give one budget, or a larger one"
            )
        return self.cheapest_within

    @cached_property
    def cheapest_within(self) -> SharingTree | None:
        """The tree within all budgets that costs least by ``block_costs``."""
        search = ParetoSearch(self.graph, list(dict.fromkeys(self._costs)), self.table)
        return next((tree for tree in search.trees() if self._within(tree)), None)

    def best(self) -> tuple[SharingTree, list[str]]:
        """The cheapest tree within all budgets, as far as it is known, and a note if it is not."""
        tree, notes = self.any_within, []
        if tree != self.smallest[0]:
            if len(self.table.tasks) <= MAX_PARETO_TASKS:
                tree = self.cheapest_within
            else:
                notes.append(
                    "The tree has the lowest AR within the budgets; another one of the same AR "
                    f"may cost less, which is not searched for above {MAX_PARETO_TASKS} tasks."
                )
        assert tree is not None
        return tree, notes

    def shortfall(self) -> str:
        """Why no measured depth helps: what the trees of least cost need."""
        _, *smallest = self.smallest
        missed = [
            f"{budget.needs(tree)} {budget.name} ({tree.notation(self.table.tasks)}), "
            f"found {budget.most:,.10g}"
            for budget, tree in zip(self.budgets, smallest, strict=True)
            if not budget.holds(tree)
        ]
        if missed:
            return (
                f"the depths that the table has an AR for need larger budgets: expected "
                f"{'; '.join(missed)}; measure deeper cells with `synergy pairwise`"
            )
        each = " and ".join(f"{budget.most:,.10g} {budget.name}" for budget in self.budgets)
        return (
            f"no tree of depths that the table has an AR for keeps {each} at once, though each "
            "alone can be kept: give a larger budget or measure more cells with "
            "`synergy pairwise`"
        )
