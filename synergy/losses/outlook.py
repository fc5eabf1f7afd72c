"""What tasks lose in a whole network: predicted from their pairs, corrected by what was trained."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from synergy.losses.pair_losses import Draws, PairLosses
from synergy.seeding import hash64
from synergy.tree import SharingTree

# Standard deviation of what a task loses by two partners at once, beyond what it loses by each;
# in percent points, with the weights of a belief before any network was trained.
_SCALES = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
_BELIEFS = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
_REST = 0.5  # of that, what belongs to one tree alone
# Before anything is known, mean and standard deviation of what a narrower network costs a task, in
# points by the natural logarithm of the width, and of what teachers give it: points, and the share
# of its losses that they take away.
_NARROWER = (4.0, 4.0)
_TAUGHT = (0.5, 1.5)
_TAKEN_AWAY = (0.3, 0.4)


@dataclass(frozen=True)
class Variant:
    """A network that can be trained: a tree, a width, and whether single-task models teach it.

    ``width`` multiplies the channels of the configured encoder.
    """

    tree: SharingTree
    width: float = 1.0
    distilled: bool = False


@dataclass(frozen=True, eq=False)
class Measured:
    """Scores of a trained network.

    Attributes
    ----------
    scores : np.ndarray, [tasks]
        Means over its seeds.
    seeds : int
    speakers : np.ndarray, [tasks]
        Variance of the losses that comes from which speakers are in the split, in squared
        percent points.
    """

    scores: np.ndarray
    seeds: int
    speakers: np.ndarray


class Outlook:
    """What tasks lose in any network of a table's tasks, as joint draws.

    A task's loss is the sum of its losses in the pairs at the depths that the tree shares, and
    what every two of its partners do to it together, which is not known before networks are
    trained but for its size; where a table of the other training is wanted, or another width, an
    effect of that is added. All of it is conditioned on the networks that were trained. How far
    sums of pairs err is learned from these too.

    Parameters
    ----------
    tables : mapping of bool to PairLosses
        Of plain pairs (False), of distilled ones (True), or of both, with the same tasks.
    trained : mapping of Variant to Measured
        Those with depths that a table lacks must be left out.

    Raises
    ------
    TableError
        If a tree has other tasks or depths than the tables.
    """

    def __init__(
        self, tables: Mapping[bool, PairLosses], trained: Mapping[Variant, Measured]
    ) -> None:
        self._tables = dict(tables)
        self.pairs = next(iter(self._tables.values()))
        self.draws = self.pairs.baseline.shape[-1]
        self._kept: dict[tuple[str, ...], np.ndarray] = {}
        self._trained = {variant: self._prior(variant) for variant in trained}
        self._scale_of = np.zeros(self.draws, dtype=int)
        self._centred: list[list[np.ndarray]] = []  # by scale and task: [trained, draws]
        self._pulls: list[list[np.ndarray]] = []
        self._learn(list(trained.values()))

    def losses(self, variant: Variant) -> Draws:
        """Signed losses in percent of the single-task scores; [tasks, draws]."""
        base, together = self._trained.get(variant) or self._prior(variant)
        found = base + _SCALES[self._scale_of] * together
        for number in np.unique(self._scale_of) if self._trained else ():
            own, scale = self._scale_of == number, _SCALES[number]
            whole = base + scale * together
            whole -= whole.mean(axis=1, keepdims=True)
            for task, centred in enumerate(self._centred[number]):
                gain = centred @ whole[task] / self.draws
                found[task, own] += gain @ self._pulls[number][task][:, own]
        return found

    def allows(self, variant: Variant) -> bool:
        """Whether the tables let a tree share what it shares."""
        table = self._table(variant.distilled)
        return table.allows(table.levels(variant.tree))

    def keeps(self, variant: Variant, max_ar: float) -> float:
        """The probability that no task loses more than a threshold; 0 for what is not allowed."""
        if not self.allows(variant):
            return 0.0
        return float((self.losses(variant) <= max_ar).all(axis=0).mean())

    @property
    def scale(self) -> float:
        """Mean size of what two partners do together, in percent points."""
        return float(_SCALES[self._scale_of].mean())

    def _table(self, distilled: bool) -> PairLosses:
        return self._tables.get(distilled, self.pairs)

    def _prior(self, variant: Variant) -> tuple[Draws, Draws]:
        """Losses as pairs have them, and what partners do together with a scale of 1."""
        table = self._table(variant.distilled)
        levels = table.levels(variant.tree)
        base = table.by_task(levels)
        if variant.distilled and True not in self._tables:
            base = base * (1 - self._effects("taken away", _TAKEN_AWAY))
            base -= self._effects("taught", _TAUGHT)
        elif not variant.distilled and False not in self._tables:
            base = base * (1 + self._effects("taken away", _TAKEN_AWAY))
            base += self._effects("taught", _TAUGHT)
        base += self._effects("narrower", _NARROWER) * -math.log(variant.width)
        return base, self._together(variant.tree, levels)

    def _together(self, tree: SharingTree, levels: np.ndarray) -> Draws:
        table = self.pairs
        shared = np.zeros((len(table.tasks),) * 2)
        for (i, j), level in zip(table.pairs, levels, strict=True):
            shared[i, j] = shared[j, i] = (0, *table.depths)[level] / table.depths[-1]
        found = np.zeros((len(table.tasks), self.draws))
        for place, task in enumerate(table.tasks):
            partners = np.flatnonzero(shared[place])
            if len(partners):
                alone = self._normal("tree", task, tree.notation(sorted(table.tasks)))
                found[place] = _REST * shared[place].max() * alone
            for j, k in itertools.combinations(partners, 2):
                names = sorted((table.tasks[j], table.tasks[k]))
                least = min(shared[place, j], shared[place, k])
                found[place] += least * self._normal("together", task, *names)
        return found

    def _effects(self, name: str, belief: tuple[float, float]) -> Draws:
        mean, deviation = belief
        return mean + deviation * np.stack([self._normal(name, t) for t in self.pairs.tasks])

    def _normal(self, *key: str) -> np.ndarray:
        """Standard normal draws of their own for each key; the same in every outlook."""
        if (known := self._kept.get(key)) is not None:
            return known
        drawn = np.random.default_rng(hash64("outlook", *key)).standard_normal(self.draws)
        if key[0] != "tree":  # of which there are too many
            self._kept[key] = drawn
        return drawn

    def _learn(self, trained: list[Measured]) -> None:
        """Condition on what was trained, for each scale, and give every draw a scale."""
        logs = np.log(_BELIEFS)
        if trained:
            scores = np.stack([each.scores for each in trained], axis=1)
            for number, scale in enumerate(_SCALES.tolist()):
                self._centred.append([])
                self._pulls.append([])
                for task in range(len(self.pairs.tasks)):
                    logs[number] += self._condition(scale, task, scores[task], trained)
        weights = np.exp(logs - logs.max())
        steps = (np.arange(self.draws) + 0.5) / self.draws
        scale_of = np.searchsorted(np.cumsum(weights / weights.sum())[:-1], steps)
        order = np.random.default_rng(hash64("outlook", "scale")).permutation(self.draws)
        self._scale_of = scale_of[order]

    def _condition(
        self, scale: float, task: int, scores: np.ndarray, trained: list[Measured]
    ) -> float:
        """Prepare the correction of one task by Matheron's rule; the log-likelihood."""
        drawn, noise, losses = [], [], []
        known = zip(self._trained.items(), trained, scores, strict=True)
        for (variant, (base, together)), found, score in known:
            table = self._table(variant.distilled)
            drawn.append(base[task] + scale * together[task] - table.baseline[task])
            noise.append(table.variance[task] / found.seeds + found.speakers[task])
            alone = table.alone[task]
            losses.append(100 * (1 - score / alone) if alone else 0.0)
        whole, variance = np.stack(drawn), np.array(noise) + 1e-6
        centred = whole - whole.mean(axis=1, keepdims=True)
        covariance = centred @ centred.T / self.draws + np.diag(variance)
        name = self.pairs.tasks[task]
        random = np.stack([self._normal("noise", name, str(n)) for n in range(len(whole))])
        wrong = np.array(losses)[:, None] - whole - np.sqrt(variance)[:, None] * random
        self._centred[-1].append(centred)
        self._pulls[-1].append(np.linalg.solve(covariance, wrong))
        rest = np.array(losses) - whole.mean(axis=1)
        _, logdet = np.linalg.slogdet(covariance)
        return -float(logdet + rest @ np.linalg.solve(covariance, rest)) / 2
