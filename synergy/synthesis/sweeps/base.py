"""What a sweep is: it names the cells to train next, from the cells that are known.

A sweep never trains and keeps nothing between calls. What it wants follows from the known cells
alone, so a stopped command goes on from what is on disk, and cells of an earlier sweep count.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from synergy import limits
from synergy.costs import Costs
from synergy.errors import ConfigError
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.cells import Cell, CellKey
from synergy.synthesis.question import Question
from synergy.wording import counted, short_list

Known = Mapping[CellKey, Cell]
"""Cells that were trained, measured or failed; see `known_cells`."""


@dataclass(frozen=True)
class SweepGoal:
    """What the cells are wanted for: the tree of some tasks under one question.

    Parameters
    ----------
    tasks : tuple of str
        At least two.
    depths : tuple of int
        Depths that may be trained, ascending, at least 1.
    question : Question
        Of it, sweeps look at the threshold only.
    costs : Costs
        Of an encoder of at least so many blocks.

    Raises
    ------
    ConfigError
        If there are fewer than two tasks, no or impossible depths, or more than 100,000 cells.
    """

    tasks: tuple[str, ...]
    depths: tuple[int, ...]
    question: Question
    costs: Costs

    def __post_init__(self) -> None:
        if len(set(self.tasks)) != len(self.tasks) or len(self.tasks) < 2:
            raise ConfigError(
                "expected at least two different tasks to sweep, found "
                f"{short_list(self.tasks)}; name each task once"
            )
        most, ascending = self.costs.depth, sorted(set(self.depths)) == list(self.depths)
        if not (self.depths and ascending and 1 <= self.depths[0] <= self.depths[-1] <= most):
            raise ConfigError(
                f"expected ascending depths of 1 to {most} to sweep, found "
                f"{short_list(map(str, self.depths))}; correct the depths"
            )
        if (cells := math.comb(len(self.tasks), 2) * len(self.depths)) > limits.CELLS:
            raise ConfigError(
                f"expected at most {limits.CELLS:,} cells to sweep, found "
                f"{counted(len(self.tasks), 'task')} at {counted(len(self.depths), 'depth')}, "
                f"which have {cells:,}; leave some of them out"
            )

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """All pairs, in task order."""
        return tuple(itertools.combinations(self.tasks, 2))

    def cells(self) -> tuple[CellKey, ...]:
        """All cells of the table, by pair, then by depth."""
        return tuple((a, b, depth) for a, b in self.pairs() for depth in self.depths)


class Sweep(ABC):
    """A strategy; an implementation has no state."""

    name: ClassVar[str]
    summary: ClassVar[str]
    """What it does and what it assumes, in one sentence."""

    @abstractmethod
    def wanted(self, goal: SweepGoal, known: Known, batch: int = 1) -> tuple[CellKey, ...]:
        """The cells to train next, the most telling first; empty when the table is settled.

        Parameters
        ----------
        goal : SweepGoal
        known : mapping of CellKey to Cell
            A failed cell counts as not passing.
        batch : int
            How many cells can be trained at once. A sweep may name fewer, when more would be
            guesses, and names more only where it needs them in any case.
        """

    @abstractmethod
    def skip_reason(self, goal: SweepGoal, known: Known, key: CellKey) -> str:
        """Why a cell that is not known is not needed; asked when nothing is wanted any more."""

    @abstractmethod
    def bounds(self, goal: SweepGoal, known: Known) -> tuple[int, int]:
        """Least and most cells that remain to be trained, if no training fails."""

    def notes(self, goal: SweepGoal, table: ARTable) -> tuple[str, ...]:
        """What a reader of the table should know, one sentence each."""
        return ()


def known_cells(goal: SweepGoal, cells: Iterable[Cell]) -> dict[CellKey, Cell]:
    """The trained cells among ``cells`` that belong to the goal, by key in its task order."""
    wanted = set(goal.cells())
    both = (either for cell in cells for either in (cell, cell.flipped()))
    return {cell.key: cell for cell in both if cell.status != "skipped" and cell.key in wanted}


def run_sweep(
    sweep: Sweep,
    goal: SweepGoal,
    train: Callable[[Sequence[CellKey]], Iterable[Cell]],
    known: Iterable[Cell] = (),
    batch: int = 1,
) -> ARTable:
    """Train what a sweep wants until it wants nothing.

    What was not trained then is a skipped cell of the table, with the reason.

    Parameters
    ----------
    sweep, goal
    train : callable
        Takes keys and returns their cells, measured or failed, in any order; a ValueError is
        raised where one is missing.
    known : iterable of Cell
        Cells that need not be trained again; skipped ones do not count.
    batch : int
        How many cells ``train`` works on at once.
    """
    found = known_cells(goal, known)
    while keys := sweep.wanted(goal, found, batch):
        found |= known_cells(goal, train(keys))
        if missing := [key for key in keys if key not in found]:
            raise ValueError(f"expected the trained cells {missing}, found none")
    cells = (
        found.get(key) or Cell.skipped(*key, sweep.skip_reason(goal, found, key))
        for key in goal.cells()
    )
    return ARTable(goal.tasks, goal.depths, tuple(cells))
