"""AR tables as CSV files, in both layouts."""

from __future__ import annotations

import itertools
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_tables import ar_tables, paper_table

from synergy import limits
from synergy.errors import TableError
from synergy.synthesis import ARTable, Cell

LONG = "task_a,task_b,shared_depth,ar_pct\n"
WIDE = "task_a,task_b,ar_4_pct,ar_5_pct\n"


@given(ar_tables(at_most=4, depths=(1, 8), exotic=True), st.data())
def test_the_long_layout_has_an_inverse(tmp_path_factory, table, data):
    ends = st.floats(0, limits.AR)
    cells = []
    for cell in table.cells:
        kind = data.draw(st.sampled_from(["as it is", "skipped", "with interval"]))
        if kind == "skipped":
            cell = Cell.skipped(*cell.key, cell.reason)
        elif kind == "with interval" and cell.status == "measured":
            low, high = sorted((data.draw(ends), data.draw(ends)))
            cell = replace(cell, ar_low=low, ar_high=high)
        cells.append(cell)
    table = ARTable.from_cells(cells)
    path = tmp_path_factory.mktemp("table") / "ar_table.csv"
    table.to_csv(path)
    again = ARTable.from_csv(path)
    assert again == table
    written = path.read_bytes()
    again.to_csv(path)
    assert path.read_bytes() == written
    assert list(path.parent.iterdir()) == [path]


@given(ar_tables(failures=False))
def test_the_wide_layout_has_an_inverse(tmp_path_factory, table):
    lines = [f"task_a,task_b,{','.join(f'ar_{depth}_pct' for depth in table.depths)}"]
    for a, b in table.pairs():
        values = [repr(table.cell(a, b, depth).ar_pct) for depth in table.depths]
        lines.append(f"{a},{b},{','.join(values)}")
    path = tmp_path_factory.mktemp("table") / "wide.csv"
    path.write_text("\n".join(lines))
    plain = [replace(cell, seeds=1) for cell in table.cells]
    assert ARTable.from_csv(path) == ARTable.from_cells(plain)


def test_the_written_form_is_fixed(tmp_path):
    path = tmp_path / "ar_table.csv"
    cells = [
        Cell("gc", "ac", 4, 0.1 + 0.2, single_a=0.9, ar_low=0.0, ar_high=0.5),
        Cell("gc", "ac", 5, None, "failed", "a,b"),
        Cell.skipped("gc", "ac", 6, "not needed"),
    ]
    ARTable.from_cells(cells).to_csv(path)
    assert path.read_bytes() == (
        b"task_a,task_b,shared_depth,ar_pct,ar_low,ar_high,seeds,status,reason,"
        b"single_a,single_b,multi_a,multi_b,test_ar_pct\n"
        b"gc,ac,4,0.30000000000000004,0.0,0.5,1,measured,,0.9,,,,\n"
        b'gc,ac,5,,,,1,failed,"a,b",,,,,\n'
        b"gc,ac,6,,,,0,skipped,not needed,,,,,\n"
    )


def test_the_trainings_of_a_cell_are_a_last_column_where_some_are_known(tmp_path):
    path = tmp_path / "ar_table.csv"
    table = ARTable.from_cells(
        [Cell("gc", "ac", 4, 0.5, trials=("0a1b", "2c3d")), Cell("gc", "ac", 5, 1.0)]
    )
    table.to_csv(path)
    assert path.read_bytes() == (
        b"task_a,task_b,shared_depth,ar_pct,ar_low,ar_high,seeds,status,reason,"
        b"single_a,single_b,multi_a,multi_b,test_ar_pct,trials\n"
        b"gc,ac,4,0.5,,,1,measured,,,,,,,0a1b 2c3d\n"
        b"gc,ac,5,1.0,,,1,measured,,,,,,,\n"
    )
    assert ARTable.from_csv(path) == table


def test_tables_from_before_there_were_intervals(tmp_path):
    path = tmp_path / "ar_table.csv"
    path.write_text(
        "task_a,task_b,shared_depth,ar_pct,status,reason,seeds,"
        "single_a,single_b,multi_a,multi_b,test_ar_pct\n"
        "gc,ac,4,0.5,measured,,3,0.9,0.8,0.9,0.7,0.25\n"
        'gc,ac,5,,failed,"a,b",0,,,,,\n'
    )
    assert ARTable.from_csv(path) == ARTable.from_cells(
        [
            Cell("gc", "ac", 4, 0.5, "measured", "", 3, 0.9, 0.8, 0.9, 0.7, 0.25),
            Cell("gc", "ac", 5, None, "failed", "a,b", 0),
        ]
    )


