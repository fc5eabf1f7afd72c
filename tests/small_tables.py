"""Small AR tables, task graphs and sharing trees, and the numbers of the paper, for many tests."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from hypothesis import strategies as st

from synergy import limits
from synergy.costs import Costs
from synergy.synthesis import ARTable, Cell, Question, Synthesis, TaskGraph, search
from synergy.synthesis.exact import ExactSplits
from synergy.synthesis.recursive import PaperSplits
from synergy.synthesis.tree_search import TreeSearch
from synergy.tree import Branch, SharingTree

PAPER = Path(__file__).parent / "data" / "paper"
PAPER_TASKS = ("gc", "ac", "scr", "vad")
# Two encoders with the sizes of the paper: one with known layers, one with known sums.
PAPER_BLOCKS = (
    (168, 1806, 2838, 4221, 4032, 4032, 4032, 4032),
    (9033 / 4, 9033 / 4, 9033 / 4, 9033 / 4, 4033, 4033, 4033, 4033),
)
PAPER_DECODERS = 19_333


def paper_table() -> ARTable:
    return ARTable.from_csv(PAPER / "table3_pairwise_ar.csv")


def paper_rows(name: str) -> list[dict[str, str]]:
    with (PAPER / name).open(newline="") as file:
        return list(csv.DictReader(file))


def graph_of(tasks: Sequence[str], weights: Mapping[tuple[str, str], int] | int) -> TaskGraph:
    """Task graph; pairs that ``weights`` does not name have the weight 4."""
    pairs = itertools.combinations(tasks, 2)
    found = [weights if isinstance(weights, int) else weights.get(pair, 4) for pair in pairs]
    return TaskGraph(tuple(tasks), tuple((weight,) if weight else () for weight in found))


def reordered(graph: TaskGraph, order: Sequence[str]) -> TaskGraph:
    """The same graph, its tasks in another order."""
    depths = {frozenset(p): own for p, own in zip(graph.pairs(), graph.depths, strict=True)}
    pairs = itertools.combinations(order, 2)
    return TaskGraph(tuple(order), tuple(depths[frozenset(pair)] for pair in pairs))


def weights_of(graph: TaskGraph) -> dict[tuple[str, str], int]:
    return dict(zip(graph.pairs(), graph.weights, strict=True))


def costs_of(blocks: Sequence[float]) -> Costs:
    """Parameters of the blocks, which need not be whole; nothing costs a MAC."""
    return Costs(tuple(blocks), (0,) * len(blocks))  # type: ignore[arg-type]


def exact_tree(graph, costs, table=None, strict=False) -> SharingTree:
    return TreeSearch(ExactSplits, graph, costs, table, strict).tree()


def recursive_tree(graph, costs, table=None, strict=False) -> SharingTree:
    return TreeSearch(PaperSplits, graph, costs, table, strict).tree()


def searched(table: ARTable, max_ar: float, blocks: Sequence[float], **terms) -> Synthesis:
    return search(Question(max_ar, **terms), table, costs_of(blocks))


def task_names(at_least: int, at_most: int) -> st.SearchStrategy[list[str]]:
    name = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,3}", fullmatch=True)
    return st.lists(
        name, min_size=at_least, max_size=at_most, unique_by=lambda task: task.replace("-", "_")
    )


@st.composite
def task_graphs(draw, at_least=2, at_most=5, depth=8, weights=(0, 4, 5, 6, 7, 8)):
    tasks = [f"t{i}" for i in range(draw(st.integers(at_least, at_most)))]
    # Few different weights make many ties.
    values = draw(st.lists(st.sampled_from(weights), min_size=1, max_size=4))
    return graph_of(
        tasks,
        {
            pair: min(depth, draw(st.sampled_from(values)))
            for pair in itertools.combinations(tasks, 2)
        },
    )


def block_costs(depth: int = 8) -> st.SearchStrategy[list[float]]:
    cost = st.integers(0, 50) | st.floats(0, 50).map(lambda cost: round(cost, 2))
    return st.lists(cost, min_size=depth, max_size=depth)


@st.composite
def ar_tables(draw, at_most=5, depths=(4, 5, 6, 7, 8), failures=True, exotic=False):
    """Complete tables; with ``exotic``, every attribute of a cell may have any legal value."""
    tasks = draw(task_names(2, at_most))
    reductions = st.floats(0, 10).map(lambda ar: round(ar, 1))
    scores = st.none()
    reasons = st.just("")
    if exotic:
        reductions |= st.floats(0, limits.AR)
        scores |= st.floats(-limits.SCORE, limits.SCORE)
        reasons = st.text(max_size=20)
    cells = []
    for a, b in itertools.combinations(tasks, 2):
        for depth in depths:
            failed = failures and draw(st.integers(0, 9)) == 0
            cells.append(
                Cell(
                    a,
                    b,
                    depth,
                    None if failed else draw(reductions),
                    "failed" if failed else "measured",
                    draw(reasons),
                    draw(st.integers(1, 5)),
                    *(draw(scores) for _ in range(4)),
                    test_ar_pct=draw(reductions) if exotic else None,
                )
            )
    return ARTable.from_cells(cells)


@st.composite
def sharing_trees(draw, at_most=6, max_depth=9):
    depth = draw(st.integers(1, max_depth))
    tasks = draw(task_names(1, at_most))

    def grow(tasks: list[str], placed: int) -> Branch:
        if len(tasks) == 1:
            return Branch((placed + 1, depth) if placed < depth else None, tuple(tasks))
        last = draw(st.integers(placed, depth))
        groups: dict[int, list[str]] = {}
        for task in tasks:
            groups.setdefault(draw(st.integers(0, 2)), []).append(task)
        if len(groups) == 1:  # one group again would never end
            groups = {i: [task] for i, task in enumerate(tasks)}
        children = tuple(grow(group, last) for group in groups.values())
        return Branch((placed + 1, last) if last > placed else None, tuple(tasks), children)

    return SharingTree(grow(tasks, 0), depth)
