"""Trained trees held against the single-task models: one row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from synergy.errors import ShortfallError
from synergy.experiment import PLAIN, Experiment, Recipe
from synergy.measuring.bootstrap import Resampler
from synergy.measuring.outcome import Outcome, reduction, relative_loss
from synergy.rows import Row
from synergy.running.session import Session
from synergy.tree import SharingTree


@dataclass(frozen=True)
class Planned:
    """A tree to be trained and measured, and how; ``name`` is that of its row.

    With the configured seeds, unless it has others.
    """

    name: str
    tree: SharingTree
    recipe: Recipe
    seeds: tuple[int, ...] = ()


def train_singles(session: Session, tasks: Sequence[str]) -> Outcome:
    """Train what is missing of the single-task models of ``tasks``; they are measured on test.

    Raises
    ------
    ShortfallError
        If a task has no single-task model because all its seeds failed.
    """
    experiment = session.experiment
    trials = experiment.trials(experiment.alone(task) for task in tasks)
    singles = Outcome.of(session.train("single-task models", trials, test=True), trials)
    problems = [f"{t}: {_why(singles.errors[t])}" for t in tasks if not singles.runs[t]]
    if problems:
        raise ShortfallError("no single-task model to compare with: " + "; ".join(problems))
    return singles


class Bench:
    """Where trees are measured: a session and the single-task models that all are held against.

    These are trained where they are missing, see `train_singles`, unless they are given.
    """

    def __init__(
        self, session: Session, tasks: Sequence[str], singles: Outcome | None = None
    ) -> None:
        self.session = session
        self.tasks = tuple(task for task in session.experiment.tasks if task in tasks)
        self.singles = singles or train_singles(session, self.tasks)
        self.resampler = Resampler(session.experiment, session.workspace.trials)

    def measure(self, title: str, planned: Sequence[Planned], test: bool = True) -> list[Row]:
        """Train what is missing of some trees and hold them against the single-task models.

        Without ``test`` on validation only: they are not reported, or not yet.

        Raises
        ------
        ShortfallError
            If a model could not be trained with any seed.
        """
        experiment = self.session.experiment
        trials = [experiment.trials([p.tree], p.recipe, p.seeds) for p in planned]
        results = self.session.train(title, [trial for own in trials for trial in own], test)
        outcomes = [Outcome.of(results, own, reported=test) for own in trials]
        problems = [
            f"{each.tree.notation()}: {_why(outcome.reasons)}"
            for each, outcome in zip(planned, outcomes, strict=True)
            if not outcome.seeds
        ]
        if problems:
            raise ShortfallError("; ".join(problems))
        return [self._row(each, found) for each, found in zip(planned, outcomes, strict=True)]

    def independent(self) -> Row:
        """All single-task models side by side: the tree in which nothing is shared."""
        nothing_shared = self.session.experiment.flat(self.tasks, 0)
        return self._row(Planned("independent", nothing_shared, PLAIN), self.singles)

    def held_against(self, outcome: Outcome) -> dict[str, Any]:
        """Scores of a model and its AR against the single-task models, as fields of a `Row`."""
        splits = outcome.splits
        intervals = {s: self.resampler.interval(self.singles, outcome, s) for s in splits}
        bounds = {split: found for split, found in intervals.items() if found is not None}
        return {
            "scores": outcome.scores,
            "mean_scores": outcome.means,
            "ar_pct": {s: reduction(self.singles, outcome, s) for s in splits},
            "ar_low": {split: low for split, (low, _) in bounds.items()},
            "ar_high": {split: high for split, (_, high) in bounds.items()},
            "loss_pct": {
                split: {t: relative_loss(self.singles, outcome, split, t) for t in outcome.runs}
                for split in splits
            },
        }

    def _row(self, planned: Planned, outcome: Outcome) -> Row:
        row = trained_row(self.session.experiment, planned, outcome)
        return row.model_copy(update=self.held_against(outcome))


def trained_row(experiment: Experiment, planned: Planned, outcome: Outcome) -> Row:
    """A trained model as a row, without its AR."""
    recipe, costs = planned.recipe, experiment.costs_at(planned.recipe.width)
    return Row(
        name=planned.name,
        notation=planned.tree.notation(),
        params=costs.params(planned.tree),
        macs=costs.macs(planned.tree),
        epochs=(recipe.training or experiment.training).epochs,
        distilled=recipe.distilled,
        width=recipe.width,
        digests=outcome.digests,
        scores=outcome.scores,
        mean_scores=outcome.means,
        errors=outcome.reasons,
    )


def _why(errors: Sequence[str]) -> str:
    return errors[0] if errors else "not trained"
