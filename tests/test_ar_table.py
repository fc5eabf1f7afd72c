from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_tables import PAPER_TASKS, paper_rows, paper_table

from synergy.errors import TableError
from synergy.synthesis import ARTable, Cell, accuracy_reduction


def pairs_of(tasks, depths=(4,), ar_pct=1.0):
    return [
        Cell(a, b, depth, ar_pct) for a, b in itertools.combinations(tasks, 2) for depth in depths
    ]


# -- accuracy reduction -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    [*paper_rows("table2_flat.csv"), *paper_rows("table4_four_tasks.csv")],
    ids=lambda row: row.get("model") or f"flat {row['shared_layers']}",
)
def test_accuracy_reduction_of_the_paper(row):
    scores = {task: float(row[f"{task}_pct"]) for task in PAPER_TASKS}
    single = {r["task"]: float(r["baseline_pct"]) for r in paper_rows("table1_single_task.csv")}
    # Printed scores and reductions are rounded to a tenth each.
    assert accuracy_reduction(single, scores) == pytest.approx(float(row["ar_pct"]), abs=0.15)


def test_accuracy_reduction_is_zero_when_no_task_lost():
    assert accuracy_reduction({"gc": 0.9, "ac": 0.5}, {"gc": 0.95, "ac": 0.5}) == 0.0


def test_accuracy_reduction_is_relative_and_of_the_worst_task():
    single, multi = {"gc": 0.8, "ac": 0.5}, {"gc": 0.7, "ac": 0.45}
    assert accuracy_reduction(single, multi) == pytest.approx(12.5)
    assert accuracy_reduction(single, {"ac": 0.45}) == pytest.approx(10.0)


@given(st.dictionaries(st.sampled_from("abc"), st.floats(0, 1), min_size=1), st.data())
def test_accuracy_reduction_does_not_depend_on_the_scale(single, data):
    multi = {task: data.draw(st.floats(0, 1)) for task in single}
    found = accuracy_reduction(single, multi)
    assert 0 <= found <= 100
    doubled = accuracy_reduction(
        {task: 2 * score for task, score in single.items()},
        {task: 2 * score for task, score in multi.items()},
    )
    assert doubled == pytest.approx(found)


@pytest.mark.parametrize(
    ("single", "multi", "words"),
    [
        ({"gc": 0.9}, {}, "at least one task"),
        ({"gc": 0.9}, {"gc": 0.9, "ac": 0.5}, "single-task score of ac"),
        ({"gc": 0.9}, {"gc": float("nan")}, "task gc: .* found nan"),
        ({"gc": float("inf")}, {"gc": 0.9}, "task gc: .* found inf"),
        ({"gc": -0.1}, {"gc": 0.9}, "task gc: .* found -0.1"),
    ],
)
def test_accuracy_reduction_of_impossible_scores(single, multi, words):
    with pytest.raises(TableError, match=words):
        accuracy_reduction(single, multi)


# -- the table --------------------------------------------------------------------------------


def test_the_papers_table():
    table = paper_table()
    assert table.tasks == PAPER_TASKS
    assert table.depths == (4, 5, 6, 7, 8)
    assert len(table.cells) == 30
    assert table.pairs() == tuple(itertools.combinations(PAPER_TASKS, 2))
    assert table.cell("ac", "scr", 5).ar_pct == 3.7
    assert table.cell("scr", "ac", 5) is table.cell("ac", "scr", 5)


def test_cells_follow_the_order_of_tasks():
    given_cells = [
        Cell("b", "a", 8, 1.0, single_a=0.9, single_b=0.8, multi_a=0.7, multi_b=0.6),
        Cell("c", "a", 8, 2.0),
        Cell("c", "b", 8, 3.0),
    ]
    table = ARTable.from_cells(given_cells)
    assert table.tasks == ("b", "a", "c")
    assert [cell.label for cell in table.cells] == [
        "b-a at depth 8",
        "b-c at depth 8",
        "a-c at depth 8",
    ]
    other = ARTable(("a", "b", "c"), (8,), tuple(given_cells))
    swapped = Cell("a", "b", 8, 1.0, single_a=0.8, single_b=0.9, multi_a=0.6, multi_b=0.7)
    assert other.cells[0] == swapped


def test_a_cell_that_is_not_there():
    with pytest.raises(TableError, match="found gc-ac at depth 3"):
        paper_table().cell("gc", "ac", 3)


