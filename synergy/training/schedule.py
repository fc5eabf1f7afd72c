"""How long trainings are: as configured, by the number of clips, or for a first look."""

from __future__ import annotations

from typing import Literal

from synergy.training.config import TrainingConfig

Schedule = Literal["fixed", "auto", "quick"]

FEWEST_STEPS = 200
"""Of a training by the number of clips: with fewer, the rate has risen and fallen for nothing."""

QUICK_EPOCHS, QUICK_STEPS = 4, 40
"""Most epochs of a first look, and most steps of each."""


def scheduled(training: TrainingConfig, schedule: Schedule, clips: int) -> TrainingConfig:
    """The settings with epochs and steps as a schedule has them, never more than configured.

    Parameters
    ----------
    schedule : {"fixed", "auto", "quick"}
        As configured; epochs that draw as many clips as the largest task has, but at least
        `FEWEST_STEPS` in all; or at most `QUICK_EPOCHS` of `QUICK_STEPS`.
    clips : int
        Training clips of the largest task.
    """
    if schedule == "fixed":
        return training
    epochs = training.epochs
    if schedule == "quick":
        epochs, steps = min(epochs, QUICK_EPOCHS), QUICK_STEPS
    else:
        steps = max(-(-clips // training.clips_per_task), -(-FEWEST_STEPS // epochs))
    steps = min(steps, training.steps_per_epoch)
    return training.model_copy(update={"epochs": epochs, "steps_per_epoch": steps})
