"""Trained trees held against the single-task models: one row each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synergy.costs import Costs
from synergy.errors import ShortfallError
from synergy.experiment import PLAIN, Recipe
from synergy.stages.baseline import Baselines, baseline
from synergy.stages.outcome import Outcome, failed, interval, outcome_of, reduction
from synergy.stages.resampling import Resampler
from synergy.stages.sweep import Session, sweep, trials_of
from synergy.tree import SharingTree
from synergy.wording import REPORTED


@dataclass(frozen=True)
class Row:
    """One line of the final table.

    Attributes
    ----------
    name : str
        What kind of model it is.
    outcome : Outcome
    params, macs : int
        Trainable parameters; multiply-accumulates of one second of audio for all tasks.
    ar_pct : dict of split to float
    ar_interval : dict of split to (float, float)
        Bootstrap interval of the AR, see `synergy.stages.resampling`.
    epochs : int
        Length of its training.
    distilled : bool
        Whether it learned from the single-task models too.
    width : float
        How wide its encoder is, as a multiple of the configured one.
    """

    name: str
    outcome: Outcome
    params: int
    macs: int
    ar_pct: Mapping[str, float]
    ar_interval: Mapping[str, tuple[float, float]]
    epochs: int
    distilled: bool = False
    width: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """The row as JSON values, scores averaged over the seeds."""
        return {
            "name": self.name,
            "params": self.params,
            "macs": self.macs,
            "epochs": self.epochs,
            "distilled": self.distilled,
            "width": self.width,
            "ar_pct": dict(self.ar_pct),
            "ar_low": {split: low for split, (low, _) in self.ar_interval.items()},
            "ar_high": {split: high for split, (_, high) in self.ar_interval.items()},
            "mean_scores": {split: self.outcome.means(split) for split in REPORTED},
            **self.outcome.to_json(),
        }


@dataclass(frozen=True)
class Variant:
    """One way of training a tree."""

    name: str
    recipe: Recipe = PLAIN


@dataclass(frozen=True)
class Bench:
    """Where trees are measured: a session and the single-task models that all are held against.

    Attributes
    ----------
    session : Session
    baselines : Baselines
    resampler : Resampler
    """

    session: Session
    baselines: Baselines
    resampler: Resampler

    @classmethod
    def of(cls, session: Session, tasks: Sequence[str]) -> Bench:
        """Train what is missing of the single-task models of ``tasks``."""
        order = [task for task in session.experiment.tasks if task in tasks]
        resampler = Resampler(session.experiment, session.workspace.trials)
        return cls(session, baseline(session, order), resampler)

    def measure(
        self, title: str, planned: Sequence[tuple[SharingTree, Variant]]
    ) -> tuple[list[Row], int]:
        """Train what is missing of some trees and hold them against the single-task models.

        Returns
        -------
        (list of Row, int)
            Rows in the given order, and how many trainings ran.

        Raises
        ------
        ShortfallError
            If a model could not be trained with any seed.
        """
        experiment = self.session.experiment
        trials = [
            trial
            for tree, variant in planned
            for trial in trials_of(experiment, [tree], variant.recipe)
        ]
        swept = sweep(self.session, title, trials)
        outcomes = [
            outcome_of(experiment, swept, tree, variant.recipe) for tree, variant in planned
        ]
        if problems := failed(outcomes):
            raise ShortfallError("; ".join(problems))
        singles = self.baselines.outcomes
        rows: list[Row] = []
        for (tree, variant), outcome in zip(planned, outcomes, strict=True):
            recipe = variant.recipe
            costs = experiment.costs_at(recipe.width)
            row = Row(
                name=variant.name,
                outcome=outcome,
                params=costs.params(tree),
                macs=costs.macs(tree),
                ar_pct={s: reduction(singles, outcome, s) for s in REPORTED},
                ar_interval={s: interval(self.resampler, singles, outcome, s) for s in REPORTED},
                epochs=(recipe.training or experiment.config.training).epochs,
                distilled=recipe.distilled,
                width=recipe.width,
            )
            rows.append(row)
        return rows, swept.trained

    def independent(self) -> Row:
        """All single-task models side by side: the tree in which nothing is shared."""
        experiment, singles = self.session.experiment, self.baselines.outcomes
        tree = SharingTree.flat(list(singles), 0, experiment.config.encoder.depth)
        scores = {s: {t: o.scores[s][t] for t, o in singles.items()} for s in REPORTED}
        return Row(
            name="independent",
            outcome=Outcome(
                tree,
                tuple(digest for single in singles.values() for digest in single.digests),
                scores,
                tuple(error for single in singles.values() for error in single.errors),
            ),
            params=experiment.costs.params(tree),
            macs=experiment.costs.macs(tree),
            ar_pct=dict.fromkeys(REPORTED, 0.0),
            ar_interval=dict.fromkeys(REPORTED, (0.0, 0.0)),
            epochs=experiment.config.training.epochs,
        )


def flat_of_size(costs: Costs, tree: SharingTree) -> SharingTree:
    """The flat model with the fewest parameters that are not fewer than the tree's."""
    flats = [SharingTree.flat(tree.tasks, shared, tree.depth) for shared in range(tree.depth + 1)]
    least = costs.params(tree)
    return min((flat for flat in flats if costs.params(flat) >= least), key=costs.params)
