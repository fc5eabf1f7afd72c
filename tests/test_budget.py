from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tables import PAPER_BLOCKS, PAPER_DECODERS, PAPER_TASKS, ar_tables, paper_table, searched
from small_trees import all_shapes, shape_of

from synergy.costs import Costs
from synergy.errors import ConfigError, ShortfallError
from synergy.synthesis import ARTable, Cell, Question, Synthesis, search, task_graph
from synergy.synthesis.pareto import MAX_PARETO_TASKS, ParetoSearch

BLOCKS = PAPER_BLOCKS[0]
# Eight shared blocks save much of the first cost; of the second, two shared blocks save all that
# can be saved.
DEEP, EARLY = (1, 1, 1, 1, 1, 1, 1, 100), (100, 100, 0, 0, 0, 0, 0, 0)


def reduction_of(table, shared):
    """Largest AR of a tree; None where it uses a cell without one."""
    cells = [table.cell(*pair, d) for pair, d in zip(table.pairs(), shared, strict=True) if d]
    if any(cell.ar_pct is None for cell in cells):
        return None
    return max((cell.ar_pct for cell in cells), default=0.0)


def usable(table):
    """Every tree of measured cells with its AR."""
    swept = {0, *table.depths}
    shapes = (shape for shape in all_shapes(len(table.tasks)) if swept.issuperset(shape.shared))
    found = {shape: reduction_of(table, shape.shared) for shape in shapes}
    return {shape: ar for shape, ar in found.items() if ar is not None}


def within(table, params, macs=None, *, by=DEEP, other=EARLY, heads=0) -> Synthesis:
    """The tree within a budget of ``by``, one of ``other``, or both; the first one decides."""
    decoders = {table.tasks[0]: heads}
    question = Question(max_params=params, max_macs=macs)
    return search(question, table, Costs(by, other, decoders, decoders))


@settings(max_examples=80)
@given(ar_tables(at_most=4, depths=(2, 5, 8)), st.data())
def test_equals_brute_force(table, data):
    by, other = data.draw(st.permutations([DEEP, EARLY]))
    kinds = data.draw(st.sets(st.sampled_from(["by", "other"]), min_size=1))
    most = [
        data.draw(st.integers(sum(costs), 4 * sum(costs)), label=name) if name in kinds else None
        for name, costs in (("by", by), ("other", other))
    ]
    limits = [(c, limit) for c, limit in zip((by, other), most, strict=True) if limit is not None]
    trees = usable(table)
    fitting = {s: ar for s, ar in trees.items() if all(s.cost(c) + 7 <= m for c, m in limits)}
    if any(limit < sum(costs) + 7 for costs, limit in limits):
        with pytest.raises(ConfigError, match="one encoder for all tasks"):
            within(table, *most, by=by, other=other, heads=7)
    elif not fitting:
        with pytest.raises(ShortfallError):
            within(table, *most, by=by, other=other, heads=7)
    else:
        found = within(table, *most, by=by, other=other, heads=7)
        lowest = min(fitting.values())
        assert found.predicted_ar_pct == found.max_ar == lowest
        assert all(found.tree.cost(costs) + 7 <= limit for costs, limit in limits)
        cheapest = min(s.cost(by) for s, ar in fitting.items() if ar == lowest)
        assert found.encoder_cost == cheapest
        assert shape_of(found.tree, table.tasks) in {shape.shared for shape in fitting}


@settings(max_examples=40)
@given(ar_tables(at_most=4, failures=False), st.floats(0, 10))
def test_the_size_of_a_strict_tree_as_budget_gives_no_higher_reduction(table, max_ar):
    known = searched(table, max_ar, BLOCKS, solver="exact", strict=True)
    found = within(table, round(known.encoder_cost) + 100, by=BLOCKS, other=BLOCKS, heads=100)
    assert found.predicted_ar_pct <= known.predicted_ar_pct
    assert found.encoder_cost <= known.encoder_cost
    assert (found.solver, found.strict, found.provably_optimal) == ("exact", True, True)


# -- the paper --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("most", "notation", "reduction_pct"),
    [
        (119_977, "{{gc,vad}@8,ac,scr}@0", 0.0),
        (94_816, "{{gc,vad}@8,ac,scr}@0", 0.0),
        (94_815, "{{{gc,vad}@8,scr}@5,ac}@0", 0.5),
        (60_000, "{{gc,vad}@8,{ac,scr}@7}@6", 2.0),
        (52_790, "{{gc,ac,vad}@8,scr}@7", 2.3),  # 44 % of four independent networks
        (48_525, "{gc,ac,scr,vad}@8", 7.0),
        (44_494, "{gc,ac,scr,vad}@8", 7.0),
    ],
)
def test_budgets_on_the_papers_table(most, notation, reduction_pct):
    found = within(paper_table(), most, by=BLOCKS, heads=PAPER_DECODERS)
    assert found.tree.notation(PAPER_TASKS) == notation
    assert found.predicted_ar_pct == found.max_ar == reduction_pct
    assert found.notes == ()


# -- several costs ----------------------------------------------------------------------------


def unbeaten(table):
    """Costs of the trees of AR 0 that no other one undercuts in one cost without exceeding it."""
    costs = {(s.cost(DEEP), s.cost(EARLY)) for s, ar in usable(table).items() if not ar}
    return sorted(
        one
        for one in costs
        if not any(two != one and two[0] <= one[0] and two[1] <= one[1] for two in costs)
    )


