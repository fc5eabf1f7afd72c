"""How probable it is that every pair of a tree keeps a threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from synergy.losses.groups import Group
from synergy.losses.pair_losses import PairLosses
from synergy.tree import SharingTree


class Promise:
    """The probability of trees by the losses of their pairs.

    A tree keeps the threshold where both tasks of every pair do at the depth that it shares.

    Parameters
    ----------
    pairs : PairLosses
    max_ar : float
        The threshold, in percent.
    """

    def __init__(self, pairs: PairLosses, max_ar: float) -> None:
        self.pairs, self.max_ar = pairs, max_ar
        within = (pairs.draws <= max_ar).all(axis=2)
        self._within = within & pairs.allowed[..., None]

    def keeps(self, tree: Group | SharingTree) -> np.ndarray:
        """In which draws the tree keeps the threshold; bool, [draws].

        A TableError is raised if a sharing tree has other tasks or depths than the table.
        """
        levels = self.pairs.levels(tree)
        return np.logical_and.reduce(self._within[np.arange(len(levels)), levels])

    def probability(self, tree: Group | SharingTree) -> float:
        """The probability that the tree keeps the threshold; 1 where nothing is shared."""
        return float(self.keeps(tree).mean())

    def passing(self, rungs: Sequence[tuple[float, float]]) -> np.ndarray:
        """Which cells pass at a quantile with a shift of the threshold; [rungs, pairs, depths].

        A cell passes when that quantile of its larger loss is at most threshold plus shift.
        """
        quantiles, shifts = np.array(rungs).T
        found = np.quantile(self.pairs.draws[:, 1:].max(axis=2), quantiles, axis=-1)
        within = found <= self.max_ar + shifts[:, None, None]
        return within & self.pairs.allowed[:, 1:]
