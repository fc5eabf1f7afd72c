"""What comparisons are given to decide with: the field, over a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synergy.comparisons import Field, Probe, Probed
from synergy.errors import ShortfallError
from synergy.stages.baseline import Baselines
from synergy.stages.probes import measure_probes
from synergy.stages.sweep import Session, sweep
from synergy.synthesis.ar_table import ARTable
from synergy.tree import SharingTree
from synergy.trials.trial import Trial


class SessionField:
    """The field of a session, and a count of what was trained for decisions.

    Parameters
    ----------
    session : Session
    baselines : Baselines
        Of all tasks of the table.
    table : ARTable
    tree : SharingTree
        The synthesised tree.

    Attributes
    ----------
    field : Field
    trained : int
        Trainings so far.
    """

    def __init__(
        self, session: Session, baselines: Baselines, table: ARTable, tree: SharingTree
    ) -> None:
        experiment = session.experiment
        seeds = experiment.config.all_seeds
        self.session = session
        self.trained = 0
        self.field = Field(
            experiment=experiment,
            tasks=tuple(task for task in experiment.tasks if task in table.tasks),
            table=table,
            tree=tree,
            baselines={
                task: tuple(experiment.trial(outcome.tree, seed) for seed in seeds)
                for task, outcome in baselines.outcomes.items()
            },
            pairs=_pairs(session, table),
            store=session.workspace.trials,
            train=self._train,
            measure=self._measure,
        )

    def _train(self, title: str, trials: Sequence[Trial]) -> Mapping[str, Mapping[str, Any]]:
        swept = sweep(self.session, title, trials)
        self.trained += swept.trained
        if swept.errors:
            raise ShortfallError(f"{title}: {'; '.join(dict.fromkeys(swept.errors.values()))}")
        return swept.results

    def _measure(self, title: str, probes: Sequence[Probe]) -> Sequence[Probed]:
        return measure_probes(self.session, title, probes)


def _pairs(session: Session, table: ARTable) -> dict[tuple[str, str, int], tuple[Trial, ...]]:
    """The trials behind each cell; a table of another origin has none here."""
    experiment, store = session.experiment, session.workspace.trials
    pairs: dict[tuple[str, str, int], tuple[Trial, ...]] = {}
    for cell in table.cells:
        tree = SharingTree.flat(
            [cell.task_a, cell.task_b], cell.shared_depth, experiment.config.encoder.depth
        )
        first = experiment.config.seed
        trials = [experiment.trial(tree, seed) for seed in range(first, first + cell.seeds)]
        if done := tuple(trial for trial in trials if store.is_done(trial.digest)):
            pairs[cell.key] = done
    return pairs
