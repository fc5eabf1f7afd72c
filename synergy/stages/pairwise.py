"""Stage 2: pairs of tasks with shared blocks, as an AR table with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from synergy.errors import ConfigError, WorkspaceError
from synergy.stages.baseline import Baselines, baseline, check_tasks
from synergy.stages.cells import CellTrainer
from synergy.stages.sweep import Session
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.question import Question
from synergy.synthesis.resampling import TableSamples
from synergy.synthesis.stability import refine_next, stability
from synergy.synthesis.sweeps import SWEEPS, SweepGoal, run_sweep


@dataclass(frozen=True)
class PairPlan:
    """Which cells are trained, and how.

    Attributes
    ----------
    sweep : str, optional
        Key in ``SWEEPS``. Without it all cells are trained, unless a table is refined: then those
        that it has, and what it skipped stays skipped.
    refine : int
        Further trainings on the cells that leave the tree most uncertain.
    distilled : bool
        Train pairs with the single-task models as teachers; they make a table of their own.
    """

    sweep: str | None = None
    refine: int = 0
    distilled: bool = False


@dataclass(frozen=True)
class Pairs:
    """The AR table and where it comes from.

    Attributes
    ----------
    table : ARTable
        From the validation split; ``test_ar_pct`` of the cells is for reading only.
    samples : TableSamples
        Bootstrap tables over seeds and speakers.
    baselines : Baselines
    refined : tuple of str
        What refinements did, one clause each.
    notes : tuple of str
        What the sweep assumes, and what was seen against it.
    trained : int
        Trainings that this command ran, baselines included.
    """

    table: ARTable
    samples: TableSamples
    baselines: Baselines
    refined: tuple[str, ...]
    notes: tuple[str, ...]
    trained: int

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "table": [asdict(cell) for cell in self.table.cells],
            "baselines": self.baselines.to_json(),
            "refined": list(self.refined),
            "notes": list(self.notes),
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


def pairwise(
    session: Session, tasks: Sequence[str], depths: Sequence[int], plan: PairPlan | None = None
) -> Pairs:
    """Train what is missing of baselines and pairs, and write the table and its samples.

    Raises
    ------
    ConfigError
        If there are fewer than two tasks.
    WorkspaceError
        If a table is to be refined that is not there.
    TableError
        If that table is damaged, or has tasks that the experiment does not have.
    ShortfallError
        If a task has no single-task model.
    """
    plan = plan or PairPlan()
    check_pairable(tasks)
    experiment, workspace = session.experiment, session.workspace
    file, _ = workspace.table_files(plan.distilled)
    if plan.refine and not file.is_file():
        raise WorkspaceError(
            f"expected an AR table to refine in {file}, found none; "
            "run the same command without --refine first"
        )
    given = ARTable.from_csv(file) if plan.refine and plan.sweep is None else None
    if given is not None:
        check_tasks(experiment, given)
        tasks, depths = given.tasks, given.depths
    baselines = baseline(session, tasks)
    trainer = CellTrainer(session, baselines, plan.distilled)
    goal = SweepGoal(
        tasks=tuple(tasks),
        depths=tuple(sorted(depths)),
        question=Question(experiment.config.max_ar),
        costs=experiment.costs,
    )
    if given is None:
        strategy = SWEEPS[plan.sweep or "full"]
        batch = max(1, -(-session.workers // experiment.config.seeds))
        known = trainer.known(goal.cells())
        if done := sum(len(trainer.trials(cell.key)) for cell in known):
            session.progress.begin("pairs", done, done)
            session.progress.end()
        table = run_sweep(strategy, goal, trainer.train, known, batch)
        notes = strategy.notes(goal, table)
    else:
        wanted = [cell.key for cell in given.cells if cell.status != "skipped"]
        skipped = [cell for cell in given.cells if cell.status == "skipped"]
        table = ARTable.from_cells([*trainer.train(wanted), *skipped])
        notes = ()
    table, samples = trainer.keep(table)
    refined: list[str] = []
    for _ in range(plan.refine):
        key = refine_next(stability(goal.question, samples, goal.costs))
        if key is None:
            refined.append("no cell is left whose outcome is uncertain and can change the tree")
            break
        cell = trainer.refine(key)
        before = table.cell(*key)
        table, samples = trainer.keep(table, cell)
        gained = (
            f"AR {_shown(before.ar_pct)} -> {_shown(cell.ar_pct)} with {cell.seeds} seeds"
            if cell.seeds > before.seeds
            else f"a training failed, so the cell keeps its {before.seeds} seeds"
        )
        refined.append(f"{cell.label}, seed {trainer.seeds(key)[-1]}: {gained}")
        session.progress.note(refined[-1])
    return Pairs(
        table=table,
        samples=samples,
        baselines=baselines,
        refined=tuple(refined),
        notes=notes,
        trained=baselines.trained + trainer.trained,
    )


def _shown(ar_pct: float | None) -> str:
    return "none" if ar_pct is None else f"{ar_pct:.1f} %"