def test_a_failed_cell_is_part_of_the_table(tmp_path):
    failed = Cell("a", "b", 5, None, "failed", reason="loss not finite\n at step 3")
    table = ARTable.from_cells([Cell("a", "b", 4, 0.0), failed])
    table.to_csv(tmp_path / "table.csv")
    assert ARTable.from_csv(tmp_path / "table.csv") == table
    assert table.cell("a", "b", 5).reason == "loss not finite at step 3"
    assert not table.cell("a", "b", 5).passes(100.0)


def test_a_skipped_cell_is_part_of_the_table(tmp_path):
    skipped = Cell.skipped("a", "b", 4, "not needed: the pair passes with 5 shared blocks")
    table = ARTable.from_cells([skipped, Cell("a", "b", 5, 0.0)])
    table.to_csv(tmp_path / "table.csv")
    assert ARTable.from_csv(tmp_path / "table.csv") == table
    assert table.cell("b", "a", 4) == skipped
    assert not skipped.passes(1e300)
    assert skipped.seeds == 0


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([], "at least two different tasks, found none"),
        ([Cell("a", "a", 4, 1.0)], "two different tasks, found a twice"),
        ([Cell("a", "", 4, 1.0)], "found an empty one"),
        ([Cell("a", "b", 0, 1.0)], "shared depth of at least 1, found 0"),
        ([Cell("a", "b", 4, None)], "expected an AR in percent, found none"),
        ([Cell("a", "b", 4, 1.0, "failed")], "no AR of a failed cell, found 1.0"),
        ([Cell("a", "b", 4, 1.0, "lost")], "failed or skipped, found 'lost'"),  # type: ignore[arg-type]
        ([Cell("a", "b", 4, 1.0, "skipped", seeds=0)], "no AR of a skipped cell, found 1.0"),
        ([Cell("a", "b", 4, None, "skipped")], "0 seeds of a skipped cell, found 1"),
        ([Cell("a", "b", 4, 1.0, ar_low=0.5)], "or neither, found one"),
        ([Cell("a", "b", 4, None, "failed", ar_low=0.5, ar_high=0.6)], "cell without AR"),
        ([Cell("a", "b", 4, 1.0, ar_low=0.5, ar_high=0.4)], "found 0.5 to 0.4"),
        ([Cell("a", "b", 4, 1.0, ar_low=-0.5, ar_high=0.4)], "found -0.5 to 0.4"),
        ([Cell("a", "b", 4, 1.0, ar_low=0.5, ar_high=float("inf"))], "found 0.5 to inf"),
        ([Cell("a", "b", 4, 1.0, ar_low=float("nan"), ar_high=1.0)], "found nan to 1.0"),
        ([Cell("a", "b", 4, float("nan"))], "an AR of 0 to 1,000,000 percent, found nan"),
        ([Cell("a", "b", 4, float("inf"))], "an AR of 0 to 1,000,000 percent, found inf"),
        ([Cell("a", "b", 4, -0.1)], "an AR of 0 to 1,000,000 percent, found -0.1"),
        ([Cell("a", "b", 4, 1.0, test_ar_pct=-1.0)], "a test AR of 0 to 1,000,000 percent"),
        ([Cell("a", "b", 4, 1.0, multi_b=float("nan"))], "expected multi_b between .* found nan"),
        ([Cell("age group", "b", 4, 1.0)], "task 'age group': expected a letter"),
        ([Cell("a", "b", 4, 1.0, seeds=0)], "at least one seed, found 0"),
        ([Cell("a", "b", 4, 1.0), Cell("b", "a", 4, 1.0)], "b-a at depth 4 again"),
        (pairs_of("abc")[:2], "pair b-c: .* no row of this pair"),
        ([*pairs_of("abc"), Cell("a", "b", 5, 1.0)], "pair b-c: .* found no depth 5"),
    ],
)
def test_impossible_tables(cells, words):
    with pytest.raises(TableError, match=words):
        ARTable.from_cells(cells)


def test_tasks_and_depths_have_to_fit_the_cells():
    cells = tuple(pairs_of("abc"))
    with pytest.raises(TableError, match=r"tasks a, b, d .* found a, b, c"):
        ARTable(("a", "b", "d"), (4,), cells)
    with pytest.raises(TableError, match="at the depths 4, 5, found"):
        ARTable(("a", "b", "c"), (4, 5), cells)
