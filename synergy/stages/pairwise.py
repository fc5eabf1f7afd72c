"""Stage 2: every pair of tasks at every swept depth, as an AR table."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from synergy.errors import ConfigError
from synergy.experiment import Experiment
from synergy.stages.baseline import Baselines, baseline
from synergy.stages.outcome import Outcome, outcome_of, reduction
from synergy.stages.sweep import Session, sweep, trials_of
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.cells import Cell
from synergy.tree import SharingTree


@dataclass(frozen=True)
class Pairs:
    """The AR table and where it comes from.

    Attributes
    ----------
    table : ARTable
        From the validation split; ``test_ar_pct`` of the cells is for reading only.
    baselines : Baselines
    trained : int
        Trainings that this command ran, baselines included.
    """

    table: ARTable
    baselines: Baselines
    trained: int

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "table": [
                {
                    "task_a": cell.task_a,
                    "task_b": cell.task_b,
                    "shared_depth": cell.shared_depth,
                    "ar_pct": cell.ar_pct,
                    "test_ar_pct": cell.test_ar_pct,
                    "status": cell.status,
                }
                for cell in self.table.cells
            ],
            "baselines": self.baselines.to_json(),
            "trained": self.trained,
        }


def check_pairable(tasks: Sequence[str]) -> None:
    """Refuse fewer than two tasks.

    Raises
    ------
    ConfigError
    """
    if len(tasks) < 2:
        raise ConfigError(
            f"expected at least two tasks to pair, found {', '.join(tasks) or 'none'}; "
            "name them with --tasks or add tasks to the configuration"
        )


def pairwise(session: Session, tasks: Sequence[str], depths: Sequence[int]) -> Pairs:
    """Train what is missing of baselines and pairs, and write ``ar_table.csv``.

    Raises
    ------
    ConfigError
        If there are fewer than two tasks.
    ShortfallError
        If a task has no single-task model.
    """
    check_pairable(tasks)
    experiment = session.experiment
    baselines = baseline(session, tasks)
    trees = {
        (a, b, depth): SharingTree.flat([a, b], depth, experiment.config.encoder.depth)
        for a, b in itertools.combinations(tasks, 2)
        for depth in depths
    }
    swept = sweep(session, "pairs", trials_of(experiment, list(trees.values())))
    cells = [
        _cell(experiment, baselines, key, outcome_of(experiment, swept, tree))
        for key, tree in trees.items()
    ]
    table = ARTable(tuple(tasks), tuple(sorted(depths)), tuple(cells))
    table.to_csv(session.workspace.ar_table)
    return Pairs(table, baselines, baselines.trained + swept.trained)


def _cell(
    experiment: Experiment, baselines: Baselines, key: tuple[str, str, int], pair: Outcome
) -> Cell:
    task_a, task_b, depth = key
    singles = {task: baselines.outcomes[task] for task in (task_a, task_b)}
    if pair.seeds < experiment.config.seeds:
        # an AR of fewer seeds than the others have would pass for one that can be compared
        reason = pair.errors[0] if pair.errors else "not trained"
        return Cell(task_a, task_b, depth, None, "failed", reason=reason, seeds=pair.seeds)
    return Cell(
        task_a,
        task_b,
        depth,
        reduction(singles, pair, "valid"),
        "measured",
        seeds=pair.seeds,
        single_a=singles[task_a].mean("valid", task_a),
        single_b=singles[task_b].mean("valid", task_b),
        multi_a=pair.mean("valid", task_a),
        multi_b=pair.mean("valid", task_b),
        test_ar_pct=reduction(singles, pair, "test"),
    )
