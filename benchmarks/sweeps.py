"""How many trainings the sweeps take, and whether `lazy` finds the smallest tree.

    python benchmarks/sweeps.py

Four tasks, five depths, AR growing with depth: all 46,656 tables that differ in what passes.
Prints a Markdown table with the trainings of each sweep, on average over kinds of tables, and
fails when a tree of `lazy` is not the smallest one or takes more than 18 trainings. A second
table shows how often the tree is the smallest one where noise breaks the assumption. Takes some
minutes on one core.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from synergy.costs import Costs
from synergy.synthesis import ARTable, Cell, Question, task_graph
from synergy.synthesis.cells import CellKey
from synergy.synthesis.exact import ExactSplits
from synergy.synthesis.resampling import TableSamples, noisy_samples
from synergy.synthesis.sweeps import SWEEPS, Sweep, SweepGoal, run_sweep
from synergy.synthesis.tree_search import TreeSearch

PAPER = Path(__file__).parents[1] / "tests" / "data" / "paper" / "table3_pairwise_ar.csv"
TASKS = ("a", "b", "c", "d")
DEPTHS: tuple[int, ...] = (4, 5, 6, 7, 8)
WEIGHTS: tuple[int, ...] = (0, *DEPTHS)
COSTS = (168, 1806, 2838, 4221, 4032, 4032, 4032, 4032)
GOAL = SweepGoal(TASKS, DEPTHS, Question(2.0), Costs(COSTS, (0,) * len(COSTS)))
MOST = 18

# Chance of each weight of a pair, from 0 to 8 shared blocks.
KINDS = {
    "sharable": (0.04, 0.04, 0.06, 0.08, 0.13, 0.65),
    "uniform": (1 / 6,) * 6,
    "hard": (0.60, 0.12, 0.10, 0.08, 0.05, 0.05),
}

Ranges = tuple[tuple[int, int], ...]
"""For each pair, the smallest and the largest weight that the cells leave."""


@cache
def smallest(weights: tuple[int, ...]) -> float:
    """Cost of the smallest tree under the weights of the pairs."""
    table = ARTable.from_cells(
        Cell(a, b, depth, 1.0 if depth <= weight else 3.0)
        for (a, b), weight in zip(GOAL.pairs(), weights, strict=True)
        for depth in DEPTHS
    )
    return TreeSearch(ExactSplits, task_graph(table, GOAL.question), COSTS).tree().cost(COSTS)


def ends(sweep: Sweep, batch: int) -> Iterator[tuple[Ranges, int, int]]:
    """What is known when a sweep ends, the number of cells and of rounds, for all outcomes."""
    stack: list[tuple[dict[CellKey, Cell], int]] = [({}, 0)]
    while stack:
        known, rounds = stack.pop()
        keys = sweep.wanted(GOAL, known, batch)
        if not keys:
            yield tuple(_range(known, pair) for pair in GOAL.pairs()), len(known), rounds
            continue
        for outcome in itertools.product((1.0, 3.0), repeat=len(keys)):
            new = {key: Cell(*key, ar) for key, ar in zip(keys, outcome, strict=True)}
            if _possible({**known, **new}, {key[:2] for key in keys}):
                stack.append((known | new, rounds + 1))


def _range(known: dict[CellKey, Cell], pair: tuple[str, str]) -> tuple[int, int]:
    row = {
        key[2]: cell.passes(GOAL.question.max_ar) for key, cell in known.items() if key[:2] == pair
    }
    least = max((depth for depth, passed in row.items() if passed), default=0)
    limit = min((depth for depth, passed in row.items() if not passed), default=9)
    return least, max((weight for weight in WEIGHTS if weight < limit), default=0)


def _possible(known: dict[CellKey, Cell], pairs: set[tuple[str, str]]) -> bool:
    return all(least <= most for least, most in (_range(known, pair) for pair in pairs))


def count(name: str, batch: int) -> tuple[str, bool]:
    """One row of the first table, and whether nothing was wrong with the trees."""
    trainings = dict.fromkeys(KINDS, 0.0)
    rounds = dict.fromkeys(KINDS, 0.0)
    counts: dict[int, int] = {}
    right = True
    for ranges, cells, taken in ends(SWEEPS[name], batch):
        choices = [[w for w in WEIGHTS if least <= w <= most] for least, most in ranges]
        for kind, chances in KINDS.items():
            weight_of: dict[int, float] = dict(zip(WEIGHTS, chances, strict=True))
            share = float(np.prod([sum(map(weight_of.__getitem__, c)) for c in choices]))
            trainings[kind] += share * cells
            rounds[kind] += share * taken
        counts[cells] = counts.get(cells, 0) + int(np.prod([len(c) for c in choices]))
        cost = smallest(tuple(least for least, _ in ranges))
        right &= all(smallest(weights) == cost for weights in itertools.product(*choices))
    total = sum(counts.values())
    mean = sum(cells * times for cells, times in counts.items()) / total
    means = " | ".join(f"{trainings[kind]:.1f} in {rounds[kind]:.1f}" for kind in KINDS)
    row = f"| {name} | {batch} | {means} | {min(counts)} | {mean:.2f} | {max(counts)} |"
    return row, right and total == len(WEIGHTS) ** 6 and (name != "lazy" or max(counts) <= MOST)


def noisy(samples: TableSamples, name: str, batch: int) -> tuple[float, float]:
    """Mean trainings, and the share of tables whose smallest tree a sweep finds."""
    table = samples.table
    goal = SweepGoal(table.tasks, table.depths, GOAL.question, GOAL.costs)
    trained = same = 0
    for ar in samples.ar.tolist():
        drawn = ARTable.from_cells(
            Cell(*cell.key, value) for cell, value in zip(table.cells, ar, strict=True)
        )

        def train(keys: Sequence[CellKey], drawn: ARTable = drawn) -> list[Cell]:
            return [drawn.cell(*key) for key in keys]

        found = run_sweep(SWEEPS[name], goal, train, batch=batch)
        trained += sum(cell.status == "measured" for cell in found.cells)
        graphs = [task_graph(t, GOAL.question) for t in (found, drawn)]
        one, other = (TreeSearch(ExactSplits, graph, COSTS).tree() for graph in graphs)
        same += one.cost(COSTS) == other.cost(COSTS)
    return trained / len(samples.ar), same / len(samples.ar)


def ramps(count: int, sd: float) -> Iterator[TableSamples]:
    """Tables whose AR grows by the block, at a rate of its own for each pair, with noise."""
    rng = np.random.default_rng(0)
    for number in range(count):
        rates = dict(zip(GOAL.pairs(), rng.uniform(0, 1.2, 6).tolist(), strict=True))
        yield noisy_samples(
            ARTable.from_cells(
                Cell(a, b, depth, rates[a, b] * (depth - 3))
                for a, b in GOAL.pairs()
                for depth in DEPTHS
            ),
            sd,
            1,
            number,
        )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description="Trainings of the sweeps, and lazy's trees.")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--tables", type=int, default=200, help="of the second table")
    options = parser.parse_args()
    print(f"| sweep | at once | {' | '.join(KINDS)} | least | mean | most |")
    print(f"| --- | --- |{' --- |' * len(KINDS)} --- | --- | --- |")
    print(f"| full | any | {' | '.join(['30.0 in 1.0'] * len(KINDS))} | 30 | 30.00 | 30 |")
    wrong = False
    for name, batch in (("scan", 1), *(("lazy", batch) for batch in options.batches)):
        row, right = count(name, batch)
        wrong |= not right
        print(row, flush=True)
    print("\n| tables | sweep | trainings | smallest tree |\n| --- | --- | --- | --- |")
    paper = ARTable.from_csv(PAPER)
    drawn = {
        "paper's, noise of 0.5 points": [noisy_samples(paper, 0.5, options.tables, 0)],
        "growing, noise of 0.5 points": list(ramps(options.tables, 0.5)),
    }
    for (title, samples), name in itertools.product(drawn.items(), ("scan", "lazy")):
        found = np.array([noisy(one, name, 1) for one in samples]).mean(axis=0)
        print(f"| {title} | {name} | {found[0]:.1f} | {100 * found[1]:.0f} % |", flush=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
