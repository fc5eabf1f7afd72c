"""The null control of an AR table as a workspace keeps it; see `synergy.measuring.null_control`."""

from __future__ import annotations

from typing import ClassVar

from synergy.files import Artefact
from synergy.names import TaskName
from synergy.records import Tasks
from synergy.rows import Row, TaskLoss
from synergy.wording import counted, message


class NullFile(Artefact):
    """``null.json``, ``null_distilled.json``: the tree that shares nothing, trained jointly."""

    MADE_BY: ClassVar[str] = "synergy pairwise"

    tasks: Tasks
    row: Row
    losses: dict[TaskName, TaskLoss]

    def notes(self, max_ar: float | None) -> tuple[str, ...]:
        """What a reader of the table should know of it, a sentence each."""
        row = self.row
        ar, low, high = (each.get("valid", 0.0) for each in (row.ar_pct, row.ar_low, row.ar_high))
        bounds = f" [{low:.1f}, {high:.1f}]" if row.ar_high else ""
        notes = [
            "null control (all tasks trained together, nothing shared, "
            f"{counted(row.seeds, 'seed')}): AR {ar:.1f} %{bounds}; no lower AR of "
            "the table means anything"
        ]
        if max_ar is not None and max_ar < ar:
            notes.append(
                f"the threshold of {max_ar:g} % lies below the AR of the null control: what keeps "
                "it cannot be told from chance; raise it, or train more seeds with --seeds"
            )
        for task, loss in self.losses.items():
            if loss.low is not None and loss.high is not None and not loss.low <= 0 <= loss.high:
                notes.append(
                    message(
                        f"the null control {'loses' if loss.loss_pct > 0 else 'gains'} "
                        f"{abs(loss.loss_pct):.1f} % of {task} [{loss.low:.1f}, {loss.high:.1f}], "
                        "though it shares nothing"
                    )
                )
        return tuple(notes)
