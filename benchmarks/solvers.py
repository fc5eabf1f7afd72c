"""Seconds that the solvers take, beside trying every sharing tree.

    python benchmarks/solvers.py
    python benchmarks/solvers.py --limit 60 --json

Random task graphs over eight blocks, one process, one thread. Seconds are those of the processor,
so that a busy machine does not change them. The enumeration lists every tree, checks it against
the weights and keeps the cheapest; where it comes to an end, its cost must be the exact solver's.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from synergy.synthesis import TaskGraph
from synergy.synthesis.exact import MAX_TASKS, ExactSplits
from synergy.synthesis.recursive import PaperSplits
from synergy.synthesis.task_sets import TaskSets
from synergy.synthesis.tree_search import Splits, TreeSearch

DEPTH = 8
SWEPT = (4, 5, 6, 7, 8)
BLOCKS = (168, 1806, 2838, 4221, 4032, 4032, 4032, 4032)  # parameters
COUNTS = {3: 117, 4: 1_989, 5: 41_709, 6: 1_038_975, 7: 29_947_185}  # trees over eight blocks

# What is shared at the root, and the parts below; a task has no parts.
Plan = tuple[int, tuple["Plan", ...], tuple[int, ...]]


@dataclass(frozen=True)
class Measured:
    """One line of the table.

    Attributes
    ----------
    method : str
    tasks : int
    seconds : float
    result : str
        What came out, or how far it got.
    """

    method: str
    tasks: int
    seconds: float
    result: str


def task_graph_of(tasks: int, seed: int) -> TaskGraph:
    """Task graph with any weight of the swept depths; most of the smaller depths pass as well."""
    draw = random.Random(seed)
    depths: list[tuple[int, ...]] = []
    for _ in range(tasks * (tasks - 1) // 2):
        weight = draw.choice(SWEPT)
        passing = (depth for depth in SWEPT if depth < weight and draw.random() < 0.8)
        depths.append((*passing, weight))
    return TaskGraph(tuple(f"t{i}" for i in range(tasks)), tuple(depths))


def plans(tasks: tuple[int, ...], least: int) -> Iterator[Plan]:
    """Every tree of some tasks that first split after ``least`` blocks or later."""
    if len(tasks) == 1:
        yield DEPTH, (), tasks
        return
    for shared in range(least, DEPTH + 1):
        for groups in partitions(tasks):
            if len(groups) > 1:
                for parts in plans_of_all(groups, shared + 1):
                    yield shared, parts, tasks


def plans_of_all(groups: tuple[tuple[int, ...], ...], least: int) -> Iterator[tuple[Plan, ...]]:
    """Every combination of a tree for each group; no list of them is kept."""
    if not groups:
        yield ()
        return
    for plan in plans(groups[0], least):
        for others in plans_of_all(groups[1:], least):
            yield plan, *others


def partitions(tasks: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Every way to put tasks into groups."""
    if not tasks:
        yield ()
        return
    first, rest = tasks[:1], tasks[1:]
    for groups in partitions(rest):
        yield (first, *groups)
        for i, group in enumerate(groups):
            yield (*groups[:i], first + group, *groups[i + 1 :])


def cost_of(plan: Plan, placed: int, weights: list[list[int]]) -> float | None:
    """Parameters of the blocks after ``placed``; None where a pair shares more than its weight."""
    shared, parts, _ = plan
    total = float(sum(BLOCKS[placed:shared]))
    for one, other in itertools.combinations(parts, 2):
        if any(weights[i][j] < shared for i in one[2] for j in other[2]):
            return None
    for part in parts:
        cost = cost_of(part, shared, weights)
        if cost is None:
            return None
        total += cost
    return total


def enumerate_all(graph: TaskGraph, limit_s: float) -> Measured:
    """Try every tree, until there is none left or the time is up."""
    tasks = len(graph.tasks)
    weights = TaskSets(graph).weights[::-1]  # the first task has the last bit
    weights = [row[::-1] for row in weights]
    started = time.process_time()
    best, count = float("inf"), 0
    for plan in plans(tuple(range(tasks)), 0):
        cost = cost_of(plan, 0, weights)
        best = best if cost is None else min(best, cost)
        count += 1
        if count % 1000 == 0 and time.process_time() - started > limit_s:
            share = count / COUNTS[tasks]
            found = f"stopped after {count:,} of {COUNTS[tasks]:,} trees, {share:.0%}"
            return Measured("every tree", tasks, time.process_time() - started, found)
    seconds = time.process_time() - started
    exact = TreeSearch(ExactSplits, graph, BLOCKS).tree().cost(BLOCKS)
    if (count, best) != (COUNTS[tasks], exact):
        sys.exit(f"expected {COUNTS[tasks]} trees and a cost of {exact}, found {count} and {best}")
    return Measured("every tree", tasks, seconds, f"{count:,} trees, smallest {best:,.0f}")


def solver(name: str, kind: type[Splits], graph: TaskGraph, strict: bool = False) -> Measured:
    """Time one solver."""
    started = time.process_time()
    tree = TreeSearch(kind, graph, BLOCKS, strict=strict).tree()
    seconds = time.process_time() - started
    share = tree.cost(BLOCKS) / (len(graph.tasks) * sum(BLOCKS))
    return Measured(name, len(graph.tasks), seconds, f"{share:.0%} of independent encoders")


def measurements(limit_s: float, seed: int) -> Iterator[Measured]:
    """Everything in turn."""
    for tasks in COUNTS:
        graph = task_graph_of(tasks, seed)
        yield enumerate_all(graph, limit_s)
        yield solver("exact", ExactSplits, graph)
    most, many = task_graph_of(MAX_TASKS, seed), task_graph_of(200, seed)
    for strict, mode in ((False, ""), (True, ", strict")):
        yield solver(f"exact{mode}", ExactSplits, most, strict)
        for graph in (most, many):
            yield solver(f"recursion{mode}", PaperSplits, graph, strict)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="Seconds that the solvers take.")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds for one enumeration")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = list(measurements(options.limit, options.seed))
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    table = Table("method", "tasks", "seconds", "result")
    for row in rows:
        table.add_row(row.method, str(row.tasks), f"{row.seconds:.4f}", row.result)
    Console().print(table)


if __name__ == "__main__":
    main()
