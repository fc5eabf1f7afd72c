from __future__ import annotations

import itertools
import math
import random
import time

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_tables import graph_of, paper_table, task_graphs

from synergy.errors import TableError
from synergy.synthesis import max_min_bipartitions, task_graph
from synergy.synthesis.bipartition import MAX_GROUPS, close_split, conflict_groups
from synergy.synthesis.task_sets import TaskSets, members


def smallest_inside(graph, split):
    inside = [pair for part in split for pair in itertools.combinations(part, 2)]
    return min((graph.edges[pair]["weight"] for pair in inside), default=math.inf)


def all_splits(tasks):
    """Every way to cut a sequence of tasks in two, as sets."""
    for size in range(1, len(tasks)):
        for part in itertools.combinations(tasks, size):
            if tasks[0] in part:
                yield frozenset(part), frozenset(tasks) - frozenset(part)


def as_sets(found):
    return [tuple(map(frozenset, split)) for split in found.splits]


@given(task_graphs(at_most=7, weights=tuple(range(9))))
def test_equals_brute_force(graph):
    found = max_min_bipartitions(graph)
    values = {split: smallest_inside(graph, split) for split in all_splits(list(graph))}
    assert found.smallest == max(values.values())
    assert found.complete
    splits = as_sets(found)
    assert len(splits) == len(set(splits))
    assert set(splits) == {split for split, value in values.items() if value == found.smallest}


@given(task_graphs(at_least=3, at_most=7), st.data())
def test_of_some_tasks_only_their_weights_count(graph, data):
    some = data.draw(st.lists(st.sampled_from(list(graph)), min_size=2, unique=True))
    inside = graph.subgraph(some)
    found = max_min_bipartitions(graph, some)
    values = {split: smallest_inside(inside, split) for split in all_splits(sorted(some))}
    assert found.smallest == max(values.values())
    assert len(found.splits) == sum(value == found.smallest for value in values.values())


@given(task_graphs(at_most=7), st.data())
def test_order_of_tasks_changes_nothing(graph, data):
    other = nx.Graph()
    other.add_nodes_from(data.draw(st.permutations(list(graph))))
    other.add_edges_from(graph.edges(data=True))
    one, two = max_min_bipartitions(graph), max_min_bipartitions(other)
    assert one.smallest == two.smallest
    assert {frozenset(split) for split in as_sets(one)} == {
        frozenset(split) for split in as_sets(two)
    }


def test_the_papers_tie():
    found = max_min_bipartitions(task_graph(paper_table(), 2.0))
    assert found.smallest == 8
    assert set(found.splits) == {
        (("gc", "ac"), ("scr", "vad")),
        (("gc", "scr", "vad"), ("ac",)),
    }


def test_two_tasks():
    found = max_min_bipartitions(graph_of("ab", 3))
    assert (found.smallest, found.splits) == (math.inf, ((("a",), ("b",)),))


def test_equal_weights_leave_every_split():
    found = max_min_bipartitions(graph_of("abcde", 6))
    assert found.smallest == 6
    assert len(found.splits) == 2**4 - 1


@pytest.mark.parametrize("tasks", [MAX_GROUPS + 1, 40])
@pytest.mark.parametrize("seed", range(5))
def test_close_split_is_optimal_where_not_all_are_listed(tasks, seed):
    draw = random.Random(seed)
    names = [f"t{i}" for i in range(tasks)]
    pairs = itertools.combinations(names, 2)
    graph = graph_of(names, {pair: draw.choice([4, 8]) for pair in pairs})
    found = max_min_bipartitions(graph)
    ((one, other),) = found.splits
    assert not found.complete
    assert {*one, *other} == set(names)
    assert one[0] == "t0"
    assert smallest_inside(graph, (one, other)) == found.smallest
    assert max_min_bipartitions(graph) == found


@given(task_graphs(at_most=7, weights=tuple(range(9))))
def test_close_split_is_one_of_the_optimal_ones(graph):
    sets = TaskSets(graph)
    bits = members(sets.everything)
    _, groups = conflict_groups(sets.pairs_by_weight(bits), sets.everything)
    one = close_split(sets, groups)
    split = sets.names(one), sets.names(sets.everything ^ one)
    assert split in max_min_bipartitions(graph).splits


def test_close_split_cuts_no_cluster():
    names = [f"t{i}" for i in range(30)]
    pairs = itertools.combinations(range(30), 2)
    close = {(names[i], names[j]): 8 for i, j in pairs if i % 3 == j % 3}
    (split,) = max_min_bipartitions(graph_of(names, close)).splits
    for cluster in (set(names[start::3]) for start in range(3)):
        assert cluster <= set(split[0]) or cluster <= set(split[1])


def test_two_hundred_tasks_are_split_quickly():
    draw = random.Random(1)
    names = [f"t{i}" for i in range(200)]
    pairs = itertools.combinations(names, 2)
    graph = graph_of(names, {pair: draw.randrange(9) for pair in pairs})
    start = time.perf_counter()
    max_min_bipartitions(graph)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    ("tasks", "words"), [(["a"], "at least two tasks"), (["a", "x"], "tasks out of a, b, .* x")]
)
def test_wrong_tasks(tasks, words):
    with pytest.raises(TableError, match=words):
        max_min_bipartitions(graph_of("abc", 4), tasks)


def test_a_pair_without_a_weight():
    graph = graph_of("abc", 4)
    graph.remove_edge("a", "c")
    with pytest.raises(TableError, match=r"pair a-c: expected a whole weight .* found None"):
        max_min_bipartitions(graph)
