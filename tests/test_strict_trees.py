"""Both solvers where pairs may only share depths that passed themselves."""

from __future__ import annotations

import itertools
import math
import random
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tables import (
    PAPER_BLOCKS,
    ar_tables,
    block_costs,
    exact_tree,
    recursive_tree,
    reordered,
    searched,
)
from small_trees import all_shapes, shape_of, strict_shapes

from synergy.errors import ConfigError, TableError
from synergy.synthesis import SOLVERS, Question, TaskGraph, task_graph
from synergy.synthesis.exact import MAX_TASKS, spanning_tree_bound
from synergy.synthesis.recursive import PaperSplits
from synergy.synthesis.tree_search import TreeSearch
from synergy.tree import SharingTree

BLOCKS = PAPER_BLOCKS[0]
ONES = [1] * 8
whole_costs = st.lists(st.integers(0, 9), min_size=8, max_size=8)


def strict_graph(tasks, depths):
    """Task graph of the depths that pass; pairs that ``depths`` does not name share nothing."""
    pairs = itertools.combinations(tasks, 2)
    return TaskGraph(tuple(tasks), tuple(tuple(sorted(depths.get(pair, ()))) for pair in pairs))


@st.composite
def strict_graphs(draw, at_most=4, swept=(2, 4, 5, 7, 8), monotone=False):
    tasks = [f"t{i}" for i in range(draw(st.integers(2, at_most)))]
    rows = st.sets(st.sampled_from(swept))
    if monotone:
        rows = st.integers(0, len(swept)).map(lambda count: swept[:count])
    return strict_graph(tasks, {p: draw(rows) for p in itertools.combinations(tasks, 2)})


def random_graph(tasks, seed, chance=0.6):
    draw = random.Random(seed)
    names = [f"t{i}" for i in range(tasks)]
    return strict_graph(
        names,
        {
            pair: [depth for depth in (4, 5, 6, 7, 8) if draw.random() < chance]
            for pair in itertools.combinations(names, 2)
        },
    )


def is_strict(tree, graph):
    return all(
        tree.shared_depth(*pair) in (0, *depths)
        for pair, depths in zip(graph.pairs(), graph.depths, strict=True)
    )


def test_the_list_of_all_trees_is_complete():
    # Numbers of chains of D partitions, each refining the one before.
    assert [len(all_shapes(2, depth)) for depth in (1, 2, 8)] == [2, 3, 9]
    assert len(all_shapes(4, 1)) == 15
    assert len(all_shapes(4)) == 1989
    assert len({shape.shared for shape in all_shapes(4)}) == 1989


# -- the exact solver -------------------------------------------------------------------------


@given(strict_graphs(), block_costs())
def test_exact_equals_brute_force(graph, costs):
    tree = exact_tree(graph, costs, strict=True)
    assert tree.cost(costs) == pytest.approx(min(s.cost(costs) for s in strict_shapes(graph)))
    assert shape_of(tree, graph.tasks) in {shape.shared for shape in strict_shapes(graph)}


@pytest.mark.parametrize("seed", range(30))
def test_exact_equals_brute_force_of_five_tasks(seed):
    draw = random.Random(seed)
    names = [f"t{i}" for i in range(5)]
    rows = {
        p: [d for d in (1, 2, 3) if draw.random() < 0.6] for p in itertools.combinations(names, 2)
    }
    graph = strict_graph(names, rows)
    costs = [draw.randrange(1, 100) for _ in range(3)]
    found = exact_tree(graph, costs, strict=True).cost(costs)
    assert found == min(shape.cost(costs) for shape in strict_shapes(graph, 3))


def test_three_tasks_without_a_common_depth_keep_two_others_from_joining_them():
    # b, c and d cannot all share 2 or more, so only one part of them can join e and f at 2.
    rows = dict.fromkeys(itertools.product("bcd", "ef"), (2,))
    rows |= {("b", "c"): (5,), ("b", "d"): (1, 3), ("c", "d"): (1, 4), ("e", "f"): (5,)}
    graph = strict_graph("bcdef", rows)
    costs = [1, 1, 1, 1, 100]
    tree = exact_tree(graph, costs, strict=True)
    assert tree.cost(costs) == min(shape.cost(costs) for shape in strict_shapes(graph, 5))
    assert is_strict(tree, graph)
    assert tree.notation() == "{{b,c}@5,{d,{e,f}@5}@2}@0"


