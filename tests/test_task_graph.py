from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_tables import PAPER_TASKS, ar_tables, paper_table

from synergy.errors import ConfigError
from synergy.synthesis import ARTable, Cell, task_graph


def weights(graph):
    return {f"{a}-{b}": weight for a, b, weight in graph.edges(data="weight")}


def test_weights_of_the_papers_table():
    graph = task_graph(paper_table(), 2.0)
    assert list(graph) == list(PAPER_TASKS)
    assert weights(graph) == {
        "gc-ac": 8,
        "gc-scr": 8,
        "gc-vad": 8,
        "ac-scr": 7,
        "ac-vad": 6,
        "scr-vad": 8,
    }


def test_pairs_that_never_pass_have_the_weight_zero():
    assert weights(task_graph(paper_table(), 0.0)) == {
        "gc-ac": 0,
        "gc-scr": 0,
        "gc-vad": 8,
        "ac-scr": 0,
        "ac-vad": 0,
        "scr-vad": 0,
    }


def test_failed_cells_do_not_pass():
    cells = [Cell("a", "b", 6, 0.5), Cell("a", "b", 7, None, "failed")]
    assert weights(task_graph(ARTable.from_cells(cells), 100.0)) == {"a-b": 6}
    cells = [Cell("a", "b", 6, None, "failed"), Cell("a", "b", 7, 0.5)]
    assert weights(task_graph(ARTable.from_cells(cells), 100.0)) == {"a-b": 7}


@given(ar_tables(), st.floats(0, 12))
def test_weight_is_the_largest_depth_that_passes(table, max_ar):
    graph = task_graph(table, max_ar)
    for a, b in table.pairs():
        weight = graph.edges[a, b]["weight"]
        assert weight == 0 or table.cell(a, b, weight).passes(max_ar)
        deeper = [depth for depth in table.depths if depth > weight]
        assert not any(table.cell(a, b, depth).passes(max_ar) for depth in deeper)


@given(ar_tables(), st.floats(0, 12), st.floats(0, 12))
def test_a_larger_threshold_never_lowers_a_weight(table, one, other):
    strict, loose = (task_graph(table, max_ar) for max_ar in sorted((one, other)))
    for a, b in table.pairs():
        assert strict.edges[a, b]["weight"] <= loose.edges[a, b]["weight"]


@pytest.mark.parametrize("max_ar", [-0.1, math.nan, math.inf])
def test_impossible_thresholds(max_ar):
    with pytest.raises(ConfigError, match="finite percentage of at least 0"):
        task_graph(paper_table(), max_ar)
