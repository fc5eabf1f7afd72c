"""Our own trees: what the solvers make of the AR table."""

from __future__ import annotations

from collections.abc import Sequence

from synergy.comparisons.base import Contender, Field, tree_contenders
from synergy.errors import TreeError, WorkspaceError
from synergy.experiment import Experiment, Recipe
from synergy.records import SummaryFile
from synergy.rows import Attempt
from synergy.synthesis import Question, Solver, search
from synergy.tree import SharingTree
from synergy.trials.trial import Trial


def recursive(field: Field) -> list[Contender]:
    """The recursion's tree, and the one that stage 3 delivered where it is another."""
    return [*exact(field, "recursive"), *_delivered(field)]


def exact(field: Field, solver: Solver = "exact") -> list[Contender]:
    """The tree of the AR table at the threshold, without and with distillation."""
    question = Question(max_ar=field.experiment.config.max_ar, solver=solver)
    found = search(question, field.table, field.experiment.costs)
    note = f"predicted AR {found.predicted_ar_pct:.1f} %"
    return tree_contenders(field, solver, found.tree, search=field.table_digests, note=note)


def _delivered(field: Field) -> list[Contender]:
    """What stage 3 delivered in the place of the field's tree, if it did.

    As it was delivered, distilled or not. What was trained on the way to it counts as its search.
    """
    experiment = field.experiment
    try:
        summary = SummaryFile.read(field.session.workspace.summary)
        if summary is None or not (summary.attempts and summary.rows):
            return []
        tried = [_trials(experiment, each) for each in summary.attempts]
        others = experiment.config.fresh_seeds
        fresh = [_trials(experiment, a, others) for a in summary.attempts if a.fresh_ar_pct]
    except (WorkspaceError, TreeError):  # `synergy synthesize` mends it
        return []
    found, row = summary.synthesis, summary.rows[-1]
    recipe = Recipe(distilled=row.distilled, width=row.width)
    own = tuple(experiment.trials([found.tree], recipe))
    # of another threshold, table or training, it does not stand in the place of this tree
    same = (found.max_ar, found.table_kind) == (experiment.config.max_ar, "plain")
    same = same and row.digests == tuple(trial.digest for trial in own)
    if not same or tried[0][0].tree != field.tree or own not in tried[1:]:
        return []
    place = tried.index(own) + 1
    plain, taught = tree_contenders(
        field,
        "delivered",
        found.tree,
        search=field.table_digests.union(t.digest for own in tried + fresh for t in own),
        width=row.width,
        note=f"tree {place} of {len(tried)} that were trained, chosen on validation",
    )
    return [taught if row.distilled else plain]


def _trials(
    experiment: Experiment, attempt: Attempt, seeds: Sequence[int] = ()
) -> tuple[Trial, ...]:
    """The trainings of a tree on the way."""
    tree = SharingTree.parse(attempt.notation, experiment.depth)
    recipe = Recipe(distilled=attempt.distilled, width=attempt.width)
    return tuple(experiment.trials([tree], recipe, seeds))