def test_trees_that_no_other_beats_are_all_found():
    draw = random.Random(1)
    several = 0
    for _ in range(100):
        a, b, c, d = draw.sample("abcd", 4)
        row = {frozenset((a, b)): 2, frozenset((b, c)): 8, frozenset((c, d)): 2}
        passing = {
            pair: row.get(frozenset(pair)) or draw.choice([0, 0, 0, 2, 8])
            for pair in itertools.combinations("abcd", 2)
        }
        cells = [Cell(*pair, d, float(d != passing[pair])) for pair in passing for d in (2, 8)]
        table = ARTable.from_cells(cells)
        pareto = ParetoSearch(task_graph(table, Question(0.0)), [DEEP, EARLY], table)
        found = pareto.trees()
        assert [(tree.cost(DEEP), tree.cost(EARLY)) for tree in found] == unbeaten(table)
        assert all(reduction_of(table, shape_of(tree, table.tasks)) == 0 for tree in found)
        several += len(found) > 1
    assert several > 20


def rows_of_four(rows, otherwise=9.0):
    """Of four tasks in a row the middle ones may share 8 blocks, or the outer ones 2 with them.

    A row can thus save 107 and 200 of the two costs, or 4 and 400.
    """
    names = [f"t{i}" for i in range(4 * rows)]
    cells = []
    for (i, a), (j, b) in itertools.combinations(enumerate(names), 2):
        next_to = j == i + 1 and j % 4
        passing = () if not next_to else (8,) if j % 4 == 2 else (2,)
        for depth in (2, 8):
            ar = 0.0 if depth in passing else otherwise
            cells.append(Cell(a, b, depth, ar, "failed" if ar is None else "measured"))
    return ARTable.from_cells(cells)


def saving(table, deep, early):
    """Budgets that a tree keeps if it saves so much of DEEP and EARLY; five for decoders."""
    count = len(table.tasks)
    return count * sum(DEEP) - deep + 5, count * sum(EARLY) - early + 5


@pytest.mark.parametrize("by", [DEEP, EARLY])
def test_budgets_that_only_a_compromise_keeps(by):
    table = rows_of_four(2)
    deep, early = saving(table, 107 + 4, 200 + 400)
    if by is DEEP:
        found = within(table, deep, early, heads=5)
    else:
        found = within(table, early, deep, by=EARLY, other=DEEP, heads=5)
    assert found.max_ar == found.predicted_ar_pct == 0.0
    shared = [depth for depth in shape_of(found.tree, table.tasks) if depth]
    assert sorted(shared) == [2, 2, 8]
    assert not found.provably_optimal  # without the budgets a tree of lower cost is allowed
    assert found.notes == ()


def test_of_the_trees_within_the_budget_of_one_cost_the_cheapest_by_another_is_taken():
    table = rows_of_four(2)
    _, early = saving(table, 0, 200 + 400)
    found = within(table, None, early, heads=5)
    smallest = within(table, early, by=EARLY, heads=5)
    assert (found.tree.cost(DEEP), smallest.tree.cost(DEEP)) == (8 * 107 - 111, 8 * 107 - 8)
    assert (found.tree.cost(EARLY), smallest.tree.cost(EARLY)) == (1600 - 600, 1600 - 800)
    assert found.exact_cost == 8 * 107 - 2 * 107


def test_budgets_that_contradict_each_other():
    table = rows_of_four(2)
    deep, early = saving(table, 2 * 107, 4 * 200)
    assert within(table, deep, heads=5).max_ar == 0.0
    assert within(table, None, early, heads=5).max_ar == 0.0
    assert within(table, deep, early, heads=5).max_ar == 9.0
    with pytest.raises(ShortfallError, match=r"keeps 647 parameters and 805 MACs at once"):
        within(rows_of_four(2, otherwise=None), deep, early, heads=5)


def test_many_tasks_and_several_costs():
    table = rows_of_four(3)
    assert len(table.tasks) > MAX_PARETO_TASKS
    with pytest.raises(ConfigError, match=r"at most 10 tasks .* \(parameters, MACs\), found 12"):
        within(table, *saving(table, 107 + 8, 200 + 800), heads=5)
    assert within(table, *saving(table, 3 * 107, 3 * 200), heads=5).notes == ()
    found = within(table, *saving(table, 0, 4 * 200), heads=5)
    assert found.max_ar == 0.0
    (note,) = found.notes
    assert "another one of the same AR may cost less" in note


# -- what it says -----------------------------------------------------------------------------


def test_skipped_cells_are_mentioned():
    cells = [
        Cell.skipped("ac", "vad", 5, "not needed") if cell.label == "ac-vad at depth 5" else cell
        for cell in paper_table().cells
    ]
    table = ARTable.from_cells(cells)
    (note,) = within(table, 60_000, by=BLOCKS, heads=PAPER_DECODERS).notes
    assert note.startswith("Skipped cells (1 in the table)")


def test_a_budget_smaller_than_any_network():
    with pytest.raises(ConfigError, match=r"at least 44,494, one encoder .* found 44,493"):
        within(paper_table(), 44_493, by=BLOCKS, heads=PAPER_DECODERS)


def test_a_budget_that_measured_depths_do_not_reach():
    shallow = ARTable.from_cells(c for c in paper_table().cells if c.shared_depth < 7)
    with pytest.raises(ShortfallError) as caught:
        within(shallow, 50_000, by=BLOCKS, heads=PAPER_DECODERS)
    assert str(caught.value) == (
        "the depths that the table has an AR for need larger budgets: expected at least 68,686 "
        "parameters ({gc,ac,scr,vad}@6), found 50,000; measure deeper cells with "
        "`synergy pairwise`"
    )


def test_what_it_refuses():
    with pytest.raises(ConfigError, match=r"MACs: expected a budget of 0 to .*, found -1"):
        Question(max_macs=-1)
    many = rows_of_four(4)
    with pytest.raises(ConfigError, match="at most 14 tasks for a budget, found 16"):
        within(many, 10**9, by=BLOCKS)
