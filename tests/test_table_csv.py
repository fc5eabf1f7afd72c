"""AR tables as CSV files, in both layouts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_tables import ar_tables, paper_table

from synergy.errors import TableError
from synergy.synthesis import ARTable, Cell

LONG = "task_a,task_b,shared_depth,ar_pct\n"
WIDE = "task_a,task_b,ar_4_pct,ar_5_pct\n"


@given(ar_tables(at_most=4, depths=(1, 8), exotic=True), st.data())
def test_the_long_layout_has_an_inverse(tmp_path_factory, table, data):
    ends = st.floats(0, allow_infinity=False, allow_nan=False)
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
    "NaN": (LONG + "a,b,4,nan\n", "line 2: .* at least 0 percent, found nan"),
    "negative": (LONG + "a,b,4,-0.5\n", "line 2: .* at least 0 percent, found -0.5"),
    "infinite": (LONG + "a,b,4,1e999\n", "line 2: .* at least 0 percent, found inf"),
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


def test_all_problems_of_a_file_at_once(tmp_path):
    path = tmp_path / "ar_table.csv"
    path.write_text(LONG + "a,b,4,nan\na,c,4,much\na,c,x,1\na,a,4,1\nd,a,4,-1\n")
    with pytest.raises(TableError) as caught:
        ARTable.from_csv(path)
    first, *problems = str(caught.value).splitlines()
    assert first == f"{path}: 8 problems:"
    for words in (
        "line 2: expected a finite AR",
        "line 3: expected a number as ar_pct, found 'much'",
        "line 4: expected a whole number as shared_depth, found 'x'",
        "line 5: expected two different tasks",
        "line 6: expected a finite AR",
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
    assert str(caught.value).endswith("- and 80 more")
    assert len(str(caught.value).splitlines()) == 22
