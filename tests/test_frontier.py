from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tables import PAPER_BLOCKS, ar_tables, costs_of, paper_table

from synergy.synthesis import SOLVERS, ARTable, Cell, Question, frontier, search
from synergy.synthesis.effort import trees_within
from synergy.synthesis.frontier import every_threshold, thresholds
from synergy.tree import SharingTree

COSTS = costs_of(PAPER_BLOCKS[0])

modes = st.sampled_from(list(itertools.product(SOLVERS, (False, True))))


@settings(max_examples=60)
@given(ar_tables(at_most=4), modes, st.lists(st.floats(0, 12), min_size=1, max_size=4))
def test_a_threshold_has_the_tree_of_its_entry(table, mode, thresholds):
    solver, strict = mode
    entries = frontier(Question(solver=solver, strict=strict), table, COSTS)
    for max_ar in thresholds:
        (entry,) = (e for e in entries if e.low <= max_ar and (e.high is None or max_ar < e.high))
        terms = Question(max_ar, solver=solver, strict=strict)
        assert entry.synthesis.tree == search(terms, table, COSTS).tree


@settings(max_examples=60)
@given(ar_tables(at_most=4), modes)
def test_entries_follow_each_other_without_gap_or_repetition(table, mode):
    entries = frontier(Question(solver=mode[0], strict=mode[1]), table, COSTS)
    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
    assert entries[0].low == 0
    assert entries[-1].high is None
    for one, other in itertools.pairwise(entries):
        assert one.high == other.low
        assert one.low < other.low
        assert one.synthesis.tree != other.synthesis.tree
    for entry in entries:
        assert entry.synthesis.max_ar == entry.low
        terms = Question(entry.low, solver=mode[0], strict=mode[1])
        assert entry.synthesis == search(terms, table, COSTS)


@pytest.mark.parametrize("strict", [False, True])
def test_exact_trees_only_become_smaller(strict):
    entries = frontier(Question(solver="exact", strict=strict), paper_table(), COSTS)
    costs = [entry.synthesis.encoder_cost for entry in entries]
    assert costs == sorted(costs, reverse=True)
    assert len(costs) > 5


def test_a_table_without_any_measured_cell():
    cells = [Cell("a", "b", 4, None, "failed"), Cell.skipped("a", "b", 8, "not needed")]
    (entry,) = frontier(Question(), ARTable.from_cells(cells), COSTS)
    assert (entry.low, entry.high) == (0.0, None)
    assert entry.synthesis.tree == SharingTree.flat("ab", 0, 8)


def test_a_cell_below_the_weight_changes_the_tree_only_when_strict():
    cells = [Cell("a", "b", 4, 0.0), Cell("a", "b", 5, 3.0), Cell("a", "b", 8, 1.0)]
    table = ARTable.from_cells(cells)
    for strict in (False, True):
        entries = frontier(Question(strict=strict), table, COSTS)
        assert [entry.low for entry in entries] == [0.0, 1.0]


def test_the_threshold_and_the_budget_of_the_question_are_not_looked_at():
    entries = frontier(Question(), paper_table(), COSTS)
    assert frontier(Question(0.3, max_params=1), paper_table(), COSTS) == entries


def test_of_many_thresholds_an_even_choice_with_the_one_that_is_asked_for():
    cells = [
        replace(c, ar_pct=(c.ar_pct or 0) + n / 100) for n, c in enumerate(paper_table().cells)
    ]
    question, table = Question(2.1), ARTable.from_cells(cells)
    every = every_threshold(table)
    assert thresholds(question, table) == every
    some = thresholds(question, table, effort=0)
    assert len(some) in (20, 21)
    assert set(some) < set(every)
    assert {every[0], every[-1], max(ar for ar in every if ar <= 2.1)} <= set(some)
    steps = [every.index(ar) for ar in some]
    assert max(b - a for a, b in itertools.pairwise(steps)) <= 2
    entries = frontier(question, table, COSTS, effort=0)
    assert {entry.low for entry in entries} <= set(some)
    own = next(e for e in reversed(entries) if e.low <= 2.1)
    assert own.synthesis.tree == search(question, table, COSTS).tree


def test_fewer_trees_are_searched_for_the_more_tasks_there_are():
    allowed = [trees_within(1e8, tasks) for tasks in (2, 4, 8, 12, 14, 40, 100)]
    assert allowed == sorted(allowed, reverse=True)
    assert allowed[1] > 10_000
    assert allowed[-1] == 20
