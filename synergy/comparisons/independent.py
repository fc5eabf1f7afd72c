"""A model for each task: what every other method is held against."""

from __future__ import annotations

from dataclasses import replace

from synergy.comparisons.base import Contender, Field
from synergy.experiment import Recipe


def contenders(field: Field) -> list[Contender]:
    """The single-task models: as they are, with other seeds, and distilled.

    Tasks that share nothing cannot hurt each other, so the AR of the first is 0 by definition.
    The second has as many further seeds; its AR is one draw of what chance alone makes of the
    largest loss of several tasks. The third learns from the mean of the single-task models of all
    seeds, its own included: what distillation brings by itself.
    """
    experiment, seeds = field.experiment, field.experiment.config.all_seeds
    nothing_shared = experiment.flat(field.tasks, 0)
    plain = Contender(
        name="independent",
        trials=field.singles(),
        params=experiment.costs.params(nothing_shared),
        macs=experiment.costs.macs(nothing_shared),
    )
    again = replace(
        plain,
        name="independent, other seeds",
        trials=field.singles(seeds=[seed + len(seeds) for seed in seeds]),
        note="the same trained again, so its AR is chance",
    )
    taught = replace(
        plain,
        name="independent, distilled",
        trials=field.singles(Recipe(distilled=True)),
        search=field.baseline_digests,
    )
    return [plain, again, taught]
