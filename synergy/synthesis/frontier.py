"""The trees that a table holds: what each threshold gives, without any training."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from synergy.costs import Costs
from synergy.synthesis.answer import Synthesis, search
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.effort import trees_within
from synergy.synthesis.question import Question
from synergy.synthesis.task_graph import task_graph

EFFORT = 3e9
"""Of all thresholds, see `trees_within`: minutes."""


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


def every_threshold(table: ARTable) -> tuple[float, ...]:
    """Thresholds at which a tree can change, ascending: 0 and the AR of the table."""
    return tuple(sorted({0.0} | {c.ar_pct for c in table.cells if c.ar_pct is not None}))


def thresholds(question: Question, table: ARTable, effort: float = EFFORT) -> tuple[float, ...]:
    """`every_threshold`, or an even choice of as many as the effort allows.

    Among these is the one that the threshold of the question comes down to.
    """
    every, most = every_threshold(table), trees_within(effort, len(table.tasks))
    if len(every) <= most:
        return every
    own = max(ar for ar in every if ar <= question.max_ar)
    places = np.linspace(0, len(every) - 1, most).round().astype(int).tolist()
    return tuple(sorted({own, *(every[place] for place in places)}))


def frontier(
    question: Question, table: ARTable, costs: Costs, effort: float = EFFORT
) -> tuple[FrontierTree, ...]:
    """The trees of all thresholds, or of those that the effort allows.

    A tree can only change where a cell begins to pass, so there are at most as many as different
    AR in the table, and one more. Each is searched for once: with 14 tasks and hundreds of
    different AR this takes minutes, with four tasks a fraction of a second.

    Parameters
    ----------
    question, table, costs
        As in `search`, also in what is raised; budgets are not looked at.
    effort : float
        As in `thresholds`.

    Returns
    -------
    tuple of FrontierTree
        By ascending threshold from 0 on, without gaps; neighbours differ in their trees.
    """
    found: list[Synthesis] = []
    before: object = None
    for max_ar in thresholds(question, table, effort):
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
