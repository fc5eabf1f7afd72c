"""The smallest tree that keeps a threshold with a given probability."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from synergy.costs import Costs
from synergy.errors import ConfigError
from synergy.losses.groups import Group, from_tree, neighbours, saving, to_tree
from synergy.losses.promise import Promise
from synergy.synthesis.exact import MAX_TASKS, ExactSplits
from synergy.synthesis.recursive import PaperSplits
from synergy.synthesis.task_graph import TaskGraph
from synergy.synthesis.tree_search import TreeSearch
from synergy.tree import SharingTree
from synergy.wording import quoted

CONFIDENCE = 0.9

# Quantiles of a cell at the threshold, and shifts of the threshold, relative to it, at the median.
_QUANTILES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.995)
_SHIFTS = (-0.75, -0.5, -0.25, 0.25)


@dataclass(frozen=True)
class Candidate:
    """A tree with what it costs and promises.

    Attributes
    ----------
    tree : SharingTree
    cost : float
        Parameters of the blocks of `tree`; decoders are not counted.
    probability : float
        That it keeps the threshold.
    """

    tree: SharingTree
    cost: float
    probability: float


@dataclass(frozen=True)
class Choice:
    """The smallest tree found that keeps the threshold as probably as asked.

    Attributes
    ----------
    chosen : Candidate
        Where no other tree does, the one that shares nothing.
    smaller : tuple of Candidate
        Smaller trees with a lower probability, by falling expected saving: the probability times
        what they save against `chosen`.
    """

    chosen: Candidate
    smaller: tuple[Candidate, ...]


def choose(
    promise: Promise, costs: Costs, confidence: float = CONFIDENCE, smaller: int = 5
) -> Choice:
    """Search for the smallest tree of swept depths that keeps the threshold.

    Parameters
    ----------
    promise : Promise
    costs : Costs
        Of an encoder of the table's depths.
    confidence : float
        Least probability, above 0 and below 1.
    smaller : int
        How many smaller trees are reported.
    """
    if not 0 < confidence < 1:
        raise ConfigError(f"expected a confidence above 0 and below 1, found {quoted(confidence)}")
    tasks, depths = promise.pairs.tasks, promise.pairs.depths
    saved = saved_by_level(costs, depths)
    known: dict[Group, tuple[float, float]] = {}
    best: Group = (0, tuple(range(len(tasks))))

    def look_at(group: Group) -> tuple[float, bool]:
        nonlocal best
        known[group] = gain, chance = saving(group, saved), promise.probability(group)
        better = chance >= confidence and (gain, chance) > known[best]
        best = group if better else best
        return gain * min(1.0, chance / confidence), better

    explore([best, *starts(promise, costs)], look_at, len(depths))

    def candidate(group: Group) -> Candidate:
        tree = to_tree(group, tasks, depths, costs.depth)
        return Candidate(tree, tree.cost(costs.block_params), known[group][1])

    base = known[best][0]
    missing = [group for group, (gain, chance) in known.items() if gain > base and chance > 0]
    missing.sort(key=lambda group: -(known[group][0] - base) * known[group][1])
    return Choice(candidate(best), tuple(map(candidate, missing[:smaller])))


def saved_by_level(costs: Costs, depths: Sequence[int]) -> list[float]:
    """Parameters of the blocks down to every level; a ConfigError if a depth is beyond them."""
    if depths[-1] > costs.depth:
        raise ConfigError(f"expected costs of at least {depths[-1]} blocks, found {costs.depth}")
    sums = (0.0, *itertools.accumulate(map(float, costs.block_params)))
    return [sums[depth] for depth in (0, *depths)]


def explore(
    begin: Iterable[Group],
    look_at: Callable[[Group], tuple[float, bool]],
    levels: int,
    patience: int = 80,
    most: int | None = None,
) -> None:
    """Look at trees, each once, best first, and at those one step away from what was looked at.

    The steps are merging, splitting, deepening and making shallower.

    Parameters
    ----------
    begin : iterable of Group
    look_at : callable
        Tells how promising a tree is, the higher the better, and whether it is the best so far.
    levels : int
        The deepest level.
    patience : int
        It ends after the surroundings of so many trees had none that is the best so far.
    most : int, optional
        It ends as well once so many trees were looked at.
    """
    seen: set[Group] = set()
    queue: list[tuple[float, int, Group]] = []

    def new(group: Group) -> bool:
        if group in seen:
            return False
        seen.add(group)
        promising, best = look_at(group)
        heapq.heappush(queue, (-promising, len(seen), group))
        return best

    for group in begin:
        new(group)
    idle = 0
    while queue and idle < patience and (most is None or len(seen) < most):
        found = [new(group) for group in neighbours(heapq.heappop(queue)[-1], levels)]
        idle = 0 if any(found) else idle + 1


def starts(promise: Promise, costs: Costs) -> Iterator[Group]:
    """Where to begin: the smallest trees of tables of posterior quantiles."""
    rungs = [(quantile, 0.0) for quantile in _QUANTILES]
    rungs += [(0.5, shift * promise.max_ar) for shift in _SHIFTS]
    kind = ExactSplits
    tasks, of = promise.pairs.tasks, promise.pairs.depths
    if len(tasks) > MAX_TASKS:
        kind, rungs = PaperSplits, rungs[:: len(_QUANTILES) // 2]  # seconds for each
    for passing in np.unique(promise.passing(rungs), axis=0):
        depths = tuple(tuple(itertools.compress(of, row)) for row in passing)
        graph = TaskGraph(tasks, depths)
        tree = TreeSearch(kind, graph, costs.block_params, strict=True).tree()
        yield from_tree(tree, tasks, of)
