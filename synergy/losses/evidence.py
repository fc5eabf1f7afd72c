"""What was measured: the score of every training behind an AR table, by task and by seed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from synergy import limits
from synergy.errors import TableError
from synergy.synthesis.cells import CellKey
from synergy.tree import task_problems
from synergy.wording import quoted, short_list, shown

SeedScores = tuple[float, ...]
"""Scores of one task, one for each training; higher is better."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """The scores of all trainings of a table, as far as it goes.

    Parameters
    ----------
    tasks : tuple of str
        At least two.
    depths : tuple of int
        Depths of the table, ascending, at least 1.
    singles : mapping of task to tuple of float
        Scores of its single-task models, one for each seed; all seeds count.
    pairs : mapping of CellKey to (tuple of float, tuple of float)
        For a trained cell, the scores of its first and of its second task, by seed.
    nulls : mapping of task to tuple of float
        Scores of a task in networks that were trained jointly and share nothing. They are taken
        to scatter around the same score as the single-task models, as much as those.
    speakers : mapping of task to np.ndarray, [cells of the task, cells of the task]
        Covariance of its losses, in squared percent points, that comes from which speakers are in
        the split; rows as in `cells_of`, those of cells without training do not matter. Nothing
        for tasks that are not named.
    failed : frozenset of CellKey
        Cells whose training failed: no tree may use them, and nobody asks for them again.
    smooth : frozenset of str
        Tasks whose scores are not those that were measured, but what their log-losses tell.

    Raises
    ------
    TableError
        If a score, a key or a shape cannot be used.
    """

    tasks: tuple[str, ...]
    depths: tuple[int, ...]
    singles: Mapping[str, SeedScores]
    pairs: Mapping[CellKey, tuple[SeedScores, SeedScores]]
    nulls: Mapping[str, SeedScores] = field(default_factory=dict)
    speakers: Mapping[str, np.ndarray] = field(default_factory=dict)
    failed: frozenset[CellKey] = frozenset()
    smooth: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        problems = task_problems(self.tasks)
        if len(set(self.tasks)) != len(self.tasks) or len(self.tasks) < 2:
            problems = [f"expected two or more different tasks, found {short_list(self.tasks)}"]
        if not self.depths or self.depths[0] < 1 or sorted(set(self.depths)) != list(self.depths):
            problems.append(
                "expected ascending depths of at least 1, found "
                f"{short_list(map(str, self.depths))}"
            )
        if problems:
            raise TableError(problems[0])
        cells = set(self.cells())
        if strange := {*self.pairs, *self.failed} - cells:
            raise TableError(
                f"expected cells of {short_list(self.tasks)} at the depths "
                f"{short_list(map(str, self.depths))} in task order, found {quoted(min(strange))}"
            )
        if strange := {*self.singles, *self.nulls, *self.speakers, *self.smooth} - set(self.tasks):
            raise TableError(
                f"expected scores of {short_list(self.tasks)}, found some of "
                f"{short_list(sorted(strange))}"
            )
        for task in self.tasks:
            self._check(f"task {shown(task)}", self.baseline(task))
            size = len(self.cells_of(task))
            covariance = self.speakers.get(task)
            if covariance is not None and not _is_covariance(covariance, size):
                raise TableError(
                    f"task {shown(task)}: expected a covariance of {size} by {size} cells, "
                    "symmetric, without negative eigenvalues"
                )
        for (a, b, depth), (one, other) in self.pairs.items():
            label = f"{shown(a)}-{shown(b)} at depth {depth}"
            self._check(label, (*one, *other))
            if not len(one) == len(other) > 0:
                raise TableError(
                    f"{label}: expected as many scores of one task as of the other, found "
                    f"{len(one)} and {len(other)}"
                )

    def _check(self, label: str, scores: SeedScores) -> None:
        for score in scores:
            if not (math.isfinite(score) and 0 <= score <= limits.SCORE):
                raise TableError(
                    f"{label}: expected scores of 0 to {limits.SCORE:,.0f}, found {quoted(score)}"
                )

    def cells(self) -> tuple[CellKey, ...]:
        """All cells of the table, by pair in task order, then by depth."""
        pairs = itertools.combinations(self.tasks, 2)
        return tuple((a, b, depth) for a, b in pairs for depth in self.depths)

    def cells_of(self, task: str) -> tuple[CellKey, ...]:
        """The cells with a task, in the order of `cells`."""
        return tuple(cell for cell in self.cells() if task in cell[:2])

    def baseline(self, task: str) -> SeedScores:
        """Scores of a task where nothing is shared."""
        return (*self.singles.get(task, ()), *self.nulls.get(task, ()))

    def scores(self, task: str, partner: str, depth: int) -> SeedScores:
        """Scores of a task beside a partner, one for each seed; empty for an untrained cell."""
        if (task, partner, depth) in self.pairs:
            return self.pairs[task, partner, depth][0]
        return self.pairs.get((partner, task, depth), ((), ()))[1]


def _is_covariance(matrix: np.ndarray, size: int) -> bool:
    if matrix.shape != (size, size) or not np.isfinite(matrix).all():
        return False
    slack = 1e-9 * (1 + np.abs(matrix).max())
    symmetric = np.abs(matrix - matrix.T).max() <= slack
    return bool(symmetric and np.linalg.eigvalsh(matrix).min() >= -size * slack)
