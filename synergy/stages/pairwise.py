"""Stage 2: pairs of tasks with shared blocks, as an AR table with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from synergy.errors import ConfigError, WorkspaceError
from synergy.measuring.bench import Bench
from synergy.measuring.null_control import null_control
from synergy.measuring.pairs import PairTrainer
from synergy.null_file import NullFile
from synergy.running.session import Session
from synergy.stages.baseline import Baselines, baseline
from synergy.stages.search import check_tasks
from synergy.synthesis import ARTable, Question
from synergy.synthesis.stability import refine_next, stability
from synergy.synthesis.sweeps import SWEEPS, SweepGoal, run_sweep
from synergy.workspace import PairTable


@dataclass(frozen=True)
class Pairs:
    """The AR table and where it comes from.

    Attributes
    ----------
    found : PairTable
        From the validation split; ``test_ar_pct`` of the cells is for reading only, and there
        only if it was asked for.
    null : NullFile, or None
        The null control; None where it could not be trained.
    refined : tuple of str
        What refinements did, one clause each.
    notes : tuple of str
        What the sweep assumes, and what was seen against it.
    trained : int
        Trainings that this command ran, baselines included.
    """

    found: PairTable
    baselines: Baselines
    null: NullFile | None
    refined: tuple[str, ...]
    notes: tuple[str, ...]
    trained: int

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "table": [asdict(cell) for cell in self.found.table.cells],
            "baselines": self.baselines.to_json(),
            "null": self.null and _null_json(self.null),
            "refined": list(self.refined),
            "notes": list(self.notes),
            "trained": self.trained,
        }


def check_pairable(tasks: Sequence[str]) -> None:
    """Refuse fewer than two tasks with a ConfigError."""
    if len(tasks) < 2:
        raise ConfigError(
            f"expected at least two tasks to pair, found {', '.join(tasks) or 'none'}; "
            "name them with --tasks or add tasks to the configuration"
        )


def pairwise(
    session: Session,
    tasks: Sequence[str],
    depths: Sequence[int],
    question: Question,
    sweep: str | None = None,
    refine: int = 0,
    test: bool = False,
) -> Pairs:
    """Train what is missing of baselines and pairs, and write the table and what it rests on.

    Parameters
    ----------
    tasks : sequence of str
        At least two.
    depths : sequence of int
        Shared depths, 1..D.
    question : Question
        What the table is for; with ``distilled``, pairs have the single-task models as teachers
        and make a table of their own.
    sweep : str, optional
        Key in ``SWEEPS``. Without it all cells are trained, unless a table is refined: then those
        that it has, and what it skipped stays skipped.
    refine : int
        Further trainings on the cells that leave the tree most uncertain.
    test : bool
        Measure pairs and null control on the test split, too. Nothing looks at it, but whoever
        reads these figures before the tree is chosen has looked.

    Raises
    ------
    ConfigError, ShortfallError
        As `check_pairable` and `baseline`.
    WorkspaceError, TableError
        If a table is to be refined that is not there, is damaged or has other tasks.
    """
    check_pairable(tasks)
    experiment, before = session.experiment, session.trained
    kind = question.table_kind
    files = session.workspace.table_files(kind)
    if refine and not files.table.is_file():
        raise WorkspaceError(
            f"expected an AR table to refine in {files.table}, found none; "
            "run the same command without --refine first"
        )
    given = files.read().table if refine and sweep is None else None
    if given is not None:
        check_tasks(given, experiment.tasks)
    baselines = baseline(session, tasks if given is None else given.tasks)
    null = null_control(Bench(session, [*baselines.rows]), kind, test)
    trainer = PairTrainer(session, baselines.outcome, kind, test)
    notes: tuple[str, ...] = ()
    if given is None:
        goal = SweepGoal(tuple(tasks), tuple(sorted(depths)), question, experiment.costs)
        strategy = SWEEPS[sweep or "full"]
        known = trainer.known(goal.cells())
        if done := sum(len(trainer.trials(cell.key)) for cell in known):
            session.progress.begin("pairs", done, done)
            session.progress.end()
        batch = max(1, -(-session.executor.workers // experiment.config.seeds))
        table = run_sweep(strategy, goal, trainer.train, known, batch)
        notes = strategy.notes(goal, table)
    else:
        skipped = [cell for cell in given.cells if cell.status == "skipped"]
        wanted = [cell.key for cell in given.cells if cell not in skipped]
        table = ARTable.from_cells([*trainer.train(wanted), *skipped])
    found = trainer.keep(table)
    refined: list[str] = []
    for _ in range(refine):
        assert found.samples is not None
        key = refine_next(stability(question, found.samples, experiment.costs))
        if key is None:
            refined.append("no cell is left whose outcome is uncertain and can change the tree")
            break
        cell, earlier = trainer.refine(key), found.table.cell(*key)
        found = trainer.keep(found.table, cell)
        gained = (
            f"AR {_shown(earlier.ar_pct)} -> {_shown(cell.ar_pct)} with {cell.seeds} seeds"
            if cell.seeds > earlier.seeds
            else f"a training failed, so the cell keeps its {earlier.seeds} seeds"
        )
        refined.append(f"{cell.label}, seed {trainer.seeds(key)[-1]}: {gained}")
        session.progress.note(refined[-1])
    if null is not None:
        notes = (*null.notes(question.max_ar), *notes)
    if test:
        notes = (*notes, "the pairs were measured on test, too: it is no longer unseen")
    return Pairs(found, baselines, null, tuple(refined), notes, session.trained - before)


def _null_json(null: NullFile) -> dict[str, Any]:
    """The null control on validation."""
    row = null.row
    told = {name: getattr(row, name).get("valid") for name in ("ar_pct", "ar_low", "ar_high")}
    return {**told, "losses": {task: loss.model_dump() for task, loss in null.losses.items()}}


def _shown(ar_pct: float | None) -> str:
    return "none" if ar_pct is None else f"{ar_pct:.1f} %"
