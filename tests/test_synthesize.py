from __future__ import annotations

import itertools
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_tables import PAPER_BLOCKS, PAPER_TASKS, ar_tables, block_costs, paper_table, searched

from synergy.errors import ConfigError, TableError
from synergy.synthesis import SOLVERS, ARTable, Cell, Question
from synergy.tree import SharingTree

BLOCKS = PAPER_BLOCKS[0]


# -- the paper --------------------------------------------------------------------------------


@pytest.mark.parametrize("blocks", PAPER_BLOCKS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_the_papers_result(solver, blocks):
    found = searched(paper_table(), 2.0, blocks, solver=solver)
    assert found.tree.notation(PAPER_TASKS) == "{{gc,ac}@8,{scr,vad}@8}@6"
    assert found.encoder_cost == pytest.approx(33_231, rel=0.01)
    assert found.encoder_cost == found.recursive_cost == found.exact_cost
    assert found.provably_optimal
    assert (found.solver, found.strict, found.max_ar) == (solver, False, 2.0)
    assert found.weights == (
        ("gc", "ac", 8),
        ("gc", "scr", 8),
        ("gc", "vad", 8),
        ("ac", "scr", 7),
        ("ac", "vad", 6),
        ("scr", "vad", 8),
    )
    assert found.predicted_ar_pct == 2.7
    (note,) = found.notes
    assert note.startswith("ac and scr share 6 blocks, where the pair has an AR of 2.7 %")


# -- laws -------------------------------------------------------------------------------------


@given(ar_tables(), st.floats(0, 10), block_costs())
def test_laws(table, max_ar, costs):
    found = {solver: searched(table, max_ar, costs, solver=solver) for solver in SOLVERS}
    recursive, exact = found["recursive"], found["exact"]
    margin = 1e-9 * (1 + recursive.recursive_cost)
    assert exact.encoder_cost == exact.exact_cost == recursive.exact_cost
    assert recursive.encoder_cost == recursive.recursive_cost == exact.recursive_cost
    assert exact.encoder_cost <= recursive.encoder_cost + margin
    assert exact.provably_optimal
    assert recursive.provably_optimal == (
        recursive.encoder_cost == pytest.approx(exact.encoder_cost, rel=1e-9, abs=0)
    )
    for result in found.values():
        assert result.encoder_cost == result.tree.cost(costs)
        assert set(result.tree.tasks) == set(table.tasks)
        used = {(a, b): result.tree.shared_depth(a, b) for a, b in table.pairs()}
        assert all(used[a, b] <= weight for a, b, weight in result.weights)
        reductions = [
            table.cell(*pair, depth).ar_pct or 0.0 for pair, depth in used.items() if depth
        ]
        assert result.predicted_ar_pct == max(reductions, default=0.0)
        missed = [
            pair
            for pair, depth in used.items()
            if depth and not table.cell(*pair, depth).passes(max_ar)
        ]
        assert sum("against a threshold" in note for note in result.notes) == len(missed)


@given(ar_tables(failures=False), st.floats(0, 10), st.floats(0, 10))
def test_a_larger_threshold_never_costs_more(table, one, other):
    strict, loose = (
        searched(table, max_ar, BLOCKS, solver="exact") for max_ar in sorted((one, other))
    )
    assert loose.encoder_cost <= strict.encoder_cost


@given(ar_tables(), st.floats(0, 10))
def test_same_input_same_result(table, max_ar):
    assert searched(table, max_ar, BLOCKS) == searched(table, max_ar, BLOCKS)


# -- notes ------------------------------------------------------------------------------------


def pair_table(*reductions, depths=(4, 5, 6, 7, 8)):
    return ARTable.from_cells(
        Cell("a", "b", depth, ar_pct, "failed" if ar_pct is None else "measured")
        for depth, ar_pct in zip(depths, reductions, strict=True)
    )


def test_nothing_may_be_shared():
    found = searched(pair_table(3.0, 3.0, 3.0, 3.0, 3.0), 2.0, BLOCKS)
    assert found.tree == SharingTree.flat(["a", "b"], 0, 8)
    assert found.encoder_cost == 2 * sum(BLOCKS)
    assert found.predicted_ar_pct == 0.0
    assert found.provably_optimal
    (note,) = found.notes
    assert "nothing is shared" in note


def test_failed_cells_are_named():
    cells = [
        replace(cell, ar_pct=None, status="failed", reason="loss not finite")
        if cell.label in ("gc-vad at depth 8", "ac-vad at depth 6")
        else cell
        for cell in paper_table().cells
    ]
    found = searched(ARTable.from_cells(cells), 2.0, BLOCKS)
    named = [note for note in found.notes if note.startswith("The training of")]
    assert named == [
        f"The training of {label} failed (loss not finite); it counts as not passing."
        for label in ("gc-vad at depth 8", "ac-vad at depth 6")
    ]
    assert ("gc", "vad", 7) in found.weights
    assert ("ac", "vad", 5) in found.weights


def test_a_pair_without_measured_reduction_where_it_is_shared():
    weights = {"ab": 8, "ac": 4, "ad": 4, "bc": 4, "bd": 4, "cd": 4}
    cells = [
        Cell(pair[0], pair[1], depth, 0.5 if depth <= weight else 9.0)
        for pair, weight in weights.items()
        for depth in (4, 8)
    ]
    cells[2] = Cell("a", "c", 4, None, "failed")
    cells[3] = Cell("a", "c", 8, 0.7)  # passes at 8, so it may share 4 untested
    found = searched(ARTable.from_cells(cells), 2.0, BLOCKS)
    assert found.tree.shared_depth("a", "b") == 8
    assert found.predicted_ar_pct == 0.5
    assert found.notes[0] == (
        "a and c share 4 blocks, where the pair has no measured AR against a threshold of 2 %; "
        "it is allowed because the pair passes with more shared blocks."
    )


def test_a_recursion_that_is_not_optimal():
    weights = {"01": 5, "23": 5, "02": 8, "12": 4, "03": 4, "13": 4}
    cells = [
        Cell(f"t{pair[0]}", f"t{pair[1]}", depth, 1.0 if depth <= weight else 9.0)
        for pair, weight in sorted(weights.items())
        for depth in (4, 5, 8)
    ]
    table = ARTable.from_cells(cells)
    recursive = searched(table, 2.0, [1.0] * 8)
    exact = searched(table, 2.0, [1.0] * 8, solver="exact")
    assert (recursive.encoder_cost, recursive.exact_cost) == (18, 16)
    assert not recursive.provably_optimal
    assert exact.provably_optimal
    assert exact.encoder_cost == 16
    assert recursive.notes == (
        "The recursion is not optimal here: its tree costs 18, the smallest one 16 (solver exact).",
    )
    assert exact.notes == ()


def many_tasks(count, ar_of):
    names = [f"t{i}" for i in range(count)]
    return ARTable.from_cells(
        Cell(a, b, depth, ar_of(i, depth))
        for i, (a, b) in enumerate(itertools.combinations(names, 2))
        for depth in (4, 8)
    )


def test_more_tasks_than_the_exact_solver_takes():
    uniform = searched(many_tasks(15, lambda i, depth: 1.0), 2.0, BLOCKS)
    assert uniform.exact_cost is None
    assert uniform.provably_optimal  # by the bound alone
    mixed = many_tasks(15, lambda i, depth: 9.0 if depth == 8 and i % 3 else 1.0)
    found = searched(mixed, 2.0, BLOCKS)
    assert found.exact_cost is None
    assert any("too many optimal splits" in note for note in found.notes)
    with pytest.raises(ConfigError, match="at most 14 tasks for the solver exact, found 15"):
        searched(mixed, 2.0, BLOCKS, solver="exact")


# -- skipped cells ----------------------------------------------------------------------------


def with_skipped(table, *labels):
    cells = [
        Cell.skipped(c.task_a, c.task_b, c.shared_depth, "not needed") if c.label in labels else c
        for c in table.cells
    ]
    return ARTable(table.tasks, table.depths, tuple(cells))


def test_a_skipped_cell_at_a_depth_in_use_is_named_and_left_out_of_the_prediction():
    found = searched(with_skipped(paper_table(), "ac-scr at depth 6"), 2.0, BLOCKS)
    assert found.tree.notation(PAPER_TASKS) == "{{gc,ac}@8,{scr,vad}@8}@6"
    assert found.predicted_ar_pct == 1.7
    (note,) = found.notes
    assert note.startswith("ac and scr share 6 blocks, where the pair was not trained")


def test_skipped_cells_that_could_allow_a_smaller_tree():
    table = with_skipped(paper_table(), "ac-vad at depth 7", "ac-vad at depth 8")
    for solver in SOLVERS:
        found = searched(table, 2.0, BLOCKS, solver=solver)
        assert found.encoder_cost == 33_225  # as if they failed
        (note,) = (note for note in found.notes if "skipped" in note)
        assert "cost 29,193, the smallest one that the trained cells allow costs 33,225." in note
        assert note.endswith("`synergy pairwise --sweep scan --max-ar 2` trains what is missing.")
    found = searched(table, 2.0, BLOCKS, strict=True)
    assert found.notes[-1].endswith("`synergy pairwise --sweep full` trains what is missing.")


def test_a_skipped_depth_below_the_weight_matters_only_when_strict():
    rows = {"ab": (9.0, 1.0), "ac": (1.0, 1.0), "bc": (1.0, 9.0)}
    cells = [Cell(*pair, 4 * n, ar) for pair, row in rows.items() for n, ar in enumerate(row, 1)]
    table = with_skipped(ARTable.from_cells(cells), "a-c at depth 4")
    strict = searched(table, 2.0, [1.0] * 8, strict=True)
    assert strict.exact_cost == 24 - 8
    (note,) = strict.notes
    assert "at best it would cost 12" in note  # a and b share 8, both with c 4
    assert not any("smaller tree" in note for note in searched(table, 2.0, [1.0] * 8).notes)


@pytest.mark.parametrize(
    "skipped",
    [
        ("gc-scr at depth 4", "gc-vad at depth 5"),  # the pair passes at a larger depth
        ("ac-vad at depth 8",),  # the pair exceeds the threshold at 7, a smaller one
    ],
)
def test_skipped_cells_that_change_nothing(skipped):
    found = searched(with_skipped(paper_table(), *skipped), 2.0, BLOCKS)
    assert found.encoder_cost == 33_225
    assert not any("skipped" in note for note in found.notes)


@given(ar_tables(at_most=4), st.floats(0, 10), st.booleans(), st.data())
def test_a_skipped_cell_counts_as_one_that_does_not_pass(table, max_ar, strict, data):
    labels = [cell.label for cell in table.cells]
    skipped = with_skipped(table, *data.draw(st.sets(st.sampled_from(labels))))
    failed = [
        replace(cell, status="failed") if cell.status == "skipped" else cell
        for cell in skipped.cells
    ]
    one, other = (
        searched(t, max_ar, BLOCKS, strict=strict)
        for t in (skipped, replace(table, cells=tuple(failed)))
    )
    assert (one.tree, one.predicted_ar_pct) == (other.tree, other.predicted_ar_pct)


@given(ar_tables(at_most=4, failures=False), st.floats(0, 10), st.booleans(), st.data())
def test_where_reductions_grow_with_depth_no_smaller_tree_is_missed(table, max_ar, strict, data):
    rows = [sorted(table.cell(a, b, d).ar_pct for d in table.depths) for a, b in table.pairs()]
    values = itertools.chain.from_iterable(rows)
    full = replace(
        table,
        cells=tuple(replace(c, ar_pct=v) for c, v in zip(table.cells, values, strict=True)),
    )
    skipped = with_skipped(
        full, *data.draw(st.sets(st.sampled_from([c.label for c in full.cells])))
    )
    known, best = (
        searched(t, max_ar, BLOCKS, solver="exact", strict=strict) for t in (skipped, full)
    )
    assert best.encoder_cost <= known.encoder_cost
    told = any("could allow a smaller tree" in note for note in known.notes)
    assert told or best.encoder_cost == known.encoder_cost
    if not any(cell.status == "skipped" for cell in skipped.cells):
        assert not told


# -- what it refuses --------------------------------------------------------------------------


def test_impossible_options():
    table = paper_table()
    with pytest.raises(ConfigError, match="the solver recursive or exact, found 'best'"):
        Question(solver="best")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="a largest AR of 0 to"):
        Question(float("nan"))
    with pytest.raises(TableError, match=r"pair gc-ac: .* the 6 blocks"):
        searched(table, 2.0, BLOCKS[:6])


def test_the_search_needs_no_heavy_library():
    program = (
        "import sys, synergy.synthesis\n"
        "print(*sorted({'torch', 'pandas', 'torchaudio'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
