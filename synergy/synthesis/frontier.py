"""Every tree that a table holds: what each threshold gives, without any training."""

from __future__ import annotations

from dataclasses import dataclass, replace

from synergy.costs import Costs
from synergy.synthesis.answer import Synthesis, search
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.question import Question
from synergy.synthesis.task_graph import task_graph


@dataclass(frozen=True)
class FrontierTree:
    """The tree of every threshold of ``low`` or more, up to but not including ``high``.

    Attributes
    ----------
    number : int
        From 1, by ascending threshold.
    low, high : float
        In percent; ``high`` is None where no larger threshold gives another tree.
    synthesis : Synthesis
        At the threshold ``low``.
    """

    number: int
    low: float
    high: float | None
    synthesis: Synthesis


def frontier(question: Question, table: ARTable, costs: Costs) -> tuple[FrontierTree, ...]:
    """The trees of all thresholds.

    A tree can only change where a cell begins to pass, so there are at most as many as different
    AR in the table, and one more. Each is searched for once: with 14 tasks and hundreds of
    different AR this takes minutes, with four tasks a fraction of a second.

    Parameters
    ----------
    question, table, costs
        As in `search`, also in what is raised; threshold and budgets are not looked at.

    Returns
    -------
    tuple of FrontierTree
        By ascending threshold from 0 on, without gaps; neighbours differ in their trees.
    """
    measured = {cell.ar_pct for cell in table.cells if cell.ar_pct is not None}
    found: list[Synthesis] = []
    before: object = None
    for max_ar in sorted({0.0} | measured):
        terms = replace(question, max_ar=max_ar, max_params=None, max_macs=None)
        graph = task_graph(table, terms)
        allowed = graph.depths if terms.strict else graph.weights
        if allowed == before:
            continue
        before = allowed
        synthesis = search(terms, table, costs)
        if not found or synthesis.tree != found[-1].tree:
            found.append(synthesis)
    ends = [synthesis.max_ar for synthesis in found[1:]]
    return tuple(
        FrontierTree(number, synthesis.max_ar, high, synthesis)
        for number, (synthesis, high) in enumerate(zip(found, [*ends, None], strict=True), 1)
    )
