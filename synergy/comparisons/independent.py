"""A model for each task: what every other method is held against."""

from __future__ import annotations

from dataclasses import dataclass

from synergy.comparisons.base import Contender, Field
from synergy.tree import SharingTree


@dataclass(frozen=True)
class Independent:
    """The single-task models, as they are and taught by each other's seeds.

    Tasks that share nothing cannot hurt each other, so the AR of the first is 0 by definition.
    The second is distilled from the mean of the single-task models of all seeds: it tells what
    distillation brings by itself.
    """

    name: str = "independent"
    summary: str = "a model for each task, without and with distillation from the same models"
    keeps_budget: bool = False

    def contenders(self, field: Field) -> list[Contender]:
        """The plain and the distilled models."""
        return [
            _contender(field, "independent", distilled=False),
            _contender(field, "independent, distilled", distilled=True),
        ]


def _contender(field: Field, name: str, *, distilled: bool) -> Contender:
    experiment = field.experiment
    depth = experiment.config.encoder.depth
    nothing_shared = SharingTree.flat(field.tasks, 0, depth)
    params = experiment.costs.params(nothing_shared)
    return Contender(
        name=name,
        trials=tuple(
            tuple(
                experiment.trial(SharingTree.single(task, depth), seed, distilled=distilled)
                for task in field.tasks
            )
            for seed in experiment.config.all_seeds
        ),
        params=params,
        stored_params=params,
        macs=experiment.costs.macs(nothing_shared),
        search=field.baseline_digests if distilled else frozenset(),
    )
