"""Flat models: all tasks share the same first blocks."""

from __future__ import annotations

from synergy.comparisons.base import Comparison, Contender, Field, tree_contender


class Flat(Comparison):
    """One trunk under all tasks, at every depth that the sweep of pairs has (paper, table 2).

    The flat model that shares no block is `Independent`.
    """

    name = "flat"
    summary = "one trunk under all tasks, at every swept depth (the paper's table 2)"
    keeps_budget = False

    def contenders(self, field: Field) -> list[Contender]:
        """A model for each depth, the shallowest first."""
        flat = field.experiment.flat
        return [
            tree_contender(field, f"flat, {shared} shared", flat(field.tasks, shared))
            for shared in field.experiment.config.depths
        ]
