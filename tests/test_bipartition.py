from __future__ import annotations

import itertools
import math
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_tables import graph_of, paper_table, reordered, task_graphs, weights_of

from synergy.synthesis import Question, task_graph
from synergy.synthesis.bipartition import (
    MAX_GROUPS,
    close_split,
    conflict_groups,
    optimal_splits,
)
from synergy.synthesis.task_sets import TaskSets


def smallest_inside(graph, split):
    weights = {frozenset(pair): weight for pair, weight in weights_of(graph).items()}
    inside = [pair for part in split for pair in itertools.combinations(part, 2)]
    return min((weights[frozenset(pair)] for pair in inside), default=math.inf)


def groups_of(graph, tasks=()):
    """Bit sets of a graph, the set of some of its tasks and its groups."""
    sets = TaskSets(graph)
    mask = sum(1 << sets.bit[task] for task in tasks or graph.tasks)
    return sets, mask, conflict_groups(sets, mask)


def best_splits(graph, tasks=()):
    """Every split that keeps the smallest weight inside the parts largest, by task names."""
    sets, mask, groups = groups_of(graph, tasks)
    return [(sets.names(one), sets.names(mask ^ one)) for one in optimal_splits(mask, groups)]


def close_split_of(graph):
    sets, mask, groups = groups_of(graph)
    one = close_split(sets, groups)
    return sets.names(one), sets.names(mask ^ one)


def all_splits(tasks):
    """Every way to cut a sequence of tasks in two, as sets."""
    for size in range(1, len(tasks)):
        for part in itertools.combinations(tasks, size):
            if tasks[0] in part:
                yield frozenset(part), frozenset(tasks) - frozenset(part)


def as_sets(splits):
    return [tuple(map(frozenset, split)) for split in splits]


@given(task_graphs(at_most=7, weights=tuple(range(9))))
def test_equals_brute_force(graph):
    values = {split: smallest_inside(graph, split) for split in all_splits(graph.tasks)}
    splits = as_sets(best_splits(graph))
    assert len(splits) == len(set(splits))
    assert set(splits) == {s for s, value in values.items() if value == max(values.values())}


@given(task_graphs(at_least=3, at_most=7), st.data())
def test_of_some_tasks_only_their_weights_count(graph, data):
    some = data.draw(st.lists(st.sampled_from(graph.tasks), min_size=2, unique=True))
    found = best_splits(graph, some)
    values = {split: smallest_inside(graph, split) for split in all_splits(sorted(some))}
    assert {smallest_inside(graph, split) for split in found} == {max(values.values())}
    assert len(found) == sum(value == max(values.values()) for value in values.values())


@given(task_graphs(at_most=7), st.data())
def test_order_of_tasks_changes_nothing(graph, data):
    other = reordered(graph, data.draw(st.permutations(graph.tasks)))
    one, two = (
        {frozenset(split) for split in as_sets(best_splits(given))} for given in (graph, other)
    )
    assert one == two


def test_the_papers_tie():
    graph = task_graph(paper_table(), Question(2.0))
    found = best_splits(graph)
    assert set(found) == {
        (("gc", "ac"), ("scr", "vad")),
        (("gc", "scr", "vad"), ("ac",)),
    }
    assert {smallest_inside(graph, split) for split in found} == {8}


def test_two_tasks():
    assert best_splits(graph_of("ab", 3)) == [(("a",), ("b",))]


def test_equal_weights_leave_every_split():
    assert len(best_splits(graph_of("abcde", 6))) == 2**4 - 1


@pytest.mark.parametrize("tasks", [MAX_GROUPS + 1, 40])
@pytest.mark.parametrize("seed", range(5))
def test_close_split_is_optimal_where_not_all_are_listed(tasks, seed):
    draw = random.Random(seed)
    names = [f"t{i}" for i in range(tasks)]
    pairs = itertools.combinations(names, 2)
    graph = graph_of(names, {pair: draw.choice([4, 8]) for pair in pairs})
    sets, mask, groups = groups_of(graph)
    assert len(groups) > MAX_GROUPS
    one, other = close_split_of(graph)
    assert {*one, *other} == set(names)
    assert one[0] == "t0"
    turned = sum(side for side, _ in groups[:-1]) + groups[-1][1]  # one of many ways
    some = sets.names(turned), sets.names(mask ^ turned)
    assert smallest_inside(graph, (one, other)) == smallest_inside(graph, some)
    assert close_split_of(graph) == (one, other)


@given(task_graphs(at_most=7, weights=tuple(range(9))))
def test_close_split_is_one_of_the_optimal_ones(graph):
    assert close_split_of(graph) in best_splits(graph)


def test_close_split_cuts_no_cluster():
    names = [f"t{i}" for i in range(30)]
    pairs = itertools.combinations(range(30), 2)
    close = {(names[i], names[j]): 8 for i, j in pairs if i % 3 == j % 3}
    split = close_split_of(graph_of(names, close))
    for cluster in (set(names[start::3]) for start in range(3)):
        assert cluster <= set(split[0]) or cluster <= set(split[1])


def test_two_hundred_tasks_are_split_quickly():
    draw = random.Random(1)
    names = [f"t{i}" for i in range(200)]
    pairs = itertools.combinations(names, 2)
    graph = graph_of(names, {pair: draw.randrange(9) for pair in pairs})
    start = time.perf_counter()
    groups_of(graph)
    assert time.perf_counter() - start < 5
