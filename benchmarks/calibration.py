"""What a promised tree is worth: simulated tables, the rule of the raw table beside the posterior.

    python benchmarks/calibration.py
    python benchmarks/calibration.py --json

Losses of pairs are drawn like those measured on recorded speech: for four kinds of task a mean, a
spread over partners and a slope by the block; additive, or with residuals of 0.5 points and, in
groups, deviations of 1 point from the sum of the pairs. Seeds scatter as measured on the first
packs of recordings (`recorded`), on larger ones (`larger`), or little (`steady`). Rules:

    raw       AR of means of 3 + 3 seeds, clipped at 0, at most 2 %; smallest tree
    full      the posterior of the same trainings; smallest tree with a probability of 0.9
    adaptive  the same, from the trainings that were asked for, a third as many at most
    rounds    the tree of adaptive, and at most three others after it, trained with three seeds
              and the one that is delivered with three fresh ones

Rules but the last are held against the losses of pairs. "In groups" adaptive is, as rounds are,
held against what tasks lose in the tree: the sum of what they lose in its pairs, and the deviation.
Kept: share of the trees that share something and are truly within 2 %. Above: share of all trees
that are truly above. Size: encoder parameters over those of the smallest tree that is truly within.
Takes some minutes on two cores.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from rich.console import Console
from rich.table import Table

from synergy.costs import Costs
from synergy.losses.adaptive import Goal, Training, next_trainings
from synergy.losses.choice import choose, explore, starts
from synergy.losses.evidence import Evidence
from synergy.losses.groups import Group, saving, to_tree
from synergy.losses.next_tree import Choices, next_variant
from synergy.losses.outlook import Measured, Outlook, Variant
from synergy.losses.pair_losses import PairLosses
from synergy.losses.pooling import Posterior, posterior
from synergy.losses.promise import Promise
from synergy.synthesis import ARTable, Cell, Question, accuracy_reduction, task_graph
from synergy.synthesis.exact import ExactSplits
from synergy.synthesis.tree_search import TreeSearch
from synergy.tree import SharingTree

DEPTHS = (4, 5, 6, 7, 8)
COSTS = Costs((168, 1806, 2838, 4221, 4032, 4032, 4032, 4032), (0,) * 8)
QUESTION = Question(2.0)
CONFIDENCE = 0.9
SCORE = 0.9  # of every single-task model
# Of the kinds gc, ac, scr, vad, in percent points.
MEANS, SPREADS, SLOPES = (1.06, -2.9, 0.9, -0.1), (0.9, 2.1, 1.8, 0.75), (0.1, 0.5, 0.27, 0.15)
RECORDED = np.array([(0.88, 6.34, 1.14, 0.63), (2.18, 4.9, 4.03, 0.76)])
RANGES = {"larger": (0.5, 1.7), "steady": (0.1, 0.3)}
NOISES = ("recorded", *RANGES)
IN_GROUPS = "adaptive, in groups"
GROUPS = (IN_GROUPS, "rounds")
RULES = ("raw", "full", "adaptive", *GROUPS)
ROUNDS = 3
TABLES = {4: 40, 6: 8, 10: 1}
WORKERS = {4: 4, 6: 8, 10: 16}


@dataclass(frozen=True)
class Truth:
    """What trainings would say if seeds made no difference.

    Attributes
    ----------
    losses : np.ndarray, [cells, 2]
    groups : np.ndarray, [tasks]
        By how much the loss of each task in a group deviates from the sum of its pairs.
    noise : np.ndarray, [2, tasks]
        Standard deviation over seeds, alone and in pairs, in percent points.
    """

    tasks: tuple[str, ...]
    losses: np.ndarray
    groups: np.ndarray
    noise: np.ndarray

    @classmethod
    def draw(cls, count: int, noise: str, additive: bool, rng: np.random.Generator) -> Truth:
        """Of so many tasks; four are one of each kind."""
        kinds = np.arange(4) if count == 4 else rng.integers(0, 4, count)
        steps = np.array(DEPTHS) - np.mean(DEPTHS)
        own = np.empty((count, count, len(DEPTHS)))
        for task, kind in enumerate(kinds):
            partners = MEANS[kind] + SPREADS[kind] * rng.standard_normal(count)
            slopes = SLOPES[kind] * rng.uniform(0, 2) * np.exp(0.3 * rng.standard_normal(count))
            own[task] = partners[:, None] + slopes[:, None] * steps
        own += 0.0 if additive else 0.5 * rng.standard_normal(own.shape)
        sd = RECORDED[:, kinds]
        if noise in RANGES:
            low, high = np.log(RANGES[noise])
            alone = np.exp(rng.uniform(low, high, count))
            sd = np.stack([alone, alone * np.exp(rng.uniform(-0.2, 0.5, count))])
        pairs = itertools.combinations(range(count), 2)
        losses = [np.stack([own[i, j], own[j, i]], axis=-1) for i, j in pairs]
        groups = rng.standard_normal(count) * (0.0 if additive else 1.0)
        tasks = tuple(f"t{number}" for number in range(count))
        return cls(tasks, np.concatenate(losses), groups, sd)

    def evidence(self) -> Evidence:
        """Before any training."""
        return Evidence(self.tasks, DEPTHS, {}, {})

    def train(
        self, evidence: Evidence, trainings: Sequence[Training], rng: np.random.Generator
    ) -> Evidence:
        """With the scores of some single-task models and pairs more."""
        singles, pairs = dict(evidence.singles), dict(evidence.pairs)
        place = {cell: number for number, cell in enumerate(evidence.cells())}
        for training in trainings:
            ends = [self.tasks.index(task) for task in training.tasks]
            noise = rng.standard_normal(len(ends))
            if training.depth:
                a, b = training.tasks
                key = a, b, training.depth
                relative = self.noise[1, ends] * noise - self.losses[place[key]]
                one, other = pairs.get(key, ((), ()))
                found = SCORE * (1 + relative / 100)
                pairs[key] = (*one, float(found[0])), (*other, float(found[1]))
            else:
                (task,) = training.tasks
                score = SCORE * (1 + self.noise[0, ends[0]] * noise[0] / 100)
                singles[task] = (*singles.get(task, ()), float(score))
        return replace(evidence, singles=singles, pairs=pairs)

    def whole_table(self, seeds: int, rng: np.random.Generator) -> Evidence:
        """With the scores of everything, from so many seeds."""
        keys = [((task,), 0) for task in self.tasks]
        keys += [((a, b), depth) for a, b, depth in self.evidence().cells()]
        trainings = [Training(*key, number) for key in keys for number in range(seeds)]
        return self.train(self.evidence(), trainings, rng)

    def pairs(self) -> PairLosses:
        """Its losses, as the only draw."""
        none = np.zeros((1, len(self.tasks)))
        known = Posterior(self.evidence(), self.losses[None], none, none[0], none[0])
        # single-task models that scored what they should
        singles = dict.fromkeys(self.tasks, (SCORE,))
        known = replace(known, evidence=replace(known.evidence, singles=singles))
        return PairLosses.of(known)

    def group_losses(self, tree: SharingTree) -> np.ndarray:
        """What every task truly loses in a tree, [tasks]."""
        pairs = self.pairs()
        levels = pairs.levels(tree)
        total = pairs.by_task(levels)[:, 0]
        partners = np.bincount(np.array(pairs.pairs)[levels > 0].ravel(), minlength=len(total))
        return total + self.groups * (partners > 1)

    def keeps(self, tree: SharingTree, groups: bool) -> bool:
        """Whether a tree is truly within the threshold: its tasks in their groups, or its pairs."""
        if groups:
            return bool((self.group_losses(tree) <= QUESTION.max_ar).all())
        return Promise(self.pairs(), QUESTION.max_ar).probability(tree) == 1


@dataclass(frozen=True)
class Outcome:
    """A tree against the truth, and how many intervals held it."""

    rule: str
    shares: bool
    kept: bool
    size: float
    trainings: int
    covered: float


def raw_tree(evidence: Evidence) -> SharingTree:
    """The smallest tree of the table of ARs."""
    singles = {task: float(np.mean(scores)) for task, scores in evidence.singles.items()}
    cells = [
        Cell(a, b, d, accuracy_reduction(singles, {a: float(np.mean(x)), b: float(np.mean(y))}))
        for (a, b, d), (x, y) in evidence.pairs.items()
    ]
    graph = task_graph(ARTable.from_cells(cells), QUESTION)
    return TreeSearch(ExactSplits, graph, COSTS.block_params, strict=True).tree()


@dataclass(frozen=True)
class Terms:
    """What is promised, and for how many trainings: a multiple of the default budget."""

    confidence: float
    budget: float

    def goal(self, evidence: Evidence) -> Goal:
        """What the adaptive rule is asked for."""
        goal = Goal(QUESTION, COSTS, self.confidence)
        return replace(goal, budget=round(self.budget * goal.most(evidence)))


def smallest(truth: Truth, groups: bool) -> float:
    """Encoder parameters of the smallest tree that is truly within the threshold."""
    promise = Promise(truth.pairs(), QUESTION.max_ar)
    found = choose(promise, COSTS).chosen.cost
    if not groups:
        return found
    alone = float(len(truth.tasks) * sum(COSTS.block_params))
    sums = [0.0, *itertools.accumulate(map(float, COSTS.block_params))]
    saved = [sums[depth] for depth in (0, *DEPTHS)]
    best = 0.0

    def look_at(group: Group) -> tuple[float, bool]:
        nonlocal best
        gain = saving(group, saved)
        excess = truth.group_losses(to_tree(group, truth.tasks, DEPTHS, 8)) - QUESTION.max_ar
        keeps = bool((excess <= 0).all())
        better = keeps and gain > best
        best = gain if better else best
        return gain - 5000 * max(0.0, float(excess.max())), better

    explore(starts(promise, COSTS), look_at, len(DEPTHS), 100)
    return alone - best


def deliver(
    truth: Truth,
    evidence: Evidence,
    first: SharingTree,
    confidence: float,
    rng: np.random.Generator,
) -> tuple[SharingTree, int]:
    """The tree that rounds end with, and how many trees were trained with three seeds each."""
    tables = {False: PairLosses.of(posterior(evidence))}
    trained: dict[Variant, Measured] = {}
    fresh: set[Variant] = set()
    choices = Choices(QUESTION, {1.0: COSTS}, (False,))
    alone = len(truth.tasks) * sum(COSTS.block_params)

    def train(variant: Variant) -> None:
        relative = truth.group_losses(variant.tree)
        noise = truth.noise[1] * rng.standard_normal(len(relative)) / np.sqrt(3)
        scores, seeds = SCORE * (1 - (relative + noise) / 100), 3
        if before := trained.get(variant):
            fresh.add(variant)
            scores, seeds = (scores + before.scores) / 2, 6
        trained[variant] = Measured(scores, seeds, np.zeros((len(relative), 1)))

    train(Variant(first))
    while True:
        outlook = Outlook(tables, trained)
        kept = [v for v in trained if outlook.keeps(v, QUESTION.max_ar) >= confidence]
        best = min(kept, key=choices.params, default=None)
        base = alone if best is None else choices.params(best)
        asked = next_variant(outlook, choices, [*trained], base) if len(trained) <= ROUNDS else None
        if asked is not None:
            train(asked.variant)
        elif best is None:
            return SharingTree.flat(truth.tasks, 0, 8), len(trained) + len(fresh)
        elif best in fresh:
            return best.tree, len(trained) + len(fresh)
        else:
            train(best)


def simulate(terms: Terms, tasks: int, noise: str, additive: bool, number: int) -> list[Outcome]:
    """All rules on one table."""
    rng = np.random.default_rng([tasks, NOISES.index(noise), additive, number])
    truth = Truth.draw(tasks, noise, additive, rng)
    alone = tasks * sum(COSTS.block_params)
    best = {groups: smallest(truth, groups) for groups in (False, True)}

    def outcome(
        label: str, tree: SharingTree, evidence: Evidence, known: Posterior | None, trees: int = 0
    ) -> Outcome:
        covered = float("nan")
        if known is not None:
            low, high = known.interval
            covered = float(np.mean((low <= truth.losses) & (truth.losses <= high)))
        cost, kept = tree.cost(COSTS.block_params), truth.keeps(tree, label in GROUPS)
        used = int(terms.goal(evidence).spent(evidence)) + 3 * trees
        size = cost / best[label in GROUPS]
        return Outcome(label, cost < alone, kept, size, used, covered)

    full = truth.whole_table(3, rng)
    known = posterior(full)
    found = [outcome("raw", raw_tree(full), full, None)]
    promise = Promise(PairLosses.of(known), QUESTION.max_ar)
    tree = choose(promise, COSTS, terms.confidence).chosen.tree
    found.append(outcome("full", tree, full, known))
    evidence = truth.evidence()
    goal = terms.goal(evidence)
    while (step := next_trainings(goal, evidence, WORKERS[tasks])).trainings:
        evidence = truth.train(evidence, step.trainings, rng)
    assert step.choice is not None
    tree, known = step.choice.chosen.tree, posterior(evidence)
    found.append(outcome("adaptive", tree, evidence, known))
    found.append(outcome(IN_GROUPS, tree, evidence, known))
    tree, trees = deliver(truth, evidence, tree, terms.confidence, rng)
    found.append(outcome("rounds", tree, evidence, known, trees))
    return found


def figures(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Coverage, kept, above, size and trainings of one rule."""
    sharing = [each.kept for each in outcomes if each.shares]
    return {
        "coverage_pct": 100 * float(np.mean([each.covered for each in outcomes])),
        "kept_of_promised_pct": 100 * float(np.mean(sharing)) if sharing else float("nan"),
        "truly_above_pct": 100 * float(np.mean([not each.kept for each in outcomes])),
        "size_over_best": float(np.mean([each.size for each in outcomes])),
        "trainings": float(np.mean([each.trainings for each in outcomes])),
    }


