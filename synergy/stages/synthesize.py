"""Stage 3: AR table -> task graph -> sharing tree -> trained network -> exported model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synergy.errors import ShortfallError, TableError, WorkspaceError
from synergy.experiment import Experiment
from synergy.stages.baseline import Baselines, baseline
from synergy.stages.outcome import REPORTED, Outcome, failed, outcome_of, reduction
from synergy.stages.sweep import Session, sweep, trials_of
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.synthesize import Solver, Synthesis, synthesize
from synergy.training.config import TrainingConfig
from synergy.tree import SharingTree
from synergy.workspace import Workspace


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
    epochs : int
        Length of its training.
    """

    name: str
    outcome: Outcome
    params: int
    macs: int
    ar_pct: Mapping[str, float]
    epochs: int

    def to_json(self) -> dict[str, Any]:
        """The row as JSON values, scores averaged over the seeds."""
        return {
            "name": self.name,
            "params": self.params,
            "macs": self.macs,
            "epochs": self.epochs,
            "ar_pct": dict(self.ar_pct),
            "mean_scores": {split: self.outcome.means(split) for split in REPORTED},
            **self.outcome.to_json(),
        }


@dataclass(frozen=True)
class Final:
    """The trained tree beside what it is compared with.

    Attributes
    ----------
    rows : tuple of Row
        Independent models, a flat model of at least the tree's size, the tree; then the tree
        with a longer training, where one was asked for.
    trained : int
        Trainings that this command ran.
    """

    rows: tuple[Row, ...]
    trained: int

    @property
    def chosen(self) -> Row:
        """The row that is exported: the tree, with the longer training if there is one."""
        return self.rows[-1]

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {"rows": [row.to_json() for row in self.rows], "trained": self.trained}


def read_table(workspace: Workspace | Path) -> ARTable:
    """The AR table of a workspace, or of a folder that may become one.

    Raises
    ------
    WorkspaceError
        If there is none yet; names the command that makes it.
    """
    folder = workspace if isinstance(workspace, Path) else workspace.folder
    file = folder / "ar_table.csv"
    if not file.is_file():
        raise WorkspaceError(
            f"expected an AR table in {file}, found none; "
            f"run `synergy pairwise --workspace {folder}` first"
        )
    return ARTable.from_csv(file)


def find_tree(
    experiment: Experiment, table: ARTable, max_ar: float, solver: Solver = "recursive"
) -> Synthesis:
    """The sharing tree of ``table`` under the experiment's encoder.

    Raises
    ------
    TableError
        If the table has tasks that the experiment does not have.
    """
    unknown = [task for task in table.tasks if task not in experiment.tasks]
    if unknown:
        raise TableError(
            f"the AR table has the tasks {', '.join(unknown)}, which the configuration lacks; "
            "use the configuration that the table was made with"
        )
    costs = experiment.costs.block_params
    return synthesize(table, max_ar, costs, experiment.config.encoder.depth, solver)


def flat_of_size(experiment: Experiment, tree: SharingTree) -> SharingTree:
    """The flat model with the fewest parameters that are not fewer than the tree's."""
    tasks, depth = tree.tasks, experiment.config.encoder.depth
    flats = [SharingTree.flat(tasks, shared, depth) for shared in range(depth + 1)]
    least = experiment.costs.params(tree)
    enough = [flat for flat in flats if experiment.costs.params(flat) >= least]
    return min(enough, key=experiment.costs.params)


def train_tree(session: Session, tree: SharingTree, final_epochs: int | None = None) -> Final:
    """Train the tree and what it is compared with under the same budget, and measure them.

    Parameters
    ----------
    session : Session
    tree : SharingTree
    final_epochs : int, optional
        Train the tree once more for this many epochs, shown as a row of its own.

    Raises
    ------
    ShortfallError
        If a model could not be trained with any seed.
    """
    experiment = session.experiment
    order = [task for task in experiment.tasks if task in tree.tasks]
    baselines = baseline(session, order)
    flat = flat_of_size(experiment, tree)
    planned: list[tuple[str, SharingTree, TrainingConfig | None]] = [
        ("flat", flat, None),
        ("tree", tree, None),
    ]
    if final_epochs is not None:
        longer = experiment.config.training.model_copy(update={"epochs": final_epochs})
        planned.append((f"tree, {final_epochs} epochs", tree, longer))
    trials = [t for _, shape, training in planned for t in trials_of(experiment, [shape], training)]
    swept = sweep(session, "the tree and the flat model", trials)
    outcomes = [outcome_of(experiment, swept, shape, training) for _, shape, training in planned]
    if problems := failed(outcomes):
        raise ShortfallError("; ".join(problems))
    rows = [_independent(experiment, baselines, order)]
    for (name, shape, training), outcome in zip(planned, outcomes, strict=True):
        rows.append(
            Row(
                name=name,
                outcome=outcome,
                params=experiment.costs.params(shape),
                macs=experiment.costs.macs(shape),
                ar_pct={s: reduction(baselines.outcomes, outcome, s) for s in REPORTED},
                epochs=(training or experiment.config.training).epochs,
            )
        )
    return Final(tuple(rows), baselines.trained + swept.trained)


def _independent(experiment: Experiment, baselines: Baselines, tasks: list[str]) -> Row:
    """All single-task models side by side: the tree in which nothing is shared."""
    tree = SharingTree.flat(tasks, 0, experiment.config.encoder.depth)
    singles = [baselines.outcomes[task] for task in tasks]
    scores = {
        split: {t: o.scores[split][t] for t, o in zip(tasks, singles, strict=True)}
        for split in REPORTED
    }
    digests = tuple(digest for single in singles for digest in single.digests)
    errors = tuple(error for single in singles for error in single.errors)
    return Row(
        name="independent",
        outcome=Outcome(tree, digests, scores, errors),
        params=experiment.costs.params(tree),
        macs=experiment.costs.macs(tree),
        ar_pct=dict.fromkeys(REPORTED, 0.0),
        epochs=experiment.config.training.epochs,
    )
