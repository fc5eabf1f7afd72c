"""A model for each task: what every other method is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from synergy.comparisons.base import Contender, Field
from synergy.tree import SharingTree


@dataclass(frozen=True)
class Independent:
    """The single-task models: as they are, with other seeds, and taught by each other's seeds.

    Tasks that share nothing cannot hurt each other, so the AR of the first is 0 by definition.
    The second has as many further seeds; its AR is what chance alone makes of the largest loss
    of several tasks, and an AR no larger than that tells nothing. The third is distilled from
    the mean of the single-task models of all seeds: what distillation brings by itself.
    """

    name: str = "independent"
    summary: str = "a model for each task: as it is, with other seeds, and distilled"
    keeps_budget: bool = False

    def contenders(self, field: Field) -> list[Contender]:
        """The plain models, those of other seeds and the distilled ones."""
        seeds = field.experiment.config.all_seeds
        return [
            _contender(field, "independent", seeds),
            _contender(
                field,
                "independent, other seeds",
                [seed + len(seeds) for seed in seeds],
                note="the same trained again: an AR no larger than this is within chance",
            ),
            _contender(field, "independent, distilled", seeds, distilled=True),
        ]


def _contender(
    field: Field, name: str, seeds: Sequence[int], *, distilled: bool = False, note: str = ""
) -> Contender:
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
            for seed in seeds
        ),
        params=params,
        stored_params=params,
        macs=experiment.costs.macs(nothing_shared),
        search=field.baseline_digests if distilled else frozenset(),
        note=note,
    )
