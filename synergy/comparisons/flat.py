"""Flat models: all tasks share the same first blocks."""

from __future__ import annotations

from synergy.comparisons.base import Contender, Field, tree_contenders


def contenders(field: Field) -> list[Contender]:
    """One trunk under all tasks, at every depth that the sweep of pairs has (paper, table 2).

    The flat model that shares no block is the null control, among `independent`.
    """
    flat = field.experiment.flat
    return [
        contender
        for shared in field.experiment.config.depths
        for contender in tree_contenders(field, f"flat, {shared} shared", flat(field.tasks, shared))
    ]
