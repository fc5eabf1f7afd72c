"""Flat models: all tasks share the same first blocks."""

from __future__ import annotations

from synergy.comparisons.base import Contender, Field, tree_contender


def contenders(field: Field) -> list[Contender]:
    """One trunk under all tasks, at every depth that the sweep of pairs has (paper, table 2).

    The flat model that shares no block is among `independent`.
    """
    flat = field.experiment.flat
    return [
        tree_contender(field, f"flat, {shared} shared", flat(field.tasks, shared))
        for shared in field.experiment.config.depths
    ]
