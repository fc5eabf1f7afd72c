"""Draws of the losses of all pairs, and trees read against them."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from synergy.losses.groups import Group, from_tree, shared_levels
from synergy.losses.pooling import Posterior
from synergy.synthesis.cells import CellKey
from synergy.tree import SharingTree

Draws = np.ndarray
"""Numbers with an axis of draws, which is the last one."""


@dataclass(frozen=True, eq=False)
class PairLosses:
    """What every pair of a table loses at every level, drawn jointly.

    Level 0 says that nothing is shared and loses nothing; level n is the n-th depth.

    Attributes
    ----------
    tasks : tuple of str
    depths : tuple of int
    draws : np.ndarray, [pairs, levels, 2, draws]
        Signed losses in percent of the first and of the second task, pairs in task order.
    allowed : np.ndarray, [pairs, levels]
        Whether a tree may use the cell; bool.
    alone : np.ndarray, [tasks]
        Scores that losses are relative to.
    baseline : np.ndarray, [tasks, draws]
        How far the expected scores lie above these, in percent.
    variance : np.ndarray, [tasks]
        Of the score of one more training, in squared percent points.
    """

    tasks: tuple[str, ...]
    depths: tuple[int, ...]
    draws: Draws
    allowed: np.ndarray
    alone: np.ndarray
    baseline: Draws
    variance: np.ndarray

    @classmethod
    def of(cls, posterior: Posterior) -> PairLosses:
        """From the draws of a posterior."""
        evidence = posterior.evidence
        tasks, depths = evidence.tasks, evidence.depths
        return cls(
            tasks,
            depths,
            _by_level(posterior.losses, len(tasks)),
            _allowed(tasks, depths, evidence.failed),
            np.array([np.mean(evidence.baseline(task) or 0.0) for task in tasks]),
            posterior.baseline.T,
            posterior.pair_variance,
        )

    @classmethod
    def of_cells(
        cls,
        tasks: tuple[str, ...],
        depths: tuple[int, ...],
        ar: np.ndarray,
        alone: Sequence[float],
        failed: Collection[CellKey] = (),
    ) -> PairLosses:
        """From draws of AR, [draws, cells], and the scores of the tasks alone.

        Each task of a pair is taken to lose as much as the AR. Nothing is known of the noise of
        seeds; a deviation of 1 % of the score is assumed.
        """
        losses = np.repeat(ar[:, :, None], 2, axis=2)
        count = len(tasks)
        return cls(
            tasks,
            depths,
            _by_level(losses, count),
            _allowed(tasks, depths, failed),
            np.array(alone),
            np.zeros((count, len(ar))),
            np.ones(count),
        )

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Places of the tasks of every pair."""
        return tuple(itertools.combinations(range(len(self.tasks)), 2))

    @cached_property
    def _pair(self) -> dict[tuple[int, int], int]:
        return {pair: number for number, pair in enumerate(self.pairs)}

    @cached_property
    def _incidence(self) -> np.ndarray:
        """Whether a task is the first, or the second, of a pair; [2, tasks, pairs]."""
        ends = np.array(self.pairs).T
        return (ends[:, None, :] == np.arange(len(self.tasks))[:, None]).astype(float)

    def levels(self, tree: Group | SharingTree) -> np.ndarray:
        """The level that every pair shares; int, [pairs].

        A TableError is raised if a sharing tree has other tasks or depths than the table.
        """
        group = from_tree(tree, self.tasks, self.depths) if isinstance(tree, SharingTree) else tree
        found = np.zeros(len(self.pairs), dtype=int)
        for i, j, level in shared_levels(group):
            found[self._pair[i, j]] = level
        return found

    def allows(self, levels: np.ndarray) -> bool:
        """Whether every pair may share its level."""
        return bool(self.allowed[np.arange(len(levels)), levels].all())

    def by_task(self, levels: np.ndarray) -> Draws:
        """The losses of every task's pairs at their levels, added up: [tasks, draws]."""
        own = self.draws[np.arange(len(levels)), levels]
        first, second = (self._incidence[side] @ own[:, side] for side in range(2))
        return first + second


def _by_level(losses: np.ndarray, tasks: int) -> Draws:
    """[draws, cells, 2] with level 0 in front, as in `PairLosses.draws`."""
    by_pair = losses.reshape(len(losses), tasks * (tasks - 1) // 2, -1, 2)
    return np.pad(by_pair, ((0, 0), (0, 0), (1, 0), (0, 0))).transpose(1, 2, 3, 0)


def _allowed(
    tasks: tuple[str, ...], depths: tuple[int, ...], failed: Collection[CellKey]
) -> np.ndarray:
    pairs = itertools.combinations(tasks, 2)
    return np.array([[True, *((*pair, depth) not in failed for depth in depths)] for pair in pairs])
