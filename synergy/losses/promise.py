"""How probable it is that every task of a tree keeps a threshold."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

import numpy as np

from synergy.losses.groups import Group, from_tree, shared_levels
from synergy.losses.pooling import Posterior
from synergy.seeding import hash64
from synergy.synthesis.cells import CellKey
from synergy.synthesis.question import Question
from synergy.tree import SharingTree

Rule = Literal["pairs", "sum"]
"""What a tree keeps the threshold by: ``pairs``, the losses of every pair at the depth that it
shares; ``sum``, the losses in the tree, each predicted as the sum of those in the task's pairs."""

GROUP_SD = 1.0
"""Error of the rule ``sum`` before any tree was trained: standard deviation, in percent points."""

_GROUP_FREEDOM = 3.0  # how many losses in trees that counts as


class Promise:
    """The probability of trees, from draws of the losses of a table.

    Parameters
    ----------
    tasks : tuple of str
    depths : tuple of int
    losses : np.ndarray, [draws, cells, 2]
        Signed losses in percent, cells by pair in task order, then by depth.
    question : Question
        Of it, the threshold and the caps count.
    failed : collection of CellKey
        Cells that no tree may use.
    rule : {"pairs", "sum"}
    group_sd : float
        Error of the rule ``sum``, see `group_error`.
    """

    def __init__(
        self,
        tasks: tuple[str, ...],
        depths: tuple[int, ...],
        losses: np.ndarray,
        question: Question,
        failed: Collection[CellKey] = (),
        rule: Rule = "pairs",
        group_sd: float = GROUP_SD,
    ) -> None:
        self.tasks, self.depths = tasks, depths
        self.rule, self.max_ar = rule, question.max_ar
        draws, count = len(losses), len(tasks)
        pairs = tuple(itertools.combinations(range(count), 2))
        self._pair = {pair: number for number, pair in enumerate(pairs)}
        self._first, self._second = np.array(pairs).T
        allowed = np.array(
            [
                depth <= question.caps.get(frozenset(pair), math.inf)
                and (*pair, depth) not in failed
                for pair in itertools.combinations(tasks, 2)
                for depth in depths
            ]
        ).reshape(len(pairs), -1)
        # Level 0 comes first: what shares nothing loses nothing.
        self._allowed = np.pad(allowed, ((0, 0), (1, 0)), constant_values=True)
        by_pair = losses.reshape(draws, *allowed.shape, 2)
        self.losses = np.pad(by_pair, ((0, 0), (0, 0), (1, 0), (0, 0))).transpose(1, 2, 3, 0)
        """Signed losses by pair, level, task of the pair and draw."""
        self._within = (self.losses <= self.max_ar).all(axis=2) & self._allowed[..., None]
        names = sorted(self.tasks)
        error = np.random.default_rng(hash64("group error")).standard_normal((count, draws))
        self._error = group_sd * error[[names.index(task) for task in self.tasks]]

    @classmethod
    def of(
        cls,
        posterior: Posterior,
        question: Question,
        rule: Rule = "pairs",
        group_sd: float = GROUP_SD,
    ) -> Promise:
        """From the draws of a posterior."""
        of, losses = posterior.evidence, posterior.losses
        return cls(of.tasks, of.depths, losses, question, of.failed, rule, group_sd)

    def levels(self, tree: Group | SharingTree) -> np.ndarray:
        """The level that every pair shares, [pairs].

        A TableError is raised if a sharing tree has other tasks or depths than the table.
        """
        group = from_tree(tree, self.tasks, self.depths) if isinstance(tree, SharingTree) else tree
        found = np.zeros(len(self._pair), dtype=int)
        for i, j, level in shared_levels(group):
            found[self._pair[i, j]] = level
        return found

    def keeps(self, tree: Group | SharingTree) -> np.ndarray:
        """In which draws the tree keeps the threshold; bool, [draws]."""
        levels = self.levels(tree)
        rows = np.arange(len(levels)), levels
        if self.rule == "pairs":
            return np.logical_and.reduce(self._within[rows])
        sharing = np.zeros(len(self.tasks), dtype=bool)
        sharing[[*self._first[levels > 0], *self._second[levels > 0]]] = True
        total = self.task_losses(tree) + self._error * sharing[:, None]
        return np.logical_and.reduce(total <= self.max_ar) & self._allowed[rows].all()

    def probability(self, tree: Group | SharingTree) -> float:
        """The probability that the tree keeps the threshold; 1 where nothing is shared."""
        return float(self.keeps(tree).mean())

    def task_losses(self, tree: Group | SharingTree) -> np.ndarray:
        """The losses of every task's pairs in a tree, added up: [tasks, draws]."""
        levels = self.levels(tree)
        own = self.losses[np.arange(len(levels)), levels]
        total = np.zeros((len(self.tasks), own.shape[-1]))
        np.add.at(total, self._first, own[:, 0])
        np.add.at(total, self._second, own[:, 1])
        return total

    def passing(self, rungs: Sequence[tuple[float, float]]) -> np.ndarray:
        """Which cells pass at a quantile with a shift of the threshold; [rungs, pairs, depths].

        A cell passes when that quantile of its larger loss is at most threshold plus shift.
        """
        quantiles, shifts = np.array(rungs).T
        found = np.quantile(self.losses[:, 1:].max(axis=2), quantiles, axis=-1)
        return (found <= self.max_ar + shifts[:, None, None]) & self._allowed[:, 1:]


def group_error(
    promise: Promise, trained: Iterable[tuple[SharingTree, Mapping[str, float]]]
) -> float:
    """The standard deviation by which losses in trained trees miss the sum of their pairs.

    Parameters
    ----------
    promise : Promise
    trained : iterable of (SharingTree, mapping of task to float)
        Trees with their measured signed losses, in percent. Their own noise counts as error.

    Returns
    -------
    float
        In percent points; `GROUP_SD` counts as three losses. What the uncertainty of the pairs
        explains is taken off.
    """
    squares, count = _GROUP_FREEDOM * GROUP_SD**2, _GROUP_FREEDOM
    beyond = 0.0
    for tree, losses in trained:
        predicted = promise.task_losses(tree)
        for task, loss in losses.items():
            own = predicted[promise.tasks.index(task)]
            beyond += (loss - own.mean()) ** 2 - own.var()
            count += 1
    return math.sqrt((squares + max(0.0, beyond)) / count)
