"""Flat models: all tasks share the same first blocks."""

from __future__ import annotations

from dataclasses import dataclass

from synergy.comparisons.base import Contender, Field, tree_contender


@dataclass(frozen=True)
class Flat:
    """One trunk under all tasks, at every depth that the sweep of pairs has (paper, table 2).

    The flat model that shares no block is `Independent`.
    """

    name: str = "flat"
    summary: str = "one trunk under all tasks, at every swept depth (the paper's table 2)"
    keeps_budget: bool = False

    def contenders(self, field: Field) -> list[Contender]:
        """A model for each depth, the shallowest first."""
        flat = field.experiment.flat
        return [
            tree_contender(field, f"flat, {shared} shared", flat(field.tasks, shared))
            for shared in field.experiment.config.depths
        ]
