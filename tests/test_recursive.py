from __future__ import annotations

import itertools
import math
import random
import time
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_tables import (
    PAPER_BLOCKS,
    PAPER_TASKS,
    ar_tables,
    block_costs,
    graph_of,
    paper_table,
    recursive_tree,
    reordered,
    task_graphs,
    weights_of,
)

from synergy.errors import TableError, TreeError
from synergy.synthesis import ARTable, Question, TaskGraph, task_graph
from synergy.synthesis.recursive import PaperSplits
from synergy.synthesis.tree_search import TreeSearch
from synergy.tree import SharingTree

BLOCKS = PAPER_BLOCKS[0]
ONES = [1] * 8


def is_feasible(tree, graph):
    return all(tree.shared_depth(*p) <= weight for p, weight in weights_of(graph).items())


def smallest_inside(graph, tasks):
    weights = weights_of(graph)
    return min((weights[pair] for pair in itertools.combinations(tasks, 2)), default=math.inf)


def cost_by_definition(graph, costs, tasks, placed=0):
    """The recursion as it is stated: all splits, the best ones by their smallest weight."""
    if len(tasks) == 1:
        return sum(map(Fraction, costs[placed:]))
    shared = smallest_inside(graph, tasks)
    splits = []
    for size in range(1, len(tasks)):
        for part in itertools.combinations(tasks, size):
            other = tuple(task for task in tasks if task not in part)
            splits.append((part, other))
    kept = {split: min(smallest_inside(graph, part) for part in split) for split in splits}
    best = min(
        sum(cost_by_definition(graph, costs, part, shared) for part in split)
        for split in splits
        if kept[split] == max(kept.values())
    )
    return best + sum(map(Fraction, costs[placed:shared]))


@given(task_graphs(), block_costs())
def test_equals_the_definition(graph, costs):
    tree = recursive_tree(graph, costs)
    expected = cost_by_definition(graph, costs, graph.tasks)
    assert tree.cost(costs) == pytest.approx(float(expected))
    assert is_feasible(tree, graph)
    assert set(tree.tasks) == set(graph.tasks)


@given(ar_tables(), st.floats(0, 10), st.data())
def test_order_and_names_of_tasks_change_no_cost(table, max_ar, data):
    graph = task_graph(table, Question(max_ar))
    cost = recursive_tree(graph, BLOCKS, table).cost(BLOCKS)
    order = data.draw(st.permutations(table.tasks))
    shuffled = replace(table, tasks=tuple(order))
    assert (
        recursive_tree(task_graph(shuffled, Question(max_ar)), BLOCKS, shuffled).cost(BLOCKS)
        == cost
    )
    new = dict(
        zip(table.tasks, (f"task{i}" for i in data.draw(st.permutations(range(9)))), strict=False)
    )
    renamed = ARTable.from_cells(
        replace(cell, task_a=new[cell.task_a], task_b=new[cell.task_b]) for cell in table.cells
    )
    assert (
        recursive_tree(task_graph(renamed, Question(max_ar)), BLOCKS, renamed).cost(BLOCKS) == cost
    )


@given(task_graphs(), st.integers(1, 8), block_costs())
def test_the_unit_of_cost_changes_nothing(graph, factor, costs):
    one = recursive_tree(graph, costs)
    assert recursive_tree(graph, [cost * 2**factor for cost in costs]) == one


# -- the paper --------------------------------------------------------------------------------


@pytest.mark.parametrize("blocks", PAPER_BLOCKS)
def test_the_papers_tree(blocks):
    table = paper_table()
    tree = recursive_tree(task_graph(table, Question(2.0)), blocks, table)
    assert tree.notation(PAPER_TASKS) == "{{gc,ac}@8,{scr,vad}@8}@6"
    assert tree.cost(blocks) == pytest.approx(33_231, rel=0.01)


