from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tables import (
    PAPER_BLOCKS,
    ar_tables,
    block_costs,
    costs_of,
    exact_tree,
    paper_table,
    recursive_tree,
    weights_of,
)

from synergy.errors import ConfigError
from synergy.synthesis import ARTable, Cell, Question, task_graph
from synergy.synthesis.resampling import TableSamples, noisy_samples
from synergy.synthesis.stability import Repeat, stability
from synergy.wording import skipped_caveat

COSTS = costs_of(PAPER_BLOCKS[0])
EXACT = Question(2.0, solver="exact")


def table_like(table: ARTable, ar: np.ndarray) -> ARTable:
    values = [None if math.isnan(value) else value for value in ar.tolist()]
    return ARTable(
        table.tasks,
        table.depths,
        tuple(replace(c, ar_pct=value) for c, value in zip(table.cells, values, strict=True)),
    )


def tree_of(samples, ar, question, costs) -> str:
    """The tree of one table on its own; the table of the samples decides ties."""
    table = samples.table
    graph = task_graph(table_like(table, ar), question)
    solve = exact_tree if question.solver == "exact" else recursive_tree
    return solve(graph, costs, table, question.strict).notation(table.tasks)


@st.composite
def table_samples(draw):
    table = draw(ar_tables(at_most=4, depths=(4, 6, 8)))
    # Few values, so that many cells are uncertain and many patterns the same.
    value = st.sampled_from([0.0, 1.0, 2.0, 3.0])
    rows = [
        [math.nan if cell.ar_pct is None else draw(value) for cell in table.cells]
        for _ in range(draw(st.integers(1, 5)))
    ]
    return TableSamples(table, np.array(rows))


@settings(max_examples=40)
@given(
    table_samples(),
    block_costs(),
    st.sampled_from(["exact", "recursive"]),
    st.booleans(),
)
def test_every_number_is_a_count_of_tables(samples, costs, solver, strict):
    table, rows = samples.table, list(samples.ar)
    question = Question(1.5, solver=solver, strict=strict)
    found = stability(question, samples, costs_of(costs))

    def tree(ar) -> str:
        return tree_of(samples, ar, question, costs)

    trees = Counter(map(tree, rows))
    own = np.array([math.nan if c.ar_pct is None else c.ar_pct for c in table.cells])
    assert dict(found.trees) == {name: count / len(rows) for name, count in trees.items()}
    assert [share for _, share in found.trees] == sorted(dict(found.trees).values(), reverse=True)
    assert found.tree_share == trees[tree(own)] / len(rows)

    graphs = [task_graph(table_like(table, ar), question) for ar in rows]
    expected = {}
    for place, cell in enumerate(table.cells):
        pair, depth = (cell.task_a, cell.task_b), cell.shared_depth
        passes = sum(bool(ar[place] <= 1.5) for ar in rows)
        share = None if cell.ar_pct is None else passes / len(rows)
        assert found.admissible[pair].get(depth) == share
        reached = sum(weights_of(graph)[pair] >= depth for graph in graphs)
        assert found.at_least[pair][depth] == reached / len(rows)

        def depends(ar, place: int = place) -> bool:
            ways = [np.where(np.arange(len(ar)) == place, value, ar) for value in (0.0, 9.0)]
            return tree(ways[0]) != tree(ways[1])

        if 0 < passes < len(rows):
            decides, now = sum(map(depends, rows)) / len(rows), depends(own)
            if decides or now:
                expected[cell.key] = Repeat(cell.key, cell.seeds, passes / len(rows), decides)
    assert {cell.key: cell for cell in found.repeat} == expected
    assert [c.score for c in found.repeat] == sorted((c.score for c in found.repeat), reverse=True)


def test_a_table_without_noise_is_stable():
    found = stability(EXACT, noisy_samples(paper_table(), 0.0, 5, 0), COSTS)
    assert found.tree_share == 1.0
    assert found.trees == (("{{gc,ac}@8,{scr,vad}@8}@6", 1.0),)
    assert found.repeat == ()
    assert found.repeat == ()


