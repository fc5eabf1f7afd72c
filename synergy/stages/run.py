"""All three stages in one go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synergy.notebooks import below_each_other
from synergy.running.session import Session
from synergy.stages.pairwise import Pairs, pairwise
from synergy.stages.synthesize import Delivery, synthesize
from synergy.synthesis import Question


@dataclass(frozen=True)
class Run:
    """What stages 2 and 3 found; the baselines are with the pairs."""

    workspace: Path
    pairs: Pairs
    delivery: Delivery

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        told = {"pairwise": self.pairs.to_json(), "synthesize": self.delivery.to_json()}
        return {"workspace": str(self.workspace), **told}

    def __repr__(self) -> str:
        return f"<Run: {self.pairs!r}; {self.delivery!r}>"

    def _repr_html_(self) -> str:
        return below_each_other(self.pairs._repr_html_(), self.delivery._repr_html_())


def run(
    session: Session,
    tasks: Sequence[str],
    question: Question,
    sweep: str = "full",
    budget: int | None = None,
    paired: Callable[[Pairs], None] | None = None,
) -> Run:
    """Train pairs at the configured depths and the tree of their table; as the stages do.

    ``paired`` is called with the pairs, long before the tree is trained.
    """
    depths = session.experiment.config.depths
    pairs = pairwise(session, tasks, depths, question, sweep, budget)
    if paired is not None:
        paired(pairs)
    return Run(session.workspace.folder, pairs, synthesize(session, pairs.found, question))