def test_the_recursion_is_not_always_optimal():
    weights = {("t0", "t1"): 5, ("t2", "t3"): 5, ("t0", "t2"): 8}
    graph = graph_of(["t0", "t1", "t2", "t3"], weights)
    tree = recursive_tree(graph, ONES)
    assert tree == SharingTree.parse("{{t0,t1}@5,{t2,t3}@5}@4", 8)
    assert 4 * 8 - tree.cost(ONES) == 14


# -- ties -------------------------------------------------------------------------------------


def test_ties_go_to_the_smaller_subtree():
    # Every split leaves a 4 inside; only t0-t1 beside t2-t3 lets both pairs share 8.
    graph = graph_of(["t0", "t1", "t2", "t3"], {("t0", "t2"): 8, ("t1", "t3"): 8})
    tree = recursive_tree(graph, ONES)
    assert tree == SharingTree.parse("{{t0,t2}@8,{t1,t3}@8}@4", 8)


def with_reduction(table, a, b, depth, ar_pct):
    cells = [
        replace(c, ar_pct=ar_pct) if {a, b, depth} == {c.task_a, c.task_b, c.shared_depth} else c
        for c in table.cells
    ]
    return ARTable(table.tasks, table.depths, tuple(cells))


def test_then_to_the_lower_reductions_of_pairs_that_stay_together():
    table = with_reduction(paper_table(), "gc", "ac", 8, 1.3)
    graph = task_graph(table, Question(2.0))
    # gc-scr 1.2 + gc-vad 0 + scr-vad 1.3 = 2.5 against gc-ac 1.3 + scr-vad 1.3 = 2.6
    tree = recursive_tree(graph, BLOCKS, table)
    assert tree.notation(PAPER_TASKS) == "{{gc,scr,vad}@8,ac}@6"
    even = recursive_tree(graph, BLOCKS)
    assert even.notation(PAPER_TASKS) == "{{gc,ac}@8,{scr,vad}@8}@6"
    assert tree.cost(BLOCKS) == even.cost(BLOCKS)


def test_reductions_are_compared_as_printed():
    # 1.2 + 0 + 1.3 equals 1.1 + 1.4 in decimals, so the more even split wins.
    table = with_reduction(paper_table(), "gc", "ac", 8, 1.2)
    tree = recursive_tree(task_graph(table, Question(2.0)), BLOCKS, table)
    assert tree.notation(PAPER_TASKS) == "{{gc,ac}@8,{scr,vad}@8}@6"


def test_a_failed_cell_at_the_depth_in_use_is_avoided():
    table = paper_table()
    graph = task_graph(table, Question(2.0))
    cells = [
        replace(cell, ar_pct=None, status="failed") if cell.label == "gc-ac at depth 8" else cell
        for cell in table.cells
    ]
    broken = ARTable(table.tasks, table.depths, tuple(cells))
    tree = recursive_tree(graph, BLOCKS, broken)
    assert tree.notation(PAPER_TASKS) == "{{gc,scr,vad}@8,ac}@6"


def test_then_to_the_order_of_tasks():
    weights = {("a", "b"): 8, ("c", "d"): 8, ("a", "c"): 8, ("b", "d"): 8}
    tree = recursive_tree(graph_of("abcd", weights), ONES)
    assert tree == SharingTree.parse("{{a,b}@8,{c,d}@8}@4", 8)
    weights = {tuple(sorted(pair)): 8 for pair in ("ab", "cd", "ac", "bd")}
    other = recursive_tree(reordered(graph_of("abcd", weights), "acbd"), ONES)
    assert other == SharingTree.parse("{{a,c}@8,{b,d}@8}@4", 8)


# -- edges of the domain ----------------------------------------------------------------------


def test_one_task():
    graph = TaskGraph(("gc",), ())
    assert recursive_tree(graph, ONES) == SharingTree.single("gc", 8)


def test_nothing_shared_and_everything_shared():
    tasks = ["a", "b", "c"]
    assert recursive_tree(graph_of(tasks, 0), ONES) == SharingTree.flat(tasks, 0, 8)
    assert recursive_tree(graph_of(tasks, 8), ONES) == SharingTree.flat(tasks, 8, 8)


