"""Every cell of the table."""

from __future__ import annotations

from synergy.synthesis.cells import CellKey
from synergy.synthesis.sweeps.base import Known, Sweep, SweepGoal


class FullSweep(Sweep):
    """Trains all cells, in one go; the table then serves every threshold and every solver."""

    name = "full"

    def wanted(self, goal: SweepGoal, known: Known, batch: int = 1) -> tuple[CellKey, ...]:
        """All cells that are not known."""
        return tuple(key for key in goal.cells() if key not in known)

    def skip_reason(self, goal: SweepGoal, known: Known, key: CellKey) -> str:
        """Nothing is skipped."""
        raise ValueError(f"expected no skipped cell in a full sweep, found {key}")

    def bounds(self, goal: SweepGoal, known: Known) -> tuple[int, int]:
        """The number of cells that are not known, twice."""
        count = len(self.wanted(goal, known))
        return count, count
