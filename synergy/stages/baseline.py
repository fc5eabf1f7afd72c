"""Stage 1: a single-task model per task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from synergy.experiment import Recipe
from synergy.measuring.bench import Planned, train_singles, trained_row
from synergy.measuring.outcome import Outcome
from synergy.rows import Row, frame_of
from synergy.running.session import Session

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Baselines:
    """The score of each task alone, a row each; ``trained`` counts what this command ran."""

    outcome: Outcome
    rows: dict[str, Row]
    trained: int

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        told = {"params", "notation", "digests", "scores", "errors"}
        return {
            "tasks": {t: row.model_dump(mode="json", include=told) for t, row in self.rows.items()},
            "trained": self.trained,
        }

    def to_pandas(self) -> pandas.DataFrame:
        """A line for each task and split, see `synergy.rows.frame_of`."""
        return frame_of(self.rows.values())

    def __repr__(self) -> str:
        scores = {
            task: row.scores.get("valid", {}).get(task, ()) for task, row in self.rows.items()
        }
        told = [f"{task} {100 * fmean(found):.1f} %" for task, found in scores.items() if found]
        return f"<Baselines: {', '.join(told) or 'nothing measured'} on validation>"

    def _repr_html_(self) -> str:
        return self.to_pandas().to_html(index=False)


def baseline(session: Session, tasks: Sequence[str]) -> Baselines:
    """Train what is missing of the single-task models of ``tasks``, as `train_singles`."""
    experiment, before = session.experiment, session.trained
    outcome = train_singles(session, tasks)
    rows = {
        task: trained_row(
            experiment,
            Planned(task, experiment.alone(task), Recipe()),
            outcome.only([task], outcome.runs[task]),
        )
        for task in tasks
    }
    return Baselines(outcome, rows, session.trained - before)
