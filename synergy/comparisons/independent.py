"""A model for each task: what every other method is held against."""

from __future__ import annotations

from collections.abc import Sequence

from synergy.comparisons.base import Comparison, Contender, Field
from synergy.experiment import Recipe


class Independent(Comparison):
    """The single-task models: as they are, with other seeds, and distilled.

    Tasks that share nothing cannot hurt each other, so the AR of the first is 0 by definition.
    The second has as many further seeds; its AR is one draw of what chance alone makes of the
    largest loss of several tasks. The third learns from the mean of the single-task models of all
    seeds, its own included: what distillation brings by itself.
    """

    name = "independent"
    summary = "a model for each task: as it is, with other seeds, and distilled"
    keeps_budget = False

    def contenders(self, field: Field) -> list[Contender]:
        """The plain models, those of other seeds and the distilled ones."""
        seeds = field.experiment.config.all_seeds
        return [
            _contender(field, "independent", seeds),
            _contender(
                field,
                "independent, other seeds",
                [seed + len(seeds) for seed in seeds],
                note="the same trained again, so its AR is chance",
            ),
            _contender(field, "independent, distilled", seeds, distilled=True),
        ]


def _contender(
    field: Field, name: str, seeds: Sequence[int], *, distilled: bool = False, note: str = ""
) -> Contender:
    experiment, recipe = field.experiment, Recipe(distilled=distilled)
    nothing_shared = experiment.flat(field.tasks, 0)
    alone = [experiment.alone(task) for task in field.tasks]
    return Contender(
        name=name,
        trials=tuple(tuple(experiment.trials(alone, recipe, [seed])) for seed in seeds),
        params=experiment.costs.params(nothing_shared),
        macs=experiment.costs.macs(nothing_shared),
        search=field.baseline_digests if distilled else frozenset(),
        note=note,
    )
