"""Our own trees: what the solvers make of the AR table."""

from __future__ import annotations

from synergy.comparisons.base import Comparison, Contender, Field, tree_contender
from synergy.errors import TreeError, WorkspaceError
from synergy.experiment import Recipe
from synergy.records import SummaryFile
from synergy.synthesis import Question, Solver, search
from synergy.tree import SharingTree


class Synthesised(Comparison):
    """The tree of the AR table at the threshold, without and with distillation.

    The recursion's tree is followed by the one that stage 3 delivered, where it had to be repaired.

    Parameters
    ----------
    solver : {"recursive", "exact"}
    summary : str
    """

    keeps_budget = False

    def __init__(self, solver: Solver, summary: str) -> None:
        self.solver: Solver = solver
        self.name, self.summary = solver, summary

    def contenders(self, field: Field) -> list[Contender]:
        """The plain and the distilled training of one tree."""
        question = Question(max_ar=field.experiment.config.max_ar, solver=self.solver)
        found = search(question, field.table, field.experiment.costs)
        entered = [
            tree_contender(
                field,
                f"{self.solver}{', distilled' if distilled else ''}",
                found.tree,
                search=field.table_digests,
                distilled=distilled,
                note=f"predicted AR {found.predicted_ar_pct:.1f} %",
            )
            for distilled in (False, True)
        ]
        return entered + (_repaired(field) if self.solver == "recursive" else [])


def _repaired(field: Field) -> list[Contender]:
    """What stage 3 delivered after the field's tree had missed the threshold, if it did.

    What was tried before it counts as its search.
    """
    experiment = field.experiment
    try:
        summary = SummaryFile.read(field.session.workspace.summary)
        if summary is None or not (summary.attempts and summary.rows):
            return []
        tried = [SharingTree.parse(each.notation, experiment.depth) for each in summary.attempts]
    except (WorkspaceError, TreeError):  # `synergy synthesize` mends it
        return []
    found, row = summary.synthesis, summary.rows[-1]
    recipe = Recipe(distilled=row.distilled)
    # of another threshold, table or training, it is no repair of this tree
    same = (found.max_ar, found.table_kind) == (experiment.config.max_ar, "plain")
    same = same and row.digests == tuple(t.digest for t in experiment.trials([found.tree], recipe))
    if not same or tried[0] != field.tree or found.tree not in tried[1:]:
        return []
    place = tried.index(found.tree) + 1
    return [
        tree_contender(
            field,
            f"repaired{', distilled' if row.distilled else ''}",
            found.tree,
            search=field.table_digests.union(t.digest for t in experiment.trials(tried, recipe)),
            distilled=row.distilled,
            note=f"tree {place} of {len(tried)} of the repair, chosen on validation",
        )
    ]
