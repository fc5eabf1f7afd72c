"""Our own trees: what the solvers make of the AR table."""

from __future__ import annotations

from dataclasses import dataclass

from synergy.comparisons.base import Contender, Field, tree_contender
from synergy.synthesis import Solver, synthesize


@dataclass(frozen=True)
class Synthesised:
    """The tree of the AR table at the threshold, without and with distillation.

    Parameters
    ----------
    name : {"recursive", "exact"}
        The solver.
    summary : str
    """

    name: Solver
    summary: str
    keeps_budget: bool = False

    def contenders(self, field: Field) -> list[Contender]:
        """The plain and the distilled training of one tree."""
        config = field.experiment.config
        found = synthesize(
            field.table,
            config.max_ar,
            field.experiment.costs.block_params,
            config.encoder.depth,
            self.name,
        )
        note = f"predicted AR {found.predicted_ar_pct:.1f} %"
        return [
            tree_contender(
                field,
                f"{self.name}{', distilled' if distilled else ''}",
                found.tree,
                search=field.table_digests,
                distilled=distilled,
                note=note,
            )
            for distilled in (False, True)
        ]