def test_a_skipped_cell_needs_no_further_columns(tmp_path):
    path = tmp_path / "ar_table.csv"
    path.write_text("task_a,task_b,shared_depth,ar_pct,status\na,b,4,,skipped\na,b,5,1.0,\n")
    assert ARTable.from_csv(path).cells[0] == Cell.skipped("a", "b", 4, "")


def test_long_tables_of_other_programs(tmp_path):
    path = tmp_path / "table.csv"
    text = "note, ar_pct ,task_b,shared_depth,task_a\r\nx, 1.5 ,ac,4,gc\r\n\r\n,,,,\r\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert ARTable.from_csv(path) == ARTable.from_cells([Cell("gc", "ac", 4, 1.5)])


def test_both_layouts_of_the_papers_table_are_equal(tmp_path):
    table = paper_table()
    rows = [f"{c.task_a},{c.task_b},{c.shared_depth},{c.ar_pct}\n" for c in table.cells]
    (tmp_path / "long.csv").write_text(LONG + "".join(rows))
    assert ARTable.from_csv(tmp_path / "long.csv") == table


BAD_FILES = {
    "empty": ("", "found an empty file"),
    "blank": ("\n\n ,\n", "found an empty file"),
    "header only": (LONG, "at least two different tasks, found none"),
    "no task": ("task_a,shared_depth,ar_pct\n", "line 1: .* found no task_b in"),
    "no AR": ("task_a,task_b,shared_depth\n", "found no ar_pct in"),
    "no depth": ("task_a,task_b,ar_pct\n", "found no shared_depth in"),
    "wide without task": ("task_a,ar_4_pct\n", "found no task_b in"),
    "semicolons": ("task_a;task_b;shared_depth;ar_pct\na;b;4;1.0\n", "separate columns with comma"),
    "column twice": (LONG.strip() + ",ar_pct\na,b,4,1.0,2.0\n", "line 1: .* found ar_pct again"),
    "no number": (LONG + "a,b,4,little\n", "line 2: expected a number as ar_pct, found 'little'"),
    "decimal comma": (LONG + 'a,b,4,"2,3"\n', "line 2: .* found '2,3'"),
    "NaN": (LONG + "a,b,4,nan\n", "line 2: expected a number as ar_pct, found 'nan'"),
    "negative": (LONG + "a,b,4,-0.5\n", "line 2: .* of 0 to 1,000,000 percent, found -0.5"),
    "infinite": (LONG + "a,b,4,1e999\n", "line 2: expected a number as ar_pct, found '1e999'"),
    "huge": (LONG + "a,b,4,1e300\n", r"line 2: .* of 0 to 1,000,000 percent, found 1e\+300"),
    "underscore": (LONG + "a,b,4,1_0\n", "line 2: expected a number as ar_pct, found '1_0'"),
    "other digits": (LONG + "a,b,4,\u0663\n", "line 2: expected a number .* found '\u0663'"),
    "hexadecimal": (LONG + "a,b,4,0x1\n", "line 2: expected a number as ar_pct, found '0x1'"),
    "deep": (LONG + "a,b,1001,1\n", "line 2: expected a shared depth of at most 1000, found 1001"),
    "depth of other digits": (LONG + "a,b,\u0663,1\n", "line 2: expected a whole number as share"),
    "depth of many digits": (LONG + f"a,b,{'1' * 5000},1\n", "line 2: expected a whole number"),
    "wide depth of many digits": (
        f"task_a,task_b,ar_{'1' * 5000}_pct\na,b,1\n",
        r"line 1: expected a column such as ar_4_pct, found 'ar_1+\.\.\.",
    ),
    "wide depth of other digits": ("task_a,task_b,ar_\u0663_pct\na,b,1\n", "line 1: .* ar_4_pct"),
    "name too long": (LONG + f"{'a' * 65},b,4,1\n", "line 2: task 'a+.* at most 64 characters"),
    "name with markup": (
        LONG + "<b>,b,4,1\n",
        "line 2: task '<b>': expected a letter.*; rename it",
    ),
    "name that a terminal obeys": (
        LONG + "a\x1b[31m,b,4,1\n",
        "line 2: task .* expected a name of printable",
    ),
    "names alike": (LONG + "a-b,a_b,4,1\n", "differ in more than - and _, found a-b, a_b"),
    "empty AR": (LONG + "a,b,4,\n", "line 2: expected an AR in percent, found none"),
    "empty wide AR": (WIDE + "a,b,1.0,\n", "line 2: .* found none; .* with a line for each cell"),
    "depth no number": (LONG + "a,b,4.5,1.0\n", "line 2: .* as shared_depth, found '4.5'"),
    "depth 0": (LONG + "a,b,0,1.0\n", "line 2: expected a shared depth of at least 1, found 0"),
    "wide depth 0": ("task_a,task_b,ar_0_pct\na,b,0.0\n", "line 2: .* at least 1, found 0"),
    "same task": (LONG + "a,a,4,1.0\n", "line 2: expected two different tasks, found a twice"),
    "no name": (LONG + " ,b,4,1.0\n", "line 2: expected two task names"),
    "cell twice": (
        LONG + "a,b,4,1\nb,a,4,2\n",
        r"line 3: .* b-a at depth 4 again \(first: line 2\)",
    ),
    "missing pair": (LONG + "a,b,4,1\na,c,4,1\n", "pair b-c: .* found no row of this pair"),
    "unequal depths": (
        LONG + "a,b,4,1\na,b,5,1\na,c,4,1\na,c,5,1\nb,c,5,1\n",
        "pair b-c: expected the depths 4, 5 .* found no depth 4",
    ),
    "short line": (LONG + "a,b,4\n", "line 2: expected 4 values as in the header, found 3"),
    "long line": (LONG + "a,b,4,1,5\n", "line 2: expected 4 values as in the header, found 5"),
    "unknown status": (
        "task_a,task_b,shared_depth,ar_pct,status\na,b,4,1,ok\n",
        "line 2: expected the status measured, failed or skipped, found 'ok'",
    ),
    "failed with AR": (
        "task_a,task_b,shared_depth,ar_pct,status\na,b,4,1,failed\n",
        "line 2: expected no AR of a failed cell",
    ),
    "bad seeds": (
        "task_a,task_b,shared_depth,ar_pct,seeds\na,b,4,1,many\n",
        "line 2: expected a whole number as seeds, found 'many'",
    ),
    "bad score": (
        "task_a,task_b,shared_depth,ar_pct,single_a\na,b,4,1,high\n",
        "line 2: expected a number as single_a, found 'high'",
    ),
    "bad interval": (
        "task_a,task_b,shared_depth,ar_pct,ar_low,ar_high\na,b,4,1,0.5,wide\n",
        "line 2: expected a number as ar_high, found 'wide'",
    ),
    "half an interval": (
        "task_a,task_b,shared_depth,ar_pct,ar_low,ar_high\na,b,4,1,,2\n",
        "line 2: expected ar_low and ar_high or neither",
    ),
    "open quote": (LONG + 'a,"b,4,1\n', "as CSV text in UTF-8"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(tmp_path, name):
    text, words = BAD_FILES[name]
    path = tmp_path / "ar_table.csv"
    path.write_text(text)
    with pytest.raises(TableError, match=words) as caught:
        ARTable.from_csv(path)
    assert str(path) in str(caught.value)


def test_files_that_are_no_text(tmp_path):
    with pytest.raises(TableError, match="no such file"):
        ARTable.from_csv(tmp_path / "none.csv")
    with pytest.raises(TableError, match="expected an AR table"):
        ARTable.from_csv(tmp_path)
    (tmp_path / "table.xlsx").write_bytes(b"PK\x03\x04\xff\xfe\x00")
    with pytest.raises(TableError, match="save it as CSV"):
        ARTable.from_csv(tmp_path / "table.xlsx")


@pytest.mark.parametrize("kind", ["a FIFO", "a device", "a folder"])
def test_what_is_no_file_is_not_read(tmp_path, kind):
    path = {"a FIFO": tmp_path / "fifo", "a device": Path("/dev/zero"), "a folder": tmp_path}[kind]
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(TableError, match=f"expected a regular file, found {kind}"):
        ARTable.from_csv(path)


LARGE = {
    "no complete pair": (
        lambda: LONG + "".join(f"a{n},b{n},4,1\n" for n in range(3000)),
        "expected at most 100,000 cells, found 6000 tasks at 1 depth, which have 17,997,000",
    ),
    "many tasks": (
        lambda: LONG + "".join(f"t{n},t{m},1,1\n" for n in range(201) for m in range(n)),
        "expected at most 200 tasks, found 201",
    ),
    "many gaps": (
        lambda: LONG + "".join(f"t0,t{n},4,1\n" for n in range(1, 100)),
        "4851 problems\n.*pair t1-t2: .* no row of this pair",
    ),
    "many cells": (
        lambda: LONG + "a,b,4,1\n" * 100_001,
        "line 100002: expected at most 100,000 cells, found more",
    ),
    "many lines": (lambda: LONG + "\n" * 200_001, "at most 200,000 lines, found more"),
    "many columns": (
        lambda: "task_a,task_b" + "".join(f",ar_{n}_pct" for n in range(200_000)),
        "line 1: expected at most 2,000 columns, found 200,002",
    ),
    "one column many times": (
        lambda: "task_a,task_b" + ",ar_4_pct" * 1900,
        "line 1: expected every column once, found ar_4_pct again",
    ),
    "a long value": (lambda: LONG + f"a,b,4,{'9' * 100_000}x", r"found '9+\.\.\.9+x'; correct it$"),
    "a long header": (lambda: "x" * 100_000, r"in 'x+\.\.\.x+'; add"),
}


@pytest.mark.parametrize("name", LARGE)
def test_the_problems_of_a_large_file_are_counted_and_not_listed(tmp_path, name):
    text, words = LARGE[name]
    path = tmp_path / "t.csv"
    path.write_text(text())
    with pytest.raises(TableError, match=words) as caught:
        ARTable.from_csv(path)
    assert len(str(caught.value).splitlines()) <= 22


def test_a_table_of_forty_tasks_is_read(tmp_path):
    names = [f"task-{n}" for n in range(40)]
    cells = [
        Cell(a, b, depth, (n * depth) % 97 / 10)
        for n, (a, b) in enumerate(itertools.combinations(names, 2))
        for depth in range(1, 9)
    ]
    table = ARTable.from_cells(cells)
    table.to_csv(tmp_path / "t.csv")
    assert ARTable.from_csv(tmp_path / "t.csv") == table


@given(
    st.lists(st.lists(st.text('ab,4_1.e\n" \ud800\u0663', max_size=6), max_size=6), max_size=6),
    st.sampled_from([LONG, WIDE, "", "\ufeff" + LONG]),
)
def test_any_text_is_a_table_or_refused(tmp_path_factory, rows, header):
    path = tmp_path_factory.mktemp("table") / "t.csv"
    text = header + "\n".join(map(",".join, rows))
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(TableError):
        table = ARTable.from_csv(path)
        table.to_csv(path)
        assert ARTable.from_csv(path) == table


def test_all_problems_of_a_file_at_once(tmp_path):
    path = tmp_path / "ar_table.csv"
    path.write_text(LONG + "a,b,4,nan\na,c,4,much\na,c,x,1\na,a,4,1\nd,a,4,-1\n")
    with pytest.raises(TableError) as caught:
        ARTable.from_csv(path)
    first, *problems = str(caught.value).splitlines()
    assert first == f"{path}: 8 problems"
    for words in (
        "line 2: expected a number as ar_pct, found 'nan'",
        "line 3: expected a number as ar_pct, found 'much'",
        "line 4: expected a whole number as shared_depth, found 'x'",
        "line 5: expected two different tasks",
        "line 6: expected an AR of 0 to",
        "pair b-c",
        "pair b-d",
        "pair c-d",
    ):
        assert sum(words in problem for problem in problems) == 1


def test_very_many_problems_are_counted(tmp_path):
    path = tmp_path / "ar_table.csv"
    path.write_text(LONG + "".join(f"a,b,{depth},nan\n" for depth in range(1, 101)))
    with pytest.raises(TableError) as caught:
        ARTable.from_csv(path)
    assert "100 problems" in str(caught.value)
    assert str(caught.value).endswith("\n  and 80 more")
    assert len(str(caught.value).splitlines()) == 22
