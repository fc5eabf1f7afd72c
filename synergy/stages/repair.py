"""Repair of a tree that misses the threshold: which pair shares less, and what that asks for."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from synergy.measuring.bench import Bench
from synergy.measuring.pairs import PairTrainer
from synergy.records import Row
from synergy.synthesis import Question
from synergy.tree import SharingTree
from synergy.workspace import PairTable

Lowered = tuple[str, str, int]
"""A pair, and how many blocks it may still share."""


class Repair:
    """A question under more and more caps, and the table that it is asked of.

    What a sweep skipped is measured when a cap asks for it, if this is a table of the workspace;
    its files are then brought up to date.

    Attributes
    ----------
    found : PairTable
        With the cells that were measured since.
    question : Question
        With the caps so far.
    """

    def __init__(self, bench: Bench, found: PairTable, question: Question) -> None:
        self.found, self.question, self._bench = found, question, bench

    def lower(self, tree: SharingTree, row: Row) -> Lowered | None:
        """Cap the pair that binds the worst task of a trained tree one swept depth lower.

        Of the pairs that the worst task shares blocks in, the one with the highest AR at the
        depth in use binds; where the table does not tell, the one that shares the most. None
        when the worst task shares nothing.
        """
        singles, table = self._bench.singles, self.found.table
        ours = row.mean_scores["valid"]

        def lost(task: str) -> float:
            single = singles.mean("valid", task)
            return (single - ours[task]) / (single or 1.0)

        worst = max(tree.tasks, key=lost)
        bound: list[tuple[float, int, str]] = []
        for other in table.tasks:
            depth = tree.shared_depth(worst, other) if other != worst else 0
            if depth:
                known = table.cell(worst, other, depth).ar_pct if depth in table.depths else None
                bound.append((-1.0 if known is None else known, depth, other))
        if not bound:
            return None
        _, depth, other = max(bound)
        cap = max((d for d in table.depths if d < depth), default=0)
        caps = {**self.question.caps, frozenset((worst, other)): cap}
        self.question = replace(self.question, caps=caps)
        return worst, other, cap

    def measure(self, lowered: Lowered) -> None:
        """Train the skipped cells of a lowered pair, from its cap down to the first that passes.

        A sweep skips what a deeper cell makes needless; under the cap it is needed, and to read
        it as not passing would part the pair altogether.
        """
        one, other, cap = lowered
        depths = [d for d in self.found.table.depths if d <= cap]
        for depth in sorted(depths, reverse=True):
            table = self.found.table
            cell = table.cell(one, other, depth)
            if cell.status == "skipped":
                trainer = self._trainer
                if trainer is None:
                    self._bench.session.progress.note(
                        f"the skipped cells of {one} and {other} count as not passing: the table "
                        "was not made in this workspace with its present settings"
                    )
                    return
                (cell,) = trainer.train([cell.key])
                cells = (cell if cell.key == each.key else each for each in table.cells)
                changed = replace(table, cells=tuple(cells))
                self.found, _ = trainer.keep(changed, self.question.max_ar)
            if cell.passes(self.question.max_ar):
                return

    @cached_property
    def _trainer(self) -> PairTrainer | None:
        """What trains cells of the table, if it rests on trainings with the present settings."""
        if self.found.kind is None:
            return None
        trainer = PairTrainer(self._bench.session, self._bench.singles, self.found.kind)
        cells = self.found.table.cells
        ours = {cell.key: {trial.digest for trial in trainer.done(cell.key)} for cell in cells}
        return trainer if all(ours[cell.key] >= set(cell.trials) for cell in cells) else None