@pytest.mark.parametrize("solver", ["exact", "recursive"])
def test_the_papers_table_with_noise_of_half_a_point(solver):
    """From 20,000 tables; 1,000 of them are within four standard errors."""
    found = stability(
        Question(2.0, solver=solver), noisy_samples(paper_table(), 0.5, 1000, 7), COSTS
    )
    assert found.tree_share == pytest.approx(0.218, abs=0.055)
    assert found.trees[0][0] == "{{gc,ac}@8,{scr,vad}@8}@4"
    assert found.trees[0][1] == pytest.approx(0.426, abs=0.065)
    # Normal tails: 2.0 is on the threshold, 2.3 and 1.7 are 0.6 deviations away, 1.3 is 1.4.
    for key, share in {
        ("ac", "scr", 7): 0.5,
        ("ac", "vad", 8): 0.274,
        ("ac", "vad", 6): 0.726,
        ("scr", "vad", 8): 0.919,
        ("gc", "vad", 8): 1.0,
        ("ac", "scr", 8): 0.0,
    }.items():
        assert found.admissible[key[:2]][key[2]] == pytest.approx(share, abs=0.065)
    assert found.at_least["ac", "vad"][4] == pytest.approx(0.97, abs=0.03)
    keys = [cell.key for cell in found.repeat]
    assert keys[0] == ("ac", "scr", 7)
    assert set(keys[1:5]) == {("ac", "vad", d) for d in (6, 7, 8)} | {("scr", "vad", 8)}


def test_a_cell_that_cannot_change_the_tree_is_not_repeated():
    cells = [Cell("a", "b", 4, 2.0), Cell("a", "b", 5, 2.0), Cell("a", "b", 6, 1.0)]
    samples = TableSamples(ARTable.from_cells(cells), np.array([[1.0, 3.0, 1.0], [3.0, 1.0, 1.0]]))
    assert stability(Question(2.0), samples, COSTS).repeat == ()
    # Strict, a depth counts of its own, but two tasks use the largest one all the same.
    assert stability(Question(2.0, strict=True), samples, COSTS).repeat == ()


def test_every_uncertain_cell_that_decides_is_named_with_its_trainings():
    cells = [Cell("a", "b", 8, 2.0, seeds=9), Cell("a", "c", 8, 2.0), Cell("b", "c", 8, 2.0)]
    rng = np.random.default_rng(0)
    samples = TableSamples(ARTable.from_cells(cells), rng.choice([1.0, 3.0], size=(400, 3)))
    found = stability(EXACT, samples, COSTS)
    assert {cell.key for cell in found.repeat} == {cell.key for cell in cells}
    assert {cell.seeds for cell in found.repeat} == {9, 1}


def test_a_level_says_what_is_uncertain():
    ar = np.full((100, 1), 1.0)
    ar[:10] = 3.0
    samples = TableSamples(ARTable.from_cells([Cell("a", "b", 8, 1.0)]), ar)
    assert len(stability(Question(2.0), samples, COSTS, level=0.85).repeat) == 1
    assert stability(Question(2.0), samples, COSTS, level=0.75).repeat == ()


def test_skipped_and_failed_cells_never_pass_and_are_no_zeros():
    cells = [Cell.skipped("a", "b", 4, "not needed"), Cell("a", "b", 5, None, "failed")]
    table = ARTable.from_cells([*cells, Cell("a", "b", 6, 2.0)])
    ar = np.array([[math.nan, math.nan, value] for value in (1.0, 3.0)])
    found = stability(Question(2.0), TableSamples(table, ar), COSTS)
    assert found.admissible["a", "b"] == {6: 0.5}
    assert found.at_least["a", "b"] == {4: 0.5, 5: 0.5, 6: 0.5}
    assert [cell.key for cell in found.repeat] == [("a", "b", 6)]
    assert found.skipped == 1 and "skipped (1)" in skipped_caveat(found.skipped)
    assert skipped_caveat(0) == ""


def test_impossible_questions():
    samples = noisy_samples(paper_table(), 0.5, 2, 0)
    with pytest.raises(ConfigError, match="level above 0 and below 1"):
        stability(Question(), samples, COSTS, level=1.0)


def test_of_many_tasks_the_first_tables_are_solved(monkeypatch):
    samples = noisy_samples(paper_table(), 2.0, 300, 0)
    whole = stability(Question(2.0), samples, COSTS)
    assert whole.samples == 300
    monkeypatch.setattr("synergy.synthesis.stability._EFFORT", 0)
    some = stability(Question(2.0), samples, COSTS)
    assert 20 <= some.samples < 300
    first = TableSamples(samples.table, samples.ar[: some.samples])
    monkeypatch.undo()
    same = stability(Question(2.0), first, COSTS)
    assert replace(some, repeat=()) == replace(same, repeat=())
    assert {cell.key for cell in some.repeat} < {cell.key for cell in same.repeat}
    assert some.repeat
    assert stability(Question(2.0), samples, COSTS, level=None) == replace(whole, repeat=())


def test_pairs_of_very_many_depths_are_told_apart():
    depths = range(1, 80)
    table = ARTable.from_cells(Cell("a", "b", depth, 1.0) for depth in depths)
    ar = np.ones((2, len(depths)))
    ar[1, 3:] = 5.0  # one of the two passes at 3 at most
    found = stability(Question(2.0), TableSamples(table, ar), costs_of([1] * 79))
    assert dict(found.trees) == {"{a,b}@79": 0.5, "{a,b}@3": 0.5}
