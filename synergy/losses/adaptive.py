"""Which trainings tell most about which tree to choose; see `next_trainings`."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from synergy.costs import Costs
from synergy.losses.choice import CONFIDENCE, Choice, choose
from synergy.losses.evidence import Evidence
from synergy.losses.pair_losses import PairLosses
from synergy.losses.pooling import Posterior, posterior
from synergy.losses.promise import Promise
from synergy.synthesis.question import Question

_BASELINES = 2  # seeds of every single-task model to begin with
_SMALLER = 8  # of 3, 8 and 25, none gave clearly smaller trees


@dataclass(frozen=True)
class Training:
    """One training to do.

    Attributes
    ----------
    tasks : tuple of str
        One: a single-task model. Two: a pair. With a depth of 0, several share nothing: a null
        control of all tasks.
    depth : int
        Shared blocks.
    number : int
        How many trainings of the same kind come before it: the place of its seed.
    """

    tasks: tuple[str, ...]
    depth: int
    number: int


@dataclass(frozen=True)
class Goal:
    """What trainings are wanted for.

    Parameters
    ----------
    question : Question
        Its threshold counts.
    costs : Costs
    confidence : float
        As in `choose`.
    budget : int, optional
        Most trainings in all; if not given, as many as each task alone and each cell once, which
        is a third of a table with three seeds.
    tolerance : float
        Expected saving by which a smaller tree must promise to be worth trainings, relative to
        the chosen tree: its probability times what it is smaller by.
    null_cost : float, optional
        What a null control of all tasks costs, in trainings, above 0. It is not asked for if not
        given, and then costs nothing.
    """

    question: Question
    costs: Costs
    confidence: float = CONFIDENCE
    budget: int | None = None
    tolerance: float = 0.02
    null_cost: float | None = None

    def depths(self, evidence: Evidence, task_a: str, task_b: str) -> list[int]:
        """Depths at which a pair can be trained, ascending."""
        failed = {depth for a, b, depth in evidence.failed if {a, b} == {task_a, task_b}}
        return [depth for depth in evidence.depths if depth not in failed]

    def most(self, evidence: Evidence) -> float:
        """The budget, in trainings."""
        whole = len(evidence.tasks) + len(evidence.cells())
        return whole if self.budget is None else self.budget

    def spent(self, evidence: Evidence) -> float:
        """Trainings so far, failed ones included."""
        nulls = max(_nulls(evidence, task) for task in evidence.tasks)
        return (
            sum(map(len, evidence.singles.values()))
            + sum(len(one) for one, _ in evidence.pairs.values())
            + len(evidence.failed)
            + nulls * (self.null_cost or 0.0)
        )


def least_budget(tasks: int, seeds: int) -> int:
    """Trainings with which a sweep begins: each task alone, with so many seeds, and each pair."""
    return tasks * max(_BASELINES, seeds) + math.comb(tasks, 2)


def usual_budget(tasks: int, depths: int, seeds: int) -> int:
    """Each task alone and each cell once, or as many as it takes to begin."""
    return max(tasks + math.comb(tasks, 2) * depths, least_budget(tasks, seeds))


@dataclass(frozen=True)
class Step:
    """What to train next.

    Attributes
    ----------
    trainings : tuple of Training
        The most telling first; empty when there is nothing more to do.
    reason : {"start", "undecided", "decided", "budget"}
        Start: what comes first is missing. Decided: no smaller tree promises enough.
    choice : Choice, or None
        The tree so far; None before all of the start was trained, unless the budget ends there.
    """

    trainings: tuple[Training, ...]
    reason: Literal["start", "undecided", "decided", "budget"]
    choice: Choice | None = None


def next_trainings(goal: Goal, evidence: Evidence, workers: int = 1) -> Step:
    """Name the trainings that tell most about the tree, for as many workers.

    To begin with, every task is trained alone twice and every pair once, at alternating depths.
    From then on it is asked of every cell and every baseline how much of the uncertainty whether
    a tree keeps the threshold one more training would take away; the trees are the chosen one and
    the smaller ones with the largest expected saving, each weighted with what it saves.

    What is wanted follows from the evidence alone, so a stopped sweep goes on where it was.

    Parameters
    ----------
    goal : Goal
    evidence : Evidence
        May be empty.
    workers : int
        At least 1.
    """
    left = goal.most(evidence) - goal.spent(evidence)
    start = _start(goal, evidence)
    if start and left >= 1:
        return Step(start[: min(workers, int(left))], "start")
    if not all(map(evidence.baseline, evidence.tasks)):
        return Step((), "budget")
    known = posterior(evidence)
    promise = Promise(PairLosses.of(known), goal.question.max_ar)
    choice = choose(promise, goal.costs, goal.confidence, _SMALLER)
    cost = choice.chosen.cost
    if all(c.probability * (1 - c.cost / cost) < goal.tolerance for c in choice.smaller):
        return Step((), "decided", choice)
    asked = _most_telling(goal, known, promise, choice, workers, left)
    return Step(asked, "undecided" if asked else "budget", choice)


def _start(goal: Goal, evidence: Evidence) -> tuple[Training, ...]:
    """What is missing of the trainings that come first in any case."""
    found = [
        Training((task,), 0, number)
        for number in range(_BASELINES)
        for task in evidence.tasks
        if len(evidence.singles.get(task, ())) <= number < _BASELINES - _nulls(evidence, task)
    ]
    for (i, a), (j, b) in itertools.combinations(enumerate(evidence.tasks), 2):
        depths = goal.depths(evidence, a, b)
        if depths and not any(evidence.scores(a, b, depth) for depth in evidence.depths):
            middle = (i + j) % 2 * (len(depths) // 2)
            found.append(Training((a, b), depths[-1 - middle], 0))
    return tuple(found)


@dataclass(frozen=True)
class _Option:
    """A training that could be done, and the scores that it gives."""

    training: Training
    scores: tuple[int, ...]
    price: float


def _options(goal: Goal, evidence: Evidence) -> list[_Option]:
    """All trainings that could be done; scores are those of every task alone, then of cells."""
    tasks = evidence.tasks
    found = [
        _Option(Training((task,), 0, len(evidence.singles.get(task, ()))), (place,), 1.0)
        for place, task in enumerate(tasks)
    ]
    if goal.null_cost is not None:
        number = max(_nulls(evidence, task) for task in tasks)
        everything = tuple(range(len(tasks)))
        found.append(_Option(Training(tasks, 0, number), everything, goal.null_cost))
    for place, (a, b, depth) in enumerate(evidence.cells()):
        if depth in goal.depths(evidence, a, b):
            training = Training((a, b), depth, len(evidence.scores(a, b, depth)))
            first = len(tasks) + 2 * place
            found.append(_Option(training, (first, first + 1), 1.0))
    return found


def _most_telling(
    goal: Goal, known: Posterior, promise: Promise, choice: Choice, count: int, left: float
) -> tuple[Training, ...]:
    """The trainings that explain most of whether trees keep the threshold, one after the other.

    Draws of whether each tree does are held against draws of the score that a training would
    give. After a training was picked, what it will explain is taken off, as of Gaussians.
    """
    tasks = known.evidence.tasks
    ends = np.array([[tasks.index(a), tasks.index(b)] for a, b, _ in known.evidence.cells()])
    scores = known.baseline[:, ends] - known.losses
    scores = np.concatenate([known.baseline, scores.reshape(len(scores), -1)], axis=1)
    noise = np.concatenate([known.single_variance, known.pair_variance[ends].ravel()])
    alone = len(tasks) * sum(goal.costs.block_params)
    worth = [alone - choice.chosen.cost, *(choice.chosen.cost - c.cost for c in choice.smaller)]
    trees = [c.tree for c in (choice.chosen, *choice.smaller)]
    keeps = np.stack([promise.keeps(tree) for tree in trees], axis=1)
    draws = np.concatenate([scores, keeps], axis=1)
    draws -= draws.mean(axis=0)
    covariance = draws.T @ draws / len(draws)
    size = len(noise)
    options = _options(goal, known.evidence)
    again: Counter[Training] = Counter()
    asked: list[Training] = []
    while len(asked) < count:
        explained = np.array(worth) @ covariance[size:, :size] ** 2
        explained /= covariance.diagonal()[:size] + noise
        within = [option for option in options if option.price <= left]
        if not within:
            break
        best = max(within, key=lambda option: explained[[*option.scores]].sum() / option.price)
        training = best.training
        asked.append(replace(training, number=training.number + again[training]))
        again[training] += 1
        left -= best.price
        for score in best.scores:
            row = covariance[score].copy()
            covariance -= np.outer(row, row) / (row[score] + noise[score])
    return tuple(asked)


def _nulls(evidence: Evidence, task: str) -> int:
    return len(evidence.nulls.get(task, ()))