def over_all(every: Mapping[int, Sequence[Outcome]], rule: str) -> dict[str, float]:
    """The figures of one rule; trainings of four tasks, unless others were asked for."""
    own = {tasks: [each for each in found if each.rule == rule] for tasks, found in every.items()}
    trainings = figures(own[min(own)])["trainings"]
    return {**figures(list(itertools.chain(*own.values()))), "trainings": trainings}


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description="What a promised tree is worth.")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of tables")
    parser.add_argument("--tasks", type=int, nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--confidence", type=float, default=CONFIDENCE)
    parser.add_argument("--budget", type=float, default=1.0, help="times that of a third")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    columns = ("tasks", "seeds", "truth", "rule", "covered", "kept", "above", "size", "trainings")
    table = Table(*columns)
    every: dict[int, list[Outcome]] = {tasks: [] for tasks in options.tasks}
    kinds = itertools.product(every, NOISES, (True, False))
    terms = Terms(options.confidence, options.budget)
    with ProcessPoolExecutor(options.processes) as pool:
        jobs = []
        for tasks, noise, additive in kinds:
            count = max(1, round(TABLES[tasks] * options.scale))
            work = partial(simulate, terms, tasks, noise, additive)
            jobs.append((tasks, noise, additive, [pool.submit(work, n) for n in range(count)]))
        for tasks, noise, additive, futures in jobs:
            found = [outcome for future in futures for outcome in future.result()]
            every[tasks] += found
            for rule in RULES:
                row = figures([each for each in found if each.rule == rule])
                table.add_row(
                    str(tasks),
                    noise,
                    "additive" if additive else "not additive",
                    rule,
                    *(f"{value:.2f}" if value < 10 else f"{value:.0f}" for value in row.values()),
                )
    overall = {rule: over_all(every, rule) for rule in ("adaptive", "rounds")}
    if options.json:
        print(json.dumps({**overall["adaptive"], "rounds": overall["rounds"]}))
    else:
        Console(width=120).print(table)
        for rule, found in overall.items():
            Console(width=120).print(f"{rule}, overall:", found)


if __name__ == "__main__":
    main()
