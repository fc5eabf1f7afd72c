"""Bootstrap of scores and accuracy reductions over seeds and speakers.

Every model is resampled with the same draws: seeds are drawn in pairs of single and multi-task
model, and where tasks are measured on the same clips, so are these. With folds each seed is
measured on the speakers of its own, who are drawn for themselves. What the interval does not hold:
that epochs, depths and trees were chosen on the same validation clips.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import TypeVar

import numpy as np

from synergy.errors import WorkspaceError
from synergy.experiment import Experiment
from synergy.measuring.outcome import Outcome
from synergy.seeding import hash64, uniform
from synergy.tasks.clips import FEWEST_SPEAKERS
from synergy.trials.record import TrialResult
from synergy.trials.trial import Trial
from synergy.trials.trial_store import TrialStore
from synergy.wording import Split

DRAWS = 1000
LEVEL = 0.95
_SEEDS, _GROUPS = range(2)

Trained = Trial | TrialResult
_T = TypeVar("_T", bound=Trained)


class Resampler:
    """Scores of finished trials in resampled splits.

    Parameters
    ----------
    experiment : Experiment
    store : TrialStore
        Has the predictions of every trial that is asked for.
    draws : int
        Number of resampled splits, R.
    """

    def __init__(self, experiment: Experiment, store: TrialStore, draws: int = DRAWS) -> None:
        self.experiment = experiment
        self.store = store
        self.draws = draws
        self._resampled = cache(self._resample)
        self.group_weights = cache(self._weigh_groups)

    def reductions(self, singles: Outcome, multi: Outcome, split: Split) -> np.ndarray:
        """AR of a model in every resampled split, in percent; float64 [R].

        It is held against the single-task models of the same seeds; where they have no seed in
        common, in the order of the seeds.
        """
        lost = self.losses(singles, multi, split).values()
        return np.max([np.zeros(self.draws), *lost], axis=0)

    def losses(self, singles: Outcome, multi: Outcome, split: Split) -> dict[str, np.ndarray]:
        """Signed relative loss of each task in every resampled split, in percent; float64 [R]."""
        lost: dict[str, np.ndarray] = {}
        for task in multi.runs:
            alone, together = _paired(singles.runs[task], multi.runs[task])
            single, ours = (self._mean(runs, split, task) for runs in (alone, together))
            relative = np.divide(single - ours, single, out=np.zeros_like(single), where=single > 0)
            lost[task] = 100.0 * relative
        return lost

    def has_speakers(self, tasks: Iterable[str], split: Split) -> bool:
        """Whether a split has enough speakers of each task for an interval."""
        return all(self.experiment.speakers(task, split) >= FEWEST_SPEAKERS for task in tasks)

    def interval(
        self, singles: Outcome, multi: Outcome, split: Split
    ) -> tuple[float, float] | None:
        """Percentile interval of the AR that holds 95 % of the resampled splits.

        None where there are too few speakers.
        """
        if not self.has_speakers(multi.runs, split):
            return None
        return interval(self.reductions(singles, multi, split))

    def difference(
        self, singles: Outcome, multi: Outcome, other: Outcome, split: Split
    ) -> tuple[float, float] | None:
        """Percentile interval of the AR of ``multi`` minus that of ``other``, in percent.

        Both are resampled with the same draws, so what makes a split hard for both cancels out.
        None where there are too few speakers.
        """
        if not self.has_speakers(multi.runs, split):
            return None
        ours, theirs = (self.reductions(singles, model, split) for model in (multi, other))
        return interval(ours - theirs)

    def scores(self, trials: Sequence[Trained], split: Split, task: str) -> np.ndarray:
        """Mean score of some trials, seeds as they are, over resampled speakers; float64 [R]."""
        return np.mean([self._score(trial, split, task) for trial in trials], axis=0)

    def _mean(self, trials: Sequence[Trained], split: Split, task: str) -> np.ndarray:
        """Mean score over resampled seeds; float64 [R]."""
        scores = np.stack([self._score(trial, split, task) for trial in trials], axis=1)
        return np.take_along_axis(scores, self._drawn(len(trials), _SEEDS), axis=1).mean(axis=1)

    def _score(self, trial: Trained, split: Split, task: str) -> np.ndarray:
        fold = self.experiment.config.fold_of(trial.seed)
        return self._resampled(trial.digest, fold, split, task)

    def _drawn(self, count: int, stream: int, *keys: int) -> np.ndarray:
        """Which of ``count`` seeds or groups each resampled split draws; int64 [R, count]."""
        draw, place = np.arange(self.draws)[:, None], np.arange(count)[None, :]
        drawn = uniform(self.experiment.config.seed, *keys, draw, place, stream)
        return np.floor(drawn * count).astype(np.int64)

    def _resample(self, digest: str, fold: int, split: Split, task: str) -> np.ndarray:
        """Score of one trial in every resampled split of its fold; float64 [R]."""
        data = self.experiment.folds[fold][task]
        kind, targets = data.spec.rules, data.targets[split]
        logits = self.logits(digest, fold, split, task)
        weights = self.group_weights(fold, split, task)
        scores = kind.resampled_scores(logits, targets, data.groups[split], weights)
        # a resampled split in which the score is not defined stands for the whole one
        whole = kind.scores(logits, targets)[kind.metric] if np.isnan(scores).any() else 0.0
        return np.where(np.isnan(scores), whole, scores)

    def logits(self, digest: str, fold: int, split: Split, task: str) -> list[np.ndarray]:
        """Logits that a trial kept of each clip of a split of its fold; float32.

        A WorkspaceError is raised if it has none.
        """
        kept, key = self.store.predictions(digest), f"{split}/{task}"
        if key not in kept:
            raise WorkspaceError(
                f"expected the predictions {key} in {self.store.path(digest)}, which intervals are "
                "made of, found none; delete the folder and run the same command again to repeat "
                "this trial"
            )
        data = self.experiment.folds[fold][task]
        frames = [len(self.experiment.bank.features[clip]) for clip in data.clips[split]]
        return data.spec.rules.split(kept[key].astype(np.float32), frames)

    def _weigh_groups(self, fold: int, split: Split, task: str) -> np.ndarray:
        """How often each group of the task's clips is drawn; float64 [R, G]."""
        data = self.experiment.folds[fold][task]
        count = int(data.groups[split].max()) + 1
        clips = hash64(*(self.experiment.bank.keys[int(n)] for n in data.clips[split]))
        drawn = self._drawn(count, _GROUPS, clips)
        groups = drawn + count * np.arange(self.draws)[:, None]
        weights = np.bincount(groups.ravel(), minlength=self.draws * count)
        return weights.reshape(self.draws, count).astype(np.float64)


