"""Each pair from the deepest cell up, until one passes."""

from __future__ import annotations

from collections.abc import Iterator

from synergy.synthesis.cells import CellKey
from synergy.synthesis.sweeps.base import Known, Sweep, SweepGoal


class ScanSweep(Sweep):
    """Finds the weight of every pair by its definition, the largest depth that passes.

    Cells below the first that passes cannot change a weight, so the task graph is the full
    sweep's without any assumption. What is skipped are cells that only the predicted AR, the
    choice between trees of equal cost, or strict solving would read.
    """

    name = "scan"

    def wanted(self, goal: SweepGoal, known: Known, batch: int = 1) -> tuple[CellKey, ...]:
        """The next cell of every unfinished pair; all of them are needed in any case."""
        unknown = (next(_unsettled(goal, known, a, b), None) for a, b in goal.pairs())
        return tuple(key for key in unknown if key is not None)

    def skip_reason(self, goal: SweepGoal, known: Known, key: CellKey) -> str:
        """Names the deeper cell that passed."""
        a, b, _ = key
        max_ar = goal.question.max_ar
        passed = max(d for d in goal.depths if (c := known.get((a, b, d))) and c.passes(max_ar))
        return f"not needed: the pair passes {max_ar:g} % with {passed} shared blocks"

    def bounds(self, goal: SweepGoal, known: Known) -> tuple[int, int]:
        """One cell of every unfinished pair at least, all cells above its known pass at most."""
        remaining = [len(tuple(_unsettled(goal, known, a, b))) for a, b in goal.pairs()]
        return sum(count > 0 for count in remaining), sum(remaining)


def _unsettled(goal: SweepGoal, known: Known, a: str, b: str) -> Iterator[CellKey]:
    """The unknown cells of a pair above its deepest known pass, from the deepest up."""
    for depth in reversed(goal.depths):
        cell = known.get((a, b, depth))
        if cell is None:
            yield a, b, depth
        elif cell.passes(goal.question.max_ar):
            return
