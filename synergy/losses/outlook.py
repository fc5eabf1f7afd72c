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
# Of that, what belongs to one tree alone, and to one network alone.
_OF_TREE, _OF_NETWORK = 0.4, 0.3
# Before anything is known, mean and standard deviation of what a narrower network costs a task, in
# points by the natural logarithm of the width, and of what teachers give it: points, and the share
# of its losses that they take away. Guesses, as wide as what was seen on recorded speech.
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

    @property
    def key(self) -> tuple[str, ...]:
        """The same for the same network, in any process."""
        return self.tree.notation(sorted(self.tree.tasks)), f"{self.width!r}", f"{self.distilled}"


@dataclass(frozen=True, eq=False)
class Measured:
    """Scores of a trained network.

    Attributes
    ----------
    scores : np.ndarray, [tasks]
        Means over its seeds.
    seeds : int
    luck : np.ndarray, [tasks, resampled]
        How far the losses lie from their means in splits with resampled speakers, in percent
        points; the same splits for all networks.
    """

    scores: np.ndarray
    seeds: int
    luck: np.ndarray


class Outlook:
    """What tasks lose in any network of a table's tasks, as joint draws.

    A task's loss is the sum of its losses in the pairs at the depths that the tree shares, and
    what every two of its partners do to it together, which is not known before networks are
    trained but for its size; where a table of the other training is wanted, or another width, an
    effect of that is added. All of it is conditioned on the networks that were trained. How far
    sums of pairs err is learned from these too. A task that scores 0 alone loses nothing.

    That the luck of speakers is in part the same in pairs and in networks is not modelled.

    Parameters
    ----------
    tables : mapping of bool to PairLosses
        Of plain pairs (False), of distilled ones (True), or of both, with the same tasks and
        depths.
    trained : mapping of Variant to Measured
        Those with depths that the tables lack must be left out, and seeds that the tables hold.

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
        self._counts: list[int] = np.flatnonzero(self.pairs.alone > 0).tolist()
        self._kept: dict[tuple[str, ...], np.ndarray] = {}
        self._trained = {variant: self._prior(variant) for variant in trained}
        self._scale_of = np.zeros(self.draws, dtype=int)
        self._centred: list[dict[int, np.ndarray]] = []  # by scale and task: [trained, draws]
        self._pulls: list[dict[int, np.ndarray]] = []
        self._learn(list(trained.values()))

    def losses(self, variant: Variant) -> Draws:
        """Signed losses in percent of the single-task scores; [tasks, draws]."""
        base, together = self._trained.get(variant) or self._prior(variant)
        found = base + _SCALES[self._scale_of] * together
        for number in np.unique(self._scale_of) if self._trained else ():
            own, scale = self._scale_of == number, _SCALES[number]
            for task, centred in self._centred[number].items():
                whole = base[task] + scale * together[task]
                gain = centred @ (whole - whole.mean()) / self.draws
                found[task, own] += gain @ self._pulls[number][task][:, own]
        return found

    def allows(self, variant: Variant) -> bool:
        """Whether the trainings of all cells that a tree rests on succeeded."""
        table = self._table(variant.distilled)
        return table.allows(table.levels(variant.tree))

    def keeps(self, variant: Variant, max_ar: float) -> float:
        """The probability that no task loses more than a threshold."""
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
        together = self._together(variant, levels)
        nothing = np.ones(len(base), dtype=bool)
        nothing[self._counts] = False
        base[nothing] = together[nothing] = 0.0
        return base, together

    def _together(self, variant: Variant, levels: np.ndarray) -> Draws:
        tasks, depths = self.pairs.tasks, self.pairs.depths
        shared = np.zeros((len(tasks),) * 2)
        shares = np.array([0, *depths])[levels] / depths[-1]
        for (i, j), share in zip(self.pairs.pairs, shares, strict=True):
            shared[i, j] = shared[j, i] = share
        most = shared.max(axis=1)
        plain = variant.width == 1.0 and not variant.distilled
        found = np.zeros((len(tasks), self.draws))
        for place in range(len(tasks)):
            task, others = tasks[place], np.delete(np.arange(len(tasks)), place)
            if most[place] or not plain:
                found[place] = (
                    _OF_NETWORK
                    * max(most[place], not plain)
                    * self._normal("network", task, *variant.key)
                )
            if most[place]:
                found[place] += _OF_TREE * most[place] * self._normal("tree", task, variant.key[0])
            one, other = np.array([*itertools.combinations(others, 2)], int).reshape(-1, 2).T
            least = np.minimum(shared[place, one], shared[place, other])
            if least.any():
                found[place] += least @ self._interactions(place)
        return found

    def _interactions(self, place: int) -> np.ndarray:
        """What every two others do to a task together; [pairs of others, draws]."""
        tasks = self.pairs.tasks
        key = ("together", tasks[place])
        if key not in self._kept:
            others = [task for task in tasks if task != tasks[place]]
            names = (sorted(pair) for pair in itertools.combinations(others, 2))
            self._kept[key] = np.stack([self._normal(*key, *pair) for pair in names])
        return self._kept[key]

    def _effects(self, name: str, belief: tuple[float, float]) -> Draws:
        if (name,) not in self._kept:
            mean, deviation = belief
            drawn = np.stack([self._normal(name, task) for task in self.pairs.tasks])
            self._kept[name,] = mean + deviation * drawn
        return self._kept[name,]

    def _normal(self, *key: str) -> np.ndarray:
        """Standard normal draws of their own for each key; the same in every outlook."""
        return np.random.default_rng(hash64("outlook", *key)).standard_normal(self.draws)

    def _learn(self, trained: list[Measured]) -> None:
        """Condition on what was trained, for each scale, and give every draw a scale."""
        logs = np.log(_BELIEFS)
        if trained:
            for number, scale in enumerate(_SCALES.tolist()):
                self._centred.append({})
                self._pulls.append({})
                logs[number] += sum(self._condition(scale, n, trained) for n in self._counts)
        weights = np.exp(logs - logs.max())
        steps = (np.arange(self.draws) + 0.5) / self.draws
        scale_of = np.searchsorted(np.cumsum(weights / weights.sum())[:-1], steps)
        order = np.random.default_rng(hash64("outlook", "scale")).permutation(self.draws)
        self._scale_of = scale_of[order]

    def _condition(self, scale: float, task: int, trained: list[Measured]) -> float:
        """Prepare the correction of one task by Matheron's rule; the log-likelihood."""
        name = self.pairs.tasks[task]
        drawn, seeds, random, losses = [], [], [], []
        for (variant, (base, together)), found in zip(self._trained.items(), trained, strict=True):
            table = self._table(variant.distilled)
            drawn.append(base[task] + scale * together[task] - table.baseline[task])
            seeds.append(table.variance[task] / found.seeds)
            random.append(self._normal("noise", name, *variant.key))
            losses.append(100 * (1 - found.scores[task] / table.alone[task]))
        whole, variance, seen = np.stack(drawn), np.array(seeds) + 1e-6, np.array(losses)
        luck = np.stack([found.luck[task] for found in trained])
        centred = whole - whole.mean(axis=1, keepdims=True)
        covariance = centred @ centred.T / self.draws + np.diag(variance)
        covariance += luck @ luck.T / luck.shape[1]
        # speakers are resampled together for all networks, so these are joint draws of their luck
        rng = np.random.default_rng(hash64("outlook", "luck", name))
        noise = luck[:, rng.integers(0, luck.shape[1], self.draws)]
        noise = noise + np.sqrt(variance)[:, None] * np.stack(random)
        self._centred[-1][task] = centred
        self._pulls[-1][task] = np.linalg.solve(covariance, seen[:, None] - whole - noise)
        rest = seen - whole.mean(axis=1)
        _, logdet = np.linalg.slogdet(covariance)
        return -float(logdet + rest @ np.linalg.solve(covariance, rest)) / 2
