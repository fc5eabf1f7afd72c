"""Stage 1: a single-task model per task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synergy.errors import ShortfallError, TableError
from synergy.experiment import Experiment
from synergy.stages.outcome import Outcome, failed, outcome_of
from synergy.stages.sweep import Session, sweep, trials_of
from synergy.synthesis.ar_table import ARTable
from synergy.tree import SharingTree


@dataclass(frozen=True)
class Baselines:
    """The score of each task alone.

    Attributes
    ----------
    outcomes : dict of task to Outcome
    params : dict of task to int
    trained : int
        Trainings that this command ran.
    """

    outcomes: Mapping[str, Outcome]
    params: Mapping[str, int]
    trained: int

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "tasks": {
                task: {"params": self.params[task], **outcome.to_json()}
                for task, outcome in self.outcomes.items()
            },
            "trained": self.trained,
        }


def baseline(session: Session, tasks: Sequence[str]) -> Baselines:
    """Train what is missing of the single-task models of ``tasks``.

    Raises
    ------
    ShortfallError
        If a task has no single-task model because all its seeds failed.
    """
    experiment = session.experiment
    trees = {task: SharingTree.single(task, experiment.config.encoder.depth) for task in tasks}
    swept = sweep(session, "single-task models", trials_of(experiment, list(trees.values())))
    outcomes = {task: outcome_of(experiment, swept, tree) for task, tree in trees.items()}
    if problems := failed(list(outcomes.values())):
        raise ShortfallError("no single-task model to compare with: " + "; ".join(problems))
    params = {task: experiment.costs.params(tree) for task, tree in trees.items()}
    return Baselines(outcomes, params, swept.trained)


def check_tasks(experiment: Experiment, table: ARTable) -> None:
    """Refuse a table of other tasks.

    Raises
    ------
    TableError
        If the table has tasks that the experiment does not have.
    """
    if unknown := [task for task in table.tasks if task not in experiment.tasks]:
        raise TableError(
            f"the AR table has the tasks {', '.join(unknown)}, which the configuration lacks; "
            "use the configuration that the table was made with"
        )