def _paired(
    singles: Mapping[int, TrialResult], multi: Mapping[int, TrialResult]
) -> tuple[list[TrialResult], list[TrialResult]]:
    """Trainings of the same seeds, side by side."""
    common = sorted(singles.keys() & multi.keys())
    if common:
        return [singles[seed] for seed in common], [multi[seed] for seed in common]
    pairs = list(zip(singles.values(), multi.values(), strict=False))
    return [single for single, _ in pairs], [run for _, run in pairs]


def below(
    mean: Callable[[Sequence[_T]], np.ndarray],
    alone: Sequence[_T],
    trials: Sequence[_T],
    folds: int,
) -> np.ndarray:
    """How far trials score below single-task models, over resampled speakers; float64 [R].

    ``mean`` gives the mean scores of some of them. Each is held against those of its fold, or
    against all where it has none.
    """
    baseline: list[np.ndarray] = []
    for fold, count in Counter(trial.seed % folds for trial in trials).items():
        own = [single for single in alone if single.seed % folds == fold]
        baseline.append(count / len(trials) * mean(own or alone))
    return np.sum(baseline, axis=0) - mean(trials)


def interval(values: np.ndarray) -> tuple[float, float]:
    """The percentiles between which 95 % of some values lie."""
    tail = 50.0 * (1.0 - LEVEL)
    low, high = np.percentile(values, [tail, 100.0 - tail], method="linear")
    return float(low), float(high)
