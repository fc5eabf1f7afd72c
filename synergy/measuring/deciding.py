"""The scores by which trees are chosen: those that are reported, or smooth ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from synergy.losses.evidence import SeedScores
from synergy.measuring.bootstrap import Resampler
from synergy.measuring.log_loss import resampled_log_losses
from synergy.measuring.smooth_score import Readings, smoothed
from synergy.trials.trial import Trial


@dataclass(frozen=True, eq=False)
class DecidingScores:
    """Scores of the trainings of one task.

    Attributes
    ----------
    places : dict of digest to int
    readings : Readings
        By place.
    smooth : bool
        Whether they are smooth.
    """

    places: Mapping[str, int]
    readings: Readings
    smooth: bool = False

    def of(self, trials: Sequence[Trial]) -> SeedScores:
        """Scores of some trainings."""
        return tuple(float(self.readings.values[self.places[t.digest]]) for t in trials)

    def mean_resampled(self, trials: Sequence[Trial]) -> np.ndarray:
        """Their mean over resampled speakers; float64 [R]."""
        places = [self.places[trial.digest] for trial in trials]
        return self.readings.resampled[:, places].mean(axis=1)


class Decider:
    """Tells by what trainings are judged on validation when a tree is chosen.

    Parameters
    ----------
    resampler : Resampler
        Its configuration says by what, see ``decide_by`` there.
    """

    def __init__(self, resampler: Resampler) -> None:
        self._resampler = resampler
        self._log_losses = cache(self._measured)

    def scores(self, task: str, alone: Sequence[Trial], others: Sequence[Trial]) -> DecidingScores:
        """Of all trainings of a task that a table rests on, those that share nothing first.

        The scores that are reported, unless smooth ones are asked for, and there are speakers
        enough and spread enough to tell them. The mean of those that share nothing stays what it
        is: trained trees are held against it by their scores.
        """
        resampler = self._resampler
        trials = {trial.digest: trial for trial in (*alone, *others)}
        places = {digest: place for place, digest in enumerate(trials)}
        values = [resampler.store.result(each).scores["valid"][task] for each in trials]
        drawn = [resampler.scores([each], "valid", task) for each in trials.values()]
        scores = Readings(np.array(values), np.array(drawn).reshape(len(trials), -1).T)
        wanted = resampler.experiment.config.decide_by == "log_loss"
        if not (wanted and alone and resampler.has_speakers([task], "valid")):
            return DecidingScores(places, scores)
        found = np.stack([self._log_losses(each, task) for each in trials], axis=1)
        smooth = smoothed(scores, Readings(found[0], found[1:]))
        if smooth is None:
            return DecidingScores(places, scores)
        first = [places[trial.digest] for trial in alone]
        level = (scores.values - smooth.values)[first].mean()
        smooth = replace(smooth, values=np.maximum(smooth.values + level, 0.0))
        return DecidingScores(places, smooth, smooth=True)

    def _measured(self, digest: str, task: str) -> np.ndarray:
        """Mean log-loss of a training, then those over resampled speakers; float64 [1 + R]."""
        # log-losses decide only where there are no folds
        data = self._resampler.experiment.folds[0][task]
        weights = self._resampler.group_weights(0, "valid", task)
        return resampled_log_losses(
            data.spec.rules,
            self._resampler.logits(digest, 0, "valid", task),
            data.targets["valid"],
            data.groups["valid"],
            np.vstack([np.ones(weights.shape[1]), weights]),
        )
