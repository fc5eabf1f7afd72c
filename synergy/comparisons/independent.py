"""A model for each task: what every other method is held against."""

from __future__ import annotations

from synergy.comparisons.base import RECIPES, Contender, Field, tree_contenders


def contenders(field: Field) -> list[Contender]:
    """The single-task models, and the null control; both without and with distillation.

    Tasks that share nothing cannot hurt each other, so the AR of the first is 0 by definition.
    Distilled, they learn on the clips of their own task from the mean of the single-task models of
    all seeds: what teachers alone bring. The null control trains the same networks together. Its
    distilled ones are single-task students that see the clips of all corpora with the soft labels
    of their task, as a distilled tree does: the control that a distilled tree is held against.
    """
    experiment = field.experiment
    nothing_shared = experiment.flat(field.tasks, 0)
    alone = [
        Contender(
            name=f"independent{ending}",
            trials=field.singles(recipe),
            params=experiment.costs.params(nothing_shared),
            macs=experiment.costs.macs(nothing_shared),
            search=field.teachers(recipe),
        )
        for ending, recipe in RECIPES.items()
    ]
    note = "nothing shared, all tasks trained together"
    return [*alone, *tree_contenders(field, "null control", nothing_shared, note=note)]
