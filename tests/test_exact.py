from __future__ import annotations

import itertools
import random
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_tables import (
    PAPER_BLOCKS,
    PAPER_TASKS,
    block_costs,
    exact_tree,
    graph_of,
    paper_table,
    recursive_tree,
    reordered,
    task_graphs,
    weights_of,
)

from synergy.errors import ConfigError, TableError
from synergy.synthesis import Question, TaskGraph, task_graph
from synergy.synthesis.exact import spanning_tree_bound
from synergy.tree import SharingTree

ONES = [1] * 8
COUNTEREXAMPLE = graph_of(
    ["t0", "t1", "t2", "t3"], {("t0", "t1"): 5, ("t2", "t3"): 5, ("t0", "t2"): 8}
)


def partitions(tasks):
    """All partitions of a sequence, as tuples of frozensets."""
    if not tasks:
        yield ()
        return
    first, *rest = tasks
    for partition in partitions(rest):
        yield (*partition, frozenset([first]))
        for i, group in enumerate(partition):
            yield (*partition[:i], group | {first}, *partition[i + 1 :])


def smallest_cost(graph, costs):
    """Cost of the smallest tree, block by block: groups that share block n refine those of n-1."""
    weights = {frozenset(pair): weight for pair, weight in weights_of(graph).items()}
    everything = list(partitions(list(graph.tasks)))
    refines = {
        (fine, coarse)
        for fine, coarse in itertools.product(everything, repeat=2)
        if all(any(group <= whole for whole in coarse) for group in fine)
    }
    best = {(frozenset(graph.tasks),): Fraction(0)}
    for number, cost in enumerate(costs, 1):
        allowed = [
            partition
            for partition in everything
            if all(
                weights[frozenset(pair)] >= number
                for group in partition
                for pair in itertools.combinations(group, 2)
            )
        ]
        best = {
            fine: len(fine) * Fraction(cost)
            + min(value for coarse, value in best.items() if (fine, coarse) in refines)
            for fine in allowed
        }
    return min(best.values())


@given(task_graphs(at_most=4, weights=tuple(range(9))), block_costs())
def test_equals_brute_force(graph, costs):
    tree = exact_tree(graph, costs)
    assert tree.cost(costs) == pytest.approx(float(smallest_cost(graph, costs)))


@pytest.mark.parametrize("seed", range(5))
def test_equals_brute_force_of_five_tasks(seed):
    draw = random.Random(seed)
    pairs = itertools.combinations("abcde", 2)
    graph = graph_of("abcde", {pair: draw.choice([0, 4, 5, 6, 8]) for pair in pairs})
    costs = [draw.randrange(100) for _ in range(8)]
    assert exact_tree(graph, costs).cost(costs) == smallest_cost(graph, costs)


@given(task_graphs(at_most=6, weights=tuple(range(9))), block_costs())
def test_feasible_not_above_the_recursion_and_not_below_the_bound(graph, costs):
    exact, recursive = exact_tree(graph, costs), recursive_tree(graph, costs)
    for tree in (exact, recursive):
        for pair, weight in weights_of(graph).items():
            assert tree.shared_depth(*pair) <= weight
    margin = 1e-9 * (1 + exact.cost(costs))
    assert exact.cost(costs) <= recursive.cost(costs) + margin
    saving = len(graph.tasks) * sum(costs) - exact.cost(costs)
    assert saving <= spanning_tree_bound(graph, costs) + margin


@given(st.lists(st.integers(0, 8), min_size=5, max_size=5), block_costs())
def test_the_bound_is_reached_by_nested_groups(depths, costs):
    # Weights that are themselves the shared depths of a tree: both solvers find this tree.
    outer, left, right, *_ = sorted(depths)
    tree = SharingTree.parse(f"{{{{a,b,c}}@{left},{{d,e}}@{right}}}@{outer}", 8)
    pairs = itertools.combinations("abcde", 2)
    graph = graph_of("abcde", {pair: tree.shared_depth(*pair) for pair in pairs})
    saving = 5 * sum(costs) - tree.cost(costs)
    assert spanning_tree_bound(graph, costs) == pytest.approx(saving)
    assert exact_tree(graph, costs).cost(costs) == pytest.approx(tree.cost(costs))
    assert recursive_tree(graph, costs).cost(costs) == pytest.approx(tree.cost(costs))


@given(task_graphs(at_most=6), st.data())
def test_order_of_tasks_changes_no_cost(graph, data):
    other = reordered(graph, data.draw(st.permutations(graph.tasks)))
    blocks = PAPER_BLOCKS[0]
    assert exact_tree(other, blocks).cost(blocks) == exact_tree(graph, blocks).cost(blocks)


def test_the_counterexample_of_the_recursion():
    tree = exact_tree(COUNTEREXAMPLE, ONES)
    assert tree == SharingTree.parse("{{t0,t2}@8,t1,t3}@4", 8)
    assert 4 * 8 - tree.cost(ONES) == 16
    growing = [1, 1, 2, 2, 4, 4, 8, 8]
    total = 4 * sum(growing)
    assert total - exact_tree(COUNTEREXAMPLE, growing).cost(growing) == 42
    assert total - recursive_tree(COUNTEREXAMPLE, growing).cost(growing) == 26


@pytest.mark.parametrize("blocks", PAPER_BLOCKS)
def test_the_papers_tree_is_the_smallest(blocks):
    table = paper_table()
    graph = task_graph(table, Question(2.0))
    for tree in (exact_tree(graph, blocks), exact_tree(graph, blocks, table)):
        assert tree.notation(PAPER_TASKS) == "{{gc,ac}@8,{scr,vad}@8}@6"
        assert tree.cost(blocks) == smallest_cost(graph, blocks)


def test_ties_go_to_the_even_split_then_to_the_order_of_tasks():
    weights = {("a", "b"): 8, ("c", "d"): 8, ("a", "c"): 8, ("b", "d"): 8}
    tree = exact_tree(graph_of("abcd", weights), ONES)
    assert tree.notation() == "{{a,b}@8,{c,d}@8}@4"


def test_fourteen_tasks_in_seconds():
    draw = random.Random(1)
    names = [f"t{i}" for i in range(14)]
    pairs = itertools.combinations(names, 2)
    graph = graph_of(names, {pair: draw.choice([4, 5, 6, 7, 8]) for pair in pairs})
    start = time.perf_counter()
    tree = exact_tree(graph, PAPER_BLOCKS[0])
    assert time.perf_counter() - start < 20  # under a second on an idle machine
    assert len(tree.tasks) == 14


def test_one_task_and_no_sharing():
    graph = TaskGraph(("gc",), ())
    assert exact_tree(graph, ONES) == SharingTree.single("gc", 8)
    assert spanning_tree_bound(graph, ONES) == 0
    tree = exact_tree(graph_of(["gc", "ac"], 0), ONES)
    assert tree == SharingTree.flat(["gc", "ac"], 0, 8)


def test_what_it_refuses():
    with pytest.raises(ConfigError, match=r"at most 14 tasks .* found 15"):
        exact_tree(graph_of([f"t{i}" for i in range(15)], 4), ONES)
    with pytest.raises(TableError, match="the 3 blocks of the encoder"):
        exact_tree(graph_of(["gc", "ac"], 4), [1] * 3)