def test_weights_of_numpy_and_blocks_without_cost():
    graph = graph_of("abc", {("a", "b"): np.int64(8)})
    assert recursive_tree(graph, [0.0] * 8).notation() == "{{a,b}@8,c}@4"


def wide_graph(values, tasks=200):
    draw = random.Random(1)
    names = [f"t{i}" for i in range(tasks)]
    pairs = itertools.combinations(names, 2)
    return graph_of(names, {pair: draw.choice(values) for pair in pairs})


@pytest.mark.parametrize("values", [[8], [0, 4, 5, 6, 7, 8], [7] + [8] * 50])
def test_two_hundred_tasks_in_seconds(values):
    graph = wide_graph(values)
    start = time.perf_counter()
    tree = recursive_tree(graph, BLOCKS)
    assert time.perf_counter() - start < 40  # a few seconds on an idle machine
    assert len(tree.tasks) == 200
    weights = weights_of(reordered(graph, tree.tasks))
    rows = {branch: branch.tasks for branch in tree.branches() if branch.children}
    for branch, tasks in rows.items():
        inside = [weights[pair] for pair in itertools.combinations(tasks, 2)]
        last = branch.blocks[1] if branch.blocks else 0
        assert last <= min(inside)


def test_it_is_known_whether_every_tie_was_followed():
    few = TreeSearch(PaperSplits, wide_graph([4, 6, 8], tasks=9), ONES)
    many = TreeSearch(PaperSplits, wide_graph([4, 6, 8], tasks=40), ONES)
    few.tree()
    many.tree()
    assert few.complete
    assert not many.complete
    assert many.tree() == TreeSearch(PaperSplits, wide_graph([4, 6, 8], tasks=40), ONES).tree()


def test_a_long_search_makes_do_with_what_it_has_seen():
    graph = wide_graph([4, 5, 6, 7, 8], tasks=12)
    search = TreeSearch(PaperSplits, graph, ONES)
    search.splits.max_effort = 100
    tree = search.tree()
    assert not search.complete
    assert search.effort < 1000
    assert is_feasible(tree, graph)
    assert tree.cost(ONES) >= recursive_tree(graph, ONES).cost(ONES)


# -- what it refuses --------------------------------------------------------------------------


def test_weights_that_the_encoder_cannot_share():
    with pytest.raises(TableError, match=r"pair a-b: .* the 6 blocks .* weight of 8"):
        recursive_tree(graph_of("ab", 8), [1] * 6)


@pytest.mark.parametrize("weight", [-1, 4.5, None, "8"])
def test_impossible_weights(weight):
    with pytest.raises(TableError, match="pair b-c: expected whole ascending depths of at least 1"):
        TaskGraph(tuple("abc"), ((4,), (4,), (weight,)))


@pytest.mark.parametrize(
    ("costs", "words"),
    [
        ([*[1] * 7, -1], "block 8: expected a finite cost"),
        ([math.nan, *[1] * 7], "block 1: .* found nan"),
        ([*[1] * 7, math.inf], "block 8: .* found inf"),
    ],
)
def test_impossible_costs(costs, words):
    with pytest.raises(TreeError, match=words):
        recursive_tree(graph_of("ab", 4), costs)


def test_a_table_of_other_tasks_or_depths():
    table = paper_table()
    with pytest.raises(TableError, match="table of the tasks a, b as in the task graph"):
        recursive_tree(graph_of("ab", 4), ONES, table)
    with pytest.raises(TableError, match=r"pair gc-ac: .* AR at depth 3 in the table"):
        recursive_tree(graph_of(PAPER_TASKS, {("gc", "ac"): 3}), ONES, table)


def test_no_task_and_unusable_names():
    with pytest.raises(TableError, match="at least one task"):
        TaskGraph((), ())
    with pytest.raises(TreeError, match="task '1st'"):
        recursive_tree(graph_of(["1st", "b"], 4), ONES)