@given(strict_graphs(at_most=6), st.data())
def test_order_of_tasks_changes_no_exact_cost(graph, data):
    other = reordered(graph, data.draw(st.permutations(graph.tasks)))
    costs = [exact_tree(g, BLOCKS, strict=True).cost(BLOCKS) for g in (graph, other)]
    assert costs[0] == costs[1]


def test_a_pair_that_failed_in_the_middle_is_worked_around():
    # With a above both at 4, b and c may still share 8, the only depth at which they passed.
    graph = strict_graph("abc", {("a", "b"): [4], ("a", "c"): [4], ("b", "c"): [8]})
    assert exact_tree(graph, ONES, strict=True).notation() == "{a,{b,c}@8}@4"
    # a-b and b-c have no depth in common, so b can share with one of the others only.
    graph = strict_graph("abc", {("a", "b"): [4], ("a", "c"): [5], ("b", "c"): [5]})
    assert exact_tree(graph, ONES, strict=True).notation() == "{{a,c}@5,b}@0"
    assert exact_tree(graph, ONES).notation() == "{{a,c}@5,b}@4"


def test_a_larger_depth_of_the_set_wins_over_a_smaller_one_of_equal_cost():
    graph = strict_graph("ab", {("a", "b"): [3, 4]})
    costs = [1, 1, 1, 0, 1, 1, 1, 1]
    assert exact_tree(graph, costs, strict=True).notation() == "{a,b}@4"


# -- the recursion ----------------------------------------------------------------------------


def smallest_inside(graph, tasks):
    weights = (max(depths_of(graph, pair)) for pair in itertools.combinations(tasks, 2))
    return min(weights, default=math.inf)


def depths_of(graph, pair):
    return (0, *graph.depths[graph.pairs().index(tuple(sorted(pair)))])


def saving_by_definition(graph, costs, tasks, above=0):
    """What the strict recursion saves, as its rule is stated; None without a tree."""
    if len(tasks) == 1:
        return 0
    splits = [
        (part, tuple(task for task in tasks if task not in part))
        for size in range(1, len(tasks))
        for part in itertools.combinations(tasks, size)
    ]
    kept = {split: min(smallest_inside(graph, part) for part in split) for split in splits}
    results = []
    for split in splits:
        if kept[split] < max(kept.values()):
            continue
        for depth in range(smallest_inside(graph, tasks), above - 1, -1):
            separated = [depths_of(graph, pair) for pair in itertools.product(*split)]
            if depth and not all(depth in depths for depths in separated):
                continue
            inside = [saving_by_definition(graph, costs, part, depth) for part in split]
            if None not in inside:
                results.append(sum(inside) + sum(costs[:depth]))
                break
    return max(results, default=None)


@settings(max_examples=60)
@given(
    strict_graphs(at_most=5, swept=(2, 5, 8)), st.lists(st.integers(0, 9), min_size=8, max_size=8)
)
def test_the_recursion_equals_its_definition(graph, costs):
    tree = recursive_tree(graph, costs, strict=True)
    saving = saving_by_definition(graph, costs, graph.tasks)
    assert len(graph.tasks) * sum(costs) - tree.cost(costs) == saving


def test_the_recursion_takes_a_smaller_depth_where_a_part_would_have_none():
    # a splits off and passes at 5. Then b-d and c-d, which have only 4 in common, had no depth.
    rows = {("a", task): [4, 5] for task in "bcd"}
    rows |= {("b", "c"): [8], ("b", "d"): [4, 6], ("c", "d"): [4, 7]}
    graph = strict_graph("abcd", rows)
    assert recursive_tree(graph, ONES, strict=True).notation() == "{a,{b,c}@8,d}@4"
    assert recursive_tree(graph, ONES).notation() == "{a,{{b,c}@8,d}@6}@5"


# -- both -------------------------------------------------------------------------------------


@given(strict_graphs(at_most=6, swept=(4, 5, 6, 7, 8)), block_costs())
def test_feasible_not_below_the_exact_one_and_not_below_the_bound(graph, costs):
    exact = exact_tree(graph, costs, strict=True)
    recursive = recursive_tree(graph, costs, strict=True)
    margin = 1e-9 * (1 + recursive.cost(costs))
    assert is_strict(exact, graph)
    assert is_strict(recursive, graph)
    assert exact.cost(costs) <= recursive.cost(costs) + margin
    assert exact_tree(graph, costs).cost(costs) <= exact.cost(costs) + margin
    saving = len(graph.tasks) * sum(costs) - exact.cost(costs)
    assert saving <= spanning_tree_bound(graph, costs) + margin


