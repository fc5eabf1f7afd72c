"""Which cells of the AR table are trained for the weights of all pairs, and in which order.

A sweep never trains and keeps nothing between calls: what remains follows from the known cells
alone, so a stopped command goes on from what is on disk, and cells of an earlier sweep count.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.cells import Cell, CellKey

Known = Mapping[CellKey, Cell]
"""Cells that were trained, measured or failed."""

Rounds = Sequence[Sequence[CellKey]]
"""Cells that may remain to be trained. The first round is needed in any case; what it finds may
take cells off those after it. No round is empty."""


@dataclass(frozen=True)
class SweepGoal:
    """What the cells are wanted for.

    Attributes
    ----------
    tasks : tuple of str
        At least two, each once.
    depths : tuple of int
        Depths that may be trained, ascending.
    max_ar : float
        Threshold in percent.
    """

    tasks: tuple[str, ...]
    depths: tuple[int, ...]
    max_ar: float

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """All pairs, in task order."""
        return tuple(itertools.combinations(self.tasks, 2))

    def cells(self) -> tuple[CellKey, ...]:
        """All cells of the table, by pair, then by depth."""
        return tuple((a, b, depth) for a, b in self.pairs() for depth in self.depths)

    def weight(self, known: Known, a: str, b: str) -> int:
        """The deepest known cell of a pair that passes; 0 if none does."""
        row = (known.get((a, b, depth)) for depth in self.depths)
        passed = (cell.shared_depth for cell in row if cell and cell.passes(self.max_ar))
        return max(passed, default=0)


def full(goal: SweepGoal, known: Known) -> Rounds:
    """All cells at once; the table then serves every threshold and every solver."""
    cells = [key for key in goal.cells() if key not in known]
    return [cells] if cells else []


def scan(goal: SweepGoal, known: Known) -> Rounds:
    """Each pair from the deepest cell up, until one passes.

    Cells below it cannot change the weight of the pair, so the task graph is the full sweep's.
    What is skipped are cells that only the predicted AR, the choice between trees of equal cost,
    or strict solving would read.
    """
    rows: list[list[CellKey]] = []
    for a, b in goal.pairs():
        weight = goal.weight(known, a, b)
        row = [(a, b, depth) for depth in reversed(goal.depths) if depth > weight]
        rows.append([key for key in row if key not in known])
    turns = itertools.zip_longest(*rows)
    return [[key for key in keys if key is not None] for keys in turns]


SWEEPS: dict[str, Callable[[SweepGoal, Known], Rounds]] = {"full": full, "scan": scan}


def run_sweep(
    sweep: Callable[[SweepGoal, Known], Rounds],
    goal: SweepGoal,
    train: Callable[[Sequence[CellKey]], Iterable[Cell]],
    known: Iterable[Cell] = (),
) -> ARTable:
    """Train round after round until nothing remains.

    What was not trained then is a skipped cell of the table, with the reason.

    Parameters
    ----------
    sweep, goal
    train : callable
        Takes keys and returns their cells, measured or failed, in the same order.
    known : iterable of Cell
        Cells that need not be trained again, named as those of the goal are.
    """
    found = {cell.key: cell for cell in known}
    while rounds := sweep(goal, found):
        found |= zip(rounds[0], train(rounds[0]), strict=True)
    cells: list[Cell] = []
    for a, b, depth in goal.cells():
        passed = f"{goal.max_ar:g} % with {goal.weight(found, a, b)} shared blocks"
        reason = f"not needed: the pair passes {passed}"
        cells.append(found.get((a, b, depth)) or Cell.skipped(a, b, depth, reason))
    return ARTable(goal.tasks, goal.depths, tuple(cells))


def chances(rounds: Rounds) -> dict[CellKey, float]:
    """How probable it is that each cell is trained, above 0 to 1.

    A pair may be settled by any of the rounds that it is in, or by none: all are taken to be
    equally likely.
    """
    turns = Counter(pair for keys in rounds for pair in {(a, b) for a, b, _ in keys})
    return {
        (a, b, depth): 1 - number / (turns[a, b] + 1)
        for number, keys in enumerate(rounds)
        for a, b, depth in keys
    }
