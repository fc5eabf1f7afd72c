from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_tables import PAPER_TASKS, ar_tables, paper_table, weights_of

from synergy.errors import ConfigError
from synergy.synthesis import ARTable, Cell, Question, TaskGraph, task_graph


def weights(graph):
    return {"-".join(pair): weight for pair, weight in weights_of(graph).items()}


def test_weights_of_the_papers_table():
    graph = task_graph(paper_table(), Question(2.0))
    assert graph.tasks == PAPER_TASKS
    assert weights(graph) == {
        "gc-ac": 8,
        "gc-scr": 8,
        "gc-vad": 8,
        "ac-scr": 7,
        "ac-vad": 6,
        "scr-vad": 8,
    }


def test_pairs_that_never_pass_have_the_weight_zero():
    assert weights(task_graph(paper_table(), Question(0.0))) == {
        "gc-ac": 0,
        "gc-scr": 0,
        "gc-vad": 8,
        "ac-scr": 0,
        "ac-vad": 0,
        "scr-vad": 0,
    }


def test_failed_cells_do_not_pass():
    cells = [Cell("a", "b", 6, 0.5), Cell("a", "b", 7, None, "failed")]
    assert weights(task_graph(ARTable.from_cells(cells), Question(100.0))) == {"a-b": 6}
    cells = [Cell("a", "b", 6, None, "failed"), Cell("a", "b", 7, 0.5)]
    assert weights(task_graph(ARTable.from_cells(cells), Question(100.0))) == {"a-b": 7}


@given(ar_tables(), st.floats(0, 12))
def test_weight_is_the_largest_depth_that_passes(table, max_ar):
    graph = task_graph(table, Question(max_ar))
    assert graph.pairs() == table.pairs()
    for (a, b), depths, weight in zip(graph.pairs(), graph.depths, graph.weights, strict=True):
        assert depths == tuple(d for d in table.depths if table.cell(a, b, d).passes(max_ar))
        assert weight == 0 or table.cell(a, b, weight).passes(max_ar)
        deeper = [depth for depth in table.depths if depth > weight]
        assert not any(table.cell(a, b, depth).passes(max_ar) for depth in deeper)


@given(ar_tables(), st.floats(0, 12), st.floats(0, 12))
def test_a_larger_threshold_never_lowers_a_weight(table, one, other):
    strict, loose = (task_graph(table, Question(max_ar)) for max_ar in sorted((one, other)))
    for one, other in zip(strict.weights, loose.weights, strict=True):
        assert one <= other


# -- skipped cells ----------------------------------------------------------------------------


def row(*values):
    """One pair at the depths 4, 5 ...: an AR, or the status of a cell without one."""
    cells = []
    for depth, value in enumerate(values, 4):
        if value == "skipped":
            cells.append(Cell.skipped("a", "b", depth, ""))
        elif value == "failed":
            cells.append(Cell("a", "b", depth, None, "failed"))
        else:
            cells.append(Cell("a", "b", depth, value))
    return ARTable.from_cells(cells)


@pytest.mark.parametrize(
    ("values", "certain", "hoped"),
    [
        (("skipped", 1.0, "skipped", 3.0, "skipped"), (5,), (4, 5, 6)),
        (("skipped", 3.0, "skipped"), (), (4,)),
        (("skipped", "skipped"), (), (4, 5)),
        (("failed", "skipped"), (), (5,)),  # a training that stopped says nothing of others
        ((3.0, "skipped", 1.0, "skipped"), (6,), (5, 6, 7)),  # 4 contradicts 6 in any case
        ((1.0, 3.0), (4,), (4,)),
    ],
)
def test_skipped_cells_never_pass_but_may_be_hoped_for(values, certain, hoped):
    table = row(*values)
    assert task_graph(table, Question(2.0)).depths == (certain,)
    assert task_graph(table, Question(2.0), optimistic=True).depths == (hoped,)


@pytest.mark.parametrize("max_ar", [-0.1, math.nan, math.inf])
def test_impossible_thresholds(max_ar):
    with pytest.raises(ConfigError, match="a largest AR of 0 to 1,000,000 percent"):
        Question(max_ar)


def test_the_graph_for_drawing_has_the_same_weights_and_depths():
    graph = TaskGraph(("a", "b", "c"), ((4, 6), (), (8,)))
    drawn = graph.to_networkx()
    assert list(drawn) == ["a", "b", "c"]
    assert {(a, b): edge for a, b, edge in drawn.edges(data=True)} == {
        ("a", "b"): {"weight": 6, "depths": (4, 6)},
        ("a", "c"): {"weight": 0, "depths": ()},
        ("b", "c"): {"weight": 8, "depths": (8,)},
    }
