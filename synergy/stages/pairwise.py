"""Stage 2: pairs of tasks with shared blocks, as an AR table with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from synergy import limits
from synergy.errors import ConfigError
from synergy.losses.estimates import LossEstimate
from synergy.measuring.bench import Bench
from synergy.measuring.null_control import null_control
from synergy.measuring.pairs import PairTrainer
from synergy.notebooks import below_each_other
from synergy.null_file import NullFile
from synergy.running.session import Session
from synergy.stages.adaptive_sweep import adaptive_table
from synergy.stages.baseline import Baselines, baseline
from synergy.synthesis import ARTable, Question
from synergy.synthesis.sweeps import SWEEPS, SweepGoal, run_sweep
from synergy.wording import counted, short_list
from synergy.workspace import PairTable

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Pairs:
    """The AR table and where it comes from.

    Attributes
    ----------
    found : PairTable
        From the validation split; ``test_ar_pct`` of the cells is for reading only, and there
        only if it was asked for.
    losses : tuple of LossEstimate
        Signed losses, two for each cell; none where there are too many cells for them.
    null : NullFile, or None
        The null control; None where it could not be trained.
    notes : tuple of str
        What a reader of the table should know, one sentence each.
    trained : int
        Trainings that this command ran, baselines included.
    """

    found: PairTable
    losses: tuple[LossEstimate, ...]
    baselines: Baselines
    null: NullFile | None
    notes: tuple[str, ...]
    trained: int

    @property
    def table(self) -> ARTable:
        """The AR table itself."""
        return self.found.table

    def losses_to_pandas(self) -> pandas.DataFrame:
        """A line for each loss, with the fields of `LossEstimate`."""
        import pandas

        return pandas.DataFrame(list(self.losses), columns=list(LossEstimate._fields))

    def __repr__(self) -> str:
        return f"<Pairs: {self.table!r} in {self.found.file}; {self.baselines!r}>"

    def _repr_html_(self) -> str:
        return below_each_other(self.table._repr_html_(), self.baselines._repr_html_())

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "table": [asdict(cell) for cell in self.found.table.cells],
            "losses": [each._asdict() for each in self.losses],
            "baselines": self.baselines.to_json(),
            "null": self.null and _null_json(self.null),
            "notes": list(self.notes),
            "trained": self.trained,
        }


def check_pairable(tasks: Sequence[str], depths: Sequence[int]) -> None:
    """Refuse fewer than two tasks, or more cells than a table can have, with a ConfigError."""
    if len(tasks) < 2:
        raise ConfigError(
            f"expected at least two tasks to pair, found {', '.join(tasks) or 'none'}; "
            "name them with --tasks or add tasks to the configuration"
        )
    if (cells := math.comb(len(tasks), 2) * len(depths)) > limits.CELLS:
        raise ConfigError(
            f"expected at most {limits.CELLS:,} cells to sweep, found "
            f"{counted(len(tasks), 'task')} at {counted(len(depths), 'depth')}, "
            f"which have {cells:,}; leave some of them out"
        )


def pairwise(
    session: Session,
    tasks: Sequence[str],
    depths: Sequence[int],
    question: Question,
    sweep: str = "full",
    budget: int | None = None,
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
    sweep : str
        Key in ``SWEEPS``, or adaptive, which needs a ``confidence`` in the question.
    budget : int, optional
        Of the adaptive sweep, see `adaptive_table`.
    test : bool
        Measure pairs and null control on the test split, too. Nothing looks at it, but whoever
        reads these figures before the tree is chosen has looked.

    Raises
    ------
    ConfigError, ShortfallError
        As `check_pairable` and `baseline`.
    """
    check_pairable(tasks, depths)
    before, kind = session.trained, question.table_kind
    baselines = baseline(session, tasks)
    null = null_control(Bench(session, tasks, baselines.outcome), kind, test)
    trainer = PairTrainer(session, baselines.outcome, kind, test)
    depths = tuple(sorted(depths))
    if sweep == "adaptive":
        table, notes = adaptive_table(trainer, tasks, depths, question, budget)
    else:
        goal = SweepGoal(tuple(tasks), depths, question.max_ar)
        known = trainer.known(goal.cells())
        if done := sum(len(trainer.trials(cell.key)) for cell in known):
            session.progress.begin("pairs", done, done)
            session.progress.end()
        table, notes = run_sweep(SWEEPS[sweep], goal, trainer.train, known), ()
    found, losses = trainer.keep(table, question.max_ar)
    if null is not None:
        notes = (*null.notes(question.max_ar), *notes)
    if losses and session.experiment.config.decide_by == "log_loss":
        notes = (*notes, _decided_by(losses))
    if test:
        notes = (*notes, "the pairs were measured on test, too: it is no longer unseen")
    return Pairs(found, losses, baselines, null, notes, session.trained - before)


def _decided_by(losses: Sequence[LossEstimate]) -> str:
    """Of which tasks losses are smooth."""
    of = {
        by: list(dict.fromkeys(e.task for e in losses if e.by == by))
        for by in ("log_loss", "score")
    }
    told = {
        "log_loss": "taken of log-losses in units of the score",
        "score": "taken of the score, which their log-losses do not tell",
    }
    said = [f"those of {short_list(tasks)} are {told[by]}" for by, tasks in of.items() if tasks]
    return f"losses, intervals and probabilities: {'; '.join(said)}; AR itself is of the score"


def _null_json(null: NullFile) -> dict[str, Any]:
    """The null control on validation."""
    row = null.row
    told = {name: getattr(row, name).get("valid") for name in ("ar_pct", "ar_low", "ar_high")}
    return {**told, "losses": {task: loss.model_dump() for task, loss in null.losses.items()}}
