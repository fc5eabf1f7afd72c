"""Our own trees: what the solvers make of the AR table."""

from __future__ import annotations

from synergy.comparisons.base import Contender, Field, tree_contender
from synergy.errors import TreeError, WorkspaceError
from synergy.experiment import Recipe
from synergy.records import SummaryFile
from synergy.synthesis import Question, Solver, search
from synergy.tree import SharingTree


def recursive(field: Field) -> list[Contender]:
    """The recursion's tree, and the one that stage 3 delivered where it had to be repaired."""
    return [*exact(field, "recursive"), *_repaired(field)]


def exact(field: Field, solver: Solver = "exact") -> list[Contender]:
    """The tree of the AR table at the threshold, without and with distillation."""
    question = Question(max_ar=field.experiment.config.max_ar, solver=solver)
    found = search(question, field.table, field.experiment.costs)
    return [
        tree_contender(
            field,
            f"{solver}{', distilled' if distilled else ''}",
            found.tree,
            search=field.table_digests,
            distilled=distilled,
            note=f"predicted AR {found.predicted_ar_pct:.1f} %",
        )
        for distilled in (False, True)
    ]


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
