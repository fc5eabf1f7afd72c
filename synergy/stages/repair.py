"""Repair of a tree that misses the threshold: which pair shares less, and what that asks for."""

from __future__ import annotations

from pathlib import Path

from synergy.stages.cells import CellTrainer
from synergy.stages.measure import Bench, Row
from synergy.synthesis.ar_table import ARTable
from synergy.tree import SharingTree

Lowered = tuple[str, str, int]
"""A pair, and how many blocks it may still share."""


class Repair:
    """Caps on pairs, and the table under them.

    Parameters
    ----------
    bench : Bench
    table : ARTable
    source : Path
        Where the table comes from. What a sweep skipped is measured when a cap asks for it, if
        this is a table of the workspace; the file is then brought up to date.

    Attributes
    ----------
    table : ARTable
        With the cells that were measured since.
    caps : dict of pair to int
        Largest depth of pairs, whatever the table says.
    """

    def __init__(self, bench: Bench, table: ARTable, source: Path) -> None:
        self.table = table
        self.caps: dict[frozenset[str], int] = {}
        self._bench = bench
        self._cells: CellTrainer | None = None
        for distilled in (False, True):
            own, _ = bench.session.workspace.table_files(distilled)
            if own.is_file() and source.is_file() and source.samefile(own):
                self._cells = CellTrainer(bench.session, bench.baselines, distilled)

    @property
    def trained(self) -> int:
        """Trainings for cells so far."""
        return 0 if self._cells is None else self._cells.trained

    def lower(self, tree: SharingTree, row: Row) -> Lowered | None:
        """Cap the pair that binds the worst task of a trained tree one swept depth lower.

        Of the pairs that the worst task shares blocks in, the one with the highest AR at the
        depth in use binds; where the table does not tell, the one that shares the most. None
        when the worst task shares nothing.
        """
        singles = self._bench.baselines.outcomes
        ours = row.outcome.means("valid")

        def lost(task: str) -> float:
            single = singles[task].mean("valid", task)
            return (single - ours[task]) / (single or 1.0)

        worst = max(tree.tasks, key=lost)
        bound: list[tuple[float, int, str]] = []
        for other in self.table.tasks:
            depth = tree.shared_depth(worst, other) if other != worst else 0
            if depth:
                swept = depth in self.table.depths
                known = self.table.cell(worst, other, depth).ar_pct if swept else None
                bound.append((-1.0 if known is None else known, depth, other))
        if not bound:
            return None
        _, depth, other = max(bound)
        cap = max((d for d in self.table.depths if d < depth), default=0)
        self.caps[frozenset((worst, other))] = cap
        return worst, other, cap

    def measure(self, lowered: Lowered) -> None:
        """Train the skipped cells of a lowered pair, from its cap down to the first that passes.

        A sweep skips what a deeper cell makes needless; under the cap it is needed, and to read
        it as not passing would part the pair altogether.
        """
        one, other, cap = lowered
        max_ar = self._bench.session.experiment.config.max_ar
        for depth in sorted((d for d in self.table.depths if d <= cap), reverse=True):
            cell = self.table.cell(one, other, depth)
            if cell.status == "skipped":
                if self._cells is None or not self._rests_on(self._cells):
                    self._bench.session.progress.note(
                        f"the skipped cells of {one} and {other} count as not passing: the table "
                        "was not made in this workspace with its present settings"
                    )
                    return
                (cell,) = self._cells.train([cell.key])
                self.table, _ = self._cells.keep(self.table, cell)
            if cell.passes(max_ar):
                return

    def _rests_on(self, cells: CellTrainer) -> bool:
        """Whether all measured cells come from trainings with the present settings."""
        return all(cells.has(cell.key) for cell in self.table.cells if cell.status == "measured")
