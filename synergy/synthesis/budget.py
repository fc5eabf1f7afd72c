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

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from synergy.errors import ConfigError, ShortfallError
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.exact import MAX_TASKS, exact_tree
from synergy.synthesis.pareto import MAX_PARETO_TASKS, ParetoSearch
from synergy.synthesis.synthesize import Problem, Synthesis
from synergy.synthesis.task_graph import NO_CAPS, task_graph
from synergy.tree import SharingTree


@dataclass(frozen=True)
class Budget:
    """The most that a network may cost.

    Parameters
    ----------
    name : str
        What is counted, such as ``parameters``.
    block_costs : sequence of float
        Cost of each block of the encoder.
    fixed : float
        Cost of all decoders together, which every tree has.
    most : float
        Largest cost of the whole network; finite, as are all others, and not negative.

    Raises
    ------
    ConfigError
        If a number cannot be used.
    """

    name: str
    block_costs: Sequence[float]
    fixed: float
    most: float

    def __post_init__(self) -> None:
        for what, value in (("budget", self.most), ("cost of the decoders", self.fixed)):
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(
                    f"{self.name}: expected a finite {what} of at least 0, found {value}"
                )

    def cost(self, tree: SharingTree) -> float:
        """Cost of the whole network, decoders included."""
        return tree.cost(self.block_costs) + self.fixed

    def holds(self, tree: SharingTree) -> bool:
        """Whether a tree is within the budget."""
        cost = self.cost(tree)
        return cost <= self.most or math.isclose(cost, self.most, rel_tol=1e-9)


def within_budgets(
    table: ARTable,
    budgets: Sequence[Budget],
    block_costs: Sequence[float],
    depth: int = 8,
) -> Synthesis:
    """Find the tree with the lowest predicted AR within budgets.

    Parameters
    ----------
    table : ARTable
        Of at most 14 tasks.
    budgets : sequence of Budget
        At least one; all are kept.
    block_costs : sequence of float, length ``depth``
        Decide between trees of the same AR within the budgets: the cheapest is taken.
    depth : int
        Number of blocks of the encoder.

    Returns
    -------
    Synthesis
        By the solver exact, strict. Its ``max_ar`` is the lowest AR within the budgets, and
        its costs are those of ``block_costs``: where another cost is limited, `exact_cost` may be
        smaller than the tree. With several different costs and more than 10 tasks it can happen
        that the tree is not the cheapest one of this AR; a note says so.

    Raises
    ------
    ConfigError
        If there is no budget or too many tasks, or a budget holds no network at all: not even
        one encoder that all tasks share.
    ShortfallError
        If no tree of measured depths is within the budgets.
    TableError, TreeError
        As `synthesize`.
    """
    if not budgets:
        raise ConfigError("expected a budget of parameters or MACs, found none")
    if len(table.tasks) > MAX_TASKS:
        raise ConfigError(
            f"expected at most {MAX_TASKS} tasks for a budget, found {len(table.tasks)}; "
            "use a threshold of AR instead"
        )
    flat = SharingTree.flat(table.tasks, depth, depth)
    for budget in budgets:
        if not budget.holds(flat):
            raise ConfigError(
                f"{budget.name}: expected a budget of at least {_number(budget.cost(flat))}, one "
                f"encoder for all tasks and the decoders, found {_number(budget.most)}"
            )
    thresholds = sorted({0.0} | {c.ar_pct for c in table.cells if c.ar_pct is not None})
    tried = [_Candidates(table, ar, tuple(budgets), block_costs, depth) for ar in thresholds]
    if tried[-1].any_within is None:
        raise ShortfallError(_shortfall(tried[-1]))
    low, high = 0, len(tried) - 1
    while low < high:
        middle = (low + high) // 2
        if tried[middle].any_within is None:
            low = middle + 1
        else:
            high = middle
    return tried[low].synthesis()


@dataclass(frozen=True)
class _Candidates:
    """The strict trees of one threshold."""

    table: ARTable
    max_ar: float
    budgets: tuple[Budget, ...]
    block_costs: Sequence[float]
    depth: int

    @cached_property
    def smallest(self) -> list[SharingTree]:
        """The smallest tree by ``block_costs``, then by the cost of each budget."""
        graph = task_graph(self.table, self.max_ar)
        found: dict[tuple[float, ...], SharingTree] = {}
        for costs in self._costs:
            if costs not in found:
                found[costs] = exact_tree(graph, costs, self.depth, self.table, strict=True)
        return [found[costs] for costs in self._costs]

    @property
    def _costs(self) -> list[tuple[float, ...]]:
        return [tuple(self.block_costs), *(tuple(b.block_costs) for b in self.budgets)]

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
        graph = task_graph(self.table, self.max_ar)
        search = ParetoSearch(graph, self.table, list(dict.fromkeys(self._costs)), self.depth)
        return next((tree for tree in search.trees() if self._within(tree)), None)

    def synthesis(self) -> Synthesis:
        """The chosen tree and what is known about it."""
        tree, notes = self.any_within, []
        if tree != self.smallest[0]:
            if len(self.table.tasks) <= MAX_PARETO_TASKS:
                tree = self.cheapest_within
            else:
                notes.append(
                    "The tree has the lowest AR within the budgets; another one of the same AR "
                    f"may cost less, which is not searched for above {MAX_PARETO_TASKS} tasks."
                )
        skipped = sum(cell.status == "skipped" for cell in self.table.cells)
        if skipped:
            notes.append(
                f"Skipped cells ({skipped} in the table) count as not measured, so a tree of lower "
                "AR may be within the budgets. `synergy pairwise --sweep full` trains them."
            )
        problem = Problem(self.table, self.max_ar, self.block_costs, self.depth, True, NO_CAPS)
        return problem.synthesis("exact", tree, notes)


def _shortfall(loosest: _Candidates) -> str:
    """Why no measured depth helps: what the trees of least cost need."""
    _, *smallest = loosest.smallest
    order = loosest.table.tasks
    missed = [
        f"at least {_number(budget.cost(tree))} {budget.name} ({tree.notation(order)}), "
        f"found {_number(budget.most)}"
        for budget, tree in zip(loosest.budgets, smallest, strict=True)
        if not budget.holds(tree)
    ]
    if missed:
        return (
            f"the depths that the table has an AR for need larger budgets: expected "
            f"{'; '.join(missed)}; measure deeper cells with `synergy pairwise`"
        )
    each = " and ".join(f"{_number(budget.most)} {budget.name}" for budget in loosest.budgets)
    return (
        f"no tree of depths that the table has an AR for keeps {each} at once, though each alone "
        "can be kept: give a larger budget or measure more cells with `synergy pairwise`"
    )


def _number(value: float) -> str:
    return f"{value:,.10g}"
