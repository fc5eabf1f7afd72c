"""Our own trees: what the solvers make of the AR table."""

from __future__ import annotations

from dataclasses import dataclass

from synergy.comparisons.base import Contender, Field, Repaired, tree_contender
from synergy.experiment import Recipe
from synergy.synthesis import Question, Solver, search


@dataclass(frozen=True)
class Synthesised:
    """The tree of the AR table at the threshold, without and with distillation.

    The recursion's tree is followed by the one that stage 3 delivered, where it had to be repaired.

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
        question = Question(max_ar=field.experiment.config.max_ar, solver=self.name)
        found = search(question, field.table, field.experiment.costs)
        note = f"predicted AR {found.predicted_ar_pct:.1f} %"
        entered = [
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
        if self.name == "recursive" and field.repaired is not None:
            entered.append(_repaired(field, field.repaired))
        return entered


def _repaired(field: Field, repaired: Repaired) -> Contender:
    """The delivered tree; what was tried before it counts as its search."""
    recipe = Recipe(distilled=repaired.distilled)
    tried = (trial.digest for trial in field.experiment.trials(repaired.tried, recipe))
    return tree_contender(
        field,
        f"repaired{', distilled' if repaired.distilled else ''}",
        repaired.tree,
        search=field.table_digests.union(tried),
        distilled=repaired.distilled,
        note=(
            f"tree {repaired.tried.index(repaired.tree) + 1} of {len(repaired.tried)} of the "
            "repair, chosen on validation"
        ),
    )