@given(strict_graphs(at_most=6, monotone=True), block_costs())
def test_without_failures_below_a_pass_strict_changes_nothing(graph, costs):
    for solve in (exact_tree, recursive_tree):
        assert solve(graph, costs, strict=True) == solve(graph, costs, strict=False)


@given(ar_tables(failures=False), st.floats(0, 12), st.sampled_from(SOLVERS))
def test_where_reductions_grow_with_depth_strict_changes_nothing(table, max_ar, solver):
    rows = (sorted(table.cell(a, b, d).ar_pct for d in table.depths) for a, b in table.pairs())
    values = itertools.chain.from_iterable(rows)
    cells = (replace(c, ar_pct=v) for c, v in zip(table.cells, values, strict=True))
    growing = replace(table, cells=tuple(cells))
    strict, free = (
        searched(growing, max_ar, BLOCKS, solver=solver, strict=s) for s in (True, False)
    )
    assert strict.tree == free.tree


@given(ar_tables(), st.floats(0, 12), st.sampled_from(SOLVERS))
def test_the_prediction_never_exceeds_the_threshold(table, max_ar, solver):
    found = searched(table, max_ar, BLOCKS, solver=solver, strict=True)
    assert found.strict
    assert found.predicted_ar_pct <= max_ar
    assert not any("against a threshold" in note for note in found.notes)
    assert is_strict(found.tree, task_graph(table, Question(max_ar)))
    assert found.provably_optimal == (found.encoder_cost == found.exact_cost)


@given(ar_tables(), st.floats(0, 10), st.floats(0, 10))
def test_a_larger_threshold_never_costs_more(table, one, other):
    low, high = (
        searched(table, max_ar, BLOCKS, solver="exact", strict=True).encoder_cost
        for max_ar in sorted((one, other))
    )
    assert high <= low


def test_one_task_and_no_sharing():
    graph = TaskGraph(("gc",), ())
    for solve in (exact_tree, recursive_tree):
        assert solve(graph, ONES, strict=True) == SharingTree.single("gc", 8)
        apart = solve(strict_graph("abc", {}), ONES, strict=True)
        assert apart == SharingTree.flat("abc", 0, 8)


# -- scale ------------------------------------------------------------------------------------


@pytest.mark.parametrize("chance", [0.5, 0.95])
def test_fourteen_tasks_in_seconds(chance):
    start = time.perf_counter()
    tree = exact_tree(random_graph(MAX_TASKS, 1, chance), BLOCKS, strict=True)
    assert time.perf_counter() - start < 30  # about a second on an idle machine
    assert len(tree.tasks) == MAX_TASKS


@pytest.mark.parametrize("chance", [0.5, 0.99])
def test_two_hundred_tasks_in_seconds(chance):
    graph = random_graph(200, 1, chance)
    start = time.perf_counter()
    tree = recursive_tree(graph, BLOCKS, strict=True)
    assert time.perf_counter() - start < 40  # a few seconds on an idle machine
    passing = dict(zip(map(frozenset, graph.pairs()), graph.depths, strict=True))
    depths = [(b.blocks[1] if b.blocks else 0, b) for b in tree.branches() if b.children]
    for depth, branch in depths:
        for one, other in itertools.combinations(branch.children, 2):
            for pair in itertools.product(one.tasks, other.tasks):
                assert depth in (0, *passing[frozenset(pair)])


def test_a_long_search_makes_do_with_what_it_has_seen():
    graph = random_graph(12, 1, 0.9)
    search = TreeSearch(PaperSplits, graph, ONES, strict=True)
    search.splits.max_effort = 100
    tree = search.tree()
    assert not search.complete
    assert search.effort < 3000
    assert is_strict(tree, graph)
    assert tree.cost(ONES) >= recursive_tree(graph, ONES, strict=True).cost(ONES)


# -- what they refuse -------------------------------------------------------------------------


def test_too_many_tasks():
    with pytest.raises(ConfigError, match=r"at most 14 tasks .* found 15"):
        exact_tree(random_graph(15, 1), ONES, strict=True)


def test_graphs_without_usable_depths():
    with pytest.raises(ValueError, match="shorter"):
        TaskGraph(("a", "b", "c"), ((4,),))
    for depths in ((6, 4), (4, 4), (-1, 6), (0, 6)):
        with pytest.raises(TableError, match="pair b-c: expected whole ascending depths"):
            TaskGraph(("a", "b", "c"), ((), (4,), depths))
