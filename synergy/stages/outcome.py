"""Scores of one model over its seeds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from synergy.experiment import PLAIN, Experiment, Recipe
from synergy.stages.resampling import Resampler
from synergy.stages.sweep import Swept
from synergy.synthesis.ar_table import accuracy_reduction
from synergy.tree import SharingTree
from synergy.wording import REPORTED, Split


@dataclass(frozen=True)
class Outcome:
    """One tree after all its seeds.

    Attributes
    ----------
    tree : SharingTree
    digests : tuple of str
        Its trials, in the order of the seeds.
    scores : dict
        ``scores[split][task]``: one score per seed that finished, in [0, 1].
    errors : tuple of str
        Why seeds are missing.
    of_seeds : tuple of int
        The seeds that finished; () where that differs from task to task.
    """

    tree: SharingTree
    digests: tuple[str, ...]
    scores: Mapping[str, Mapping[str, tuple[float, ...]]]
    errors: tuple[str, ...]
    of_seeds: tuple[int, ...] = ()

    @property
    def seeds(self) -> int:
        """Number of seeds that finished."""
        return min(len(values) for values in self.scores["valid"].values())

    def mean(self, split: str, task: str, seeds: Collection[int] = ()) -> float:
        """Mean score over the seeds, or over those of them that are in ``seeds`` if any is."""
        scores = self.scores[split][task]
        known = zip(self.of_seeds, scores, strict=False)
        return fmean([score for seed, score in known if seed in seeds] or scores)

    def means(self, split: str) -> dict[str, float]:
        """Mean score of each task."""
        return {task: self.mean(split, task) for task in self.tree.tasks}

    def spread(self, split: str, task: str) -> float | None:
        """Standard deviation over the seeds (n - 1); None with one seed."""
        values = self.scores[split][task]
        return stdev(values) if len(values) > 1 else None

    def to_json(self) -> dict[str, Any]:
        """Scores as JSON values."""
        return {
            "notation": self.tree.notation(),
            "digests": list(self.digests),
            "scores": {s: {t: list(v) for t, v in by.items()} for s, by in self.scores.items()},
            "errors": list(self.errors),
        }


def outcome_of(
    experiment: Experiment,
    swept: Swept,
    tree: SharingTree,
    recipe: Recipe = PLAIN,
    seeds: Sequence[int] = (),
) -> Outcome:
    """Collect the seeds of ``tree`` from what was swept; ``seeds`` replace the configured ones."""
    chosen = seeds or experiment.config.all_seeds
    digests = {seed: experiment.trial(tree, seed, recipe).digest for seed in chosen}
    finished = {seed: digest for seed, digest in digests.items() if digest in swept.results}
    done = [swept.results[digest] for digest in finished.values()]
    scores = {
        split: {t: tuple(r.scores[split][t] for r in done) for t in tree.tasks}
        for split in REPORTED
    }
    errors = tuple(swept.errors[digest] for digest in digests.values() if digest in swept.errors)
    return Outcome(tree, tuple(finished.values()), scores, errors, tuple(finished))


def reduction(singles: Mapping[str, Outcome], multi: Outcome, split: str) -> float:
    """AR of ``multi`` in percent: scores are averaged over seeds first, then compared.

    Where one of the two lacks a seed, neither has it, as in the intervals.
    """
    return accuracy_reduction(
        {t: singles[t].mean(split, t, multi.of_seeds) for t in multi.tree.tasks},
        {t: multi.mean(split, t, singles[t].of_seeds) for t in multi.tree.tasks},
    )


def interval(
    resampler: Resampler, singles: Mapping[str, Outcome], multi: Outcome, split: Split
) -> tuple[float, float]:
    """Bootstrap interval of `reduction`, in percent."""
    return resampler.interval(
        {task: singles[task].digests for task in multi.tree.tasks},
        dict.fromkeys(multi.tree.tasks, multi.digests),
        split,
    )


def failed(outcomes: Sequence[Outcome]) -> list[str]:
    """A sentence for each outcome of which no seed finished."""
    return [
        f"{o.tree.notation()}: {o.errors[0] if o.errors else 'not trained'}"
        for o in outcomes
        if o.seeds == 0
    ]
