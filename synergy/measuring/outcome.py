"""A model over its seeds, and its accuracy reduction against the single-task models."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from synergy.errors import WorkspaceError
from synergy.rows import Scores
from synergy.running.session import Results
from synergy.synthesis import accuracy_reduction
from synergy.trials.record import TrialResult
from synergy.trials.trial import Trial
from synergy.wording import REPORTED, Split, shown


@dataclass(frozen=True)
class Outcome:
    """A model of some tasks after all its seeds.

    Attributes
    ----------
    runs : dict of task to dict of seed to TrialResult
        The finished training of each seed that holds the task: one and the same for all tasks of
        a tree, one for each task of independent models.
    errors : dict of task to tuple of str
        Why seeds are missing.
    reported : bool
        Whether the test split may be looked at, where it was measured.
    """

    runs: Mapping[str, Mapping[int, TrialResult]]
    errors: Mapping[str, tuple[str, ...]]
    reported: bool = True

    @classmethod
    def of(cls, results: Results, trials: Sequence[Trial], reported: bool = True) -> Outcome:
        """Collect the trials of a model from what was trained."""
        tasks = dict.fromkeys(task for trial in trials for task in trial.tree.tasks)
        runs: dict[str, dict[int, TrialResult]] = {task: {} for task in tasks}
        errors: dict[str, tuple[str, ...]] = dict.fromkeys(tasks, ())
        for trial in trials:
            for task in trial.tree.tasks:
                if trial.digest in results.done:
                    runs[task][trial.seed] = results.done[trial.digest]
                elif trial.digest in results.errors:
                    errors[task] = (*errors[task], results.errors[trial.digest])
        return cls(runs, errors, reported)

    @property
    def digests(self) -> tuple[str, ...]:
        """Its trials, task by task and each once, in the order of the seeds."""
        results = (result for by_seed in self.runs.values() for result in by_seed.values())
        return tuple(dict.fromkeys(result.digest for result in results))

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why seeds are missing, each reason once."""
        return tuple(dict.fromkeys(error for errors in self.errors.values() for error in errors))

    @property
    def seeds(self) -> int:
        """Number of seeds that finished."""
        return min(map(len, self.runs.values()))

    @property
    def splits(self) -> tuple[Split, ...]:
        """Where all its trainings were measured: on validation, and on test if it is reported."""
        runs = [run for by_seed in self.runs.values() for run in by_seed.values()]
        tested = self.reported and all("test" in run.scores for run in runs)
        return tuple(split for split in REPORTED if tested or split != "test")

    @property
    def scores(self) -> Scores:
        """One score for each seed, by split and task."""
        return {s: {t: tuple(self.scored(s, t).values()) for t in self.runs} for s in self.splits}

    @property
    def means(self) -> dict[str, dict[str, float]]:
        """Mean over the seeds, by split and task."""
        return {split: {t: fmean(v) for t, v in by.items()} for split, by in self.scores.items()}

    def scored(self, split: str, task: str) -> dict[int, float]:
        """Score of each seed; a WorkspaceError is raised if a training does not tell it."""
        found: dict[int, float] = {}
        for seed, run in self.runs[task].items():
            if (score := run.scores.get(split, {}).get(task)) is None:
                raise WorkspaceError(
                    f"expected a score of {task} on {split} in the training {shown(run.digest)}, "
                    "found none; delete its folder in `trials` to train it again"
                )
            found[seed] = score
        return found

    def mean(self, split: str, task: str, seeds: Collection[int] = ()) -> float:
        """Mean score over the seeds, or over those of them that are in ``seeds`` if any is."""
        scores = self.scored(split, task)
        return fmean([score for seed, score in scores.items() if seed in seeds] or scores.values())

    def only(self, tasks: Iterable[str], seeds: Collection[int]) -> Outcome:
        """The same model, of some tasks and seeds."""
        runs = {t: {seed: r for seed, r in self.runs[t].items() if seed in seeds} for t in tasks}
        return Outcome(runs, {task: self.errors[task] for task in runs}, self.reported)


def levelled(models: Iterable[Mapping[int, float]], folds: int) -> list[dict[int, float]]:
    """Scores of a task by seed, for each of some models, as if all folds were equally hard.

    A score is taken to be that of its model, an effect of its fold that all models have in common,
    and noise. The effects are fitted by least squares and taken away; the rest is widened by the
    degrees of freedom that they took with them, so that it scatters as much as the noise does.
    Seeds that differ by a multiple of ``folds`` have the same fold. No score falls below 0.
    """
    scores = [dict(model) for model in models]
    if folds == 1 or not any(scores):
        return scores
    seen = [np.eye(folds)[[seed % folds for seed in own]] for own in scores if own]
    values = [np.array([*own.values()]) for own in scores if own]
    within = np.concatenate([rows - rows.mean(axis=0) for rows in seen])
    rest = np.concatenate([own - own.mean() for own in values])
    effects, _, taken, _ = np.linalg.lstsq(within, rest)
    freedom = len(rest) - len(seen)
    wider = (freedom / (freedom - taken)) ** 0.5 if taken < freedom else 1.0
    for own in filter(None, scores):
        level = {seed: score - float(effects[seed % folds]) for seed, score in own.items()}
        mean = fmean(level.values())
        own.update((seed, max(0.0, mean + wider * (level[seed] - mean))) for seed in level)
    return scores


def relative_loss(singles: Outcome, multi: Outcome, split: str, task: str) -> float:
    """Signed relative loss of a task in percent, of mean scores over the seeds that both have.

    0 for a task whose single-task score is 0: it has nothing to lose.
    """
    single = singles.mean(split, task, multi.runs[task])
    ours = multi.mean(split, task, singles.runs[task])
    return 100.0 * (single - ours) / single if single > 0 else 0.0


def reduction(singles: Outcome, multi: Outcome, split: str) -> float:
    """AR of ``multi`` in percent: scores are averaged over seeds first, then compared.

    Where one of the two lacks a seed, neither has it, as in the intervals.
    """
    return accuracy_reduction(
        {task: singles.mean(split, task, multi.runs[task]) for task in multi.runs},
        {task: multi.mean(split, task, singles.runs[task]) for task in multi.runs},
    )
