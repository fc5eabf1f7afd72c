from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from small_tables import ar_tables, paper_table

from synergy import limits
from synergy.errors import ConfigError, TableError
from synergy.synthesis import ARTable, Cell
from synergy.synthesis.resampling import TableSamples, noisy_samples

TABLE = ARTable.from_cells(
    [Cell("a", "b", 4, 1.0), Cell("a", "b", 5, None, "failed"), Cell("a", "b", 6, 2.0)]
)
NAN = math.nan


def csv_of(samples: TableSamples, path: Path) -> str:
    samples.to_csv(path)
    return path.read_text()


# -- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ar", "words"),
    [
        ([1.0, NAN, 2.0], r"3 cells, found an array of the shape \(3,\)"),
        (np.empty((0, 3)), r"shape \(0, 3\)"),
        ([[1.0, NAN]], r"shape \(1, 2\)"),
        ([[1.0, 0.5, 2.0]], "a-b at depth 5: expected none in resampled table 0, .* found 0.5"),
        ([[1.0, NAN, 2.0], [1.0, NAN, NAN]], "a-b at depth 6: .* in resampled table 1, .* nan"),
        (
            [[-0.1, NAN, 2.0]],
            "a-b at depth 4: expected an AR of 0 to .* found -0.1",
        ),
        ([[math.inf, NAN, 2.0]], "found inf"),
    ],
)
def test_samples_have_to_fit_the_table(ar, words):
    with pytest.raises(TableError, match=words):
        TableSamples(TABLE, np.array(ar))


def test_samples_cannot_be_changed():
    given_ar = np.array([[1.0, NAN, 2.0]])
    samples = TableSamples(TABLE, given_ar)
    given_ar[0, 0] = 5.0
    assert samples.ar[0, 0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        samples.ar[0, 0] = 5.0


def test_intervals_are_percentiles():
    ar = np.array([[i, NAN, 7.0] for i in range(101)], dtype=float)
    samples = TableSamples(TABLE, np.random.default_rng(0).permutation(ar))
    first, *_ = samples.with_intervals().cells
    assert (first.ar_low, first.ar_high) == pytest.approx((2.5, 97.5))
    for level, interval in ((0.75, (12.5, 87.5)), (0.5, (25.0, 75.0))):
        cells = samples.with_intervals(level).cells
        assert [(c.ar_low, c.ar_high) for c in cells] == [interval, (None, None), (7.0, 7.0)]
        assert [cell.ar_pct for cell in cells] == [1.0, None, 2.0]
    for level in (0.0, 1.0, NAN):
        with pytest.raises(ConfigError, match="level above 0 and below 1"):
            samples.with_intervals(level)


# -- noise ------------------------------------------------------------------------------------


def test_noise_is_gaussian_and_clipped_at_zero():
    table = paper_table()
    samples = noisy_samples(table, 0.5, 4000, 3)
    assert samples.ar.min() == 0.0
    for place, cell in enumerate(table.cells):
        assert cell.ar_pct is not None
        column = samples.ar[:, place]
        assert np.median(column) == pytest.approx(cell.ar_pct, abs=0.05)
        if cell.ar_pct >= 2.0:  # four deviations from 0
            assert column.std() == pytest.approx(0.5, rel=0.06)
    correlations = np.corrcoef(samples.ar[:, [0, 10, 15, 29]], rowvar=False)
    assert np.abs(correlations - np.eye(4)).max() < 0.08


def test_noise_depends_on_the_seed_only():
    table = paper_table()
    one, same, other = (noisy_samples(table, 0.5, 3, seed).ar for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.any(one[one > 0] == other[one > 0])
    assert np.array_equal(noisy_samples(TABLE, 0.0, 2, 1).ar, [[1, NAN, 2]] * 2, equal_nan=True)


@pytest.mark.parametrize(("sd", "count"), [(-0.1, 1), (NAN, 1), (math.inf, 1), (0.5, 0)])
def test_impossible_noise(sd, count):
    with pytest.raises(ConfigError, match="at least 0 points and at least one table"):
        noisy_samples(TABLE, sd, count, 0)


# -- CSV --------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(ar_tables(at_most=3, depths=(4, 8)), st.data())
def test_the_file_has_an_inverse(tmp_path_factory, table, data):
    count = data.draw(st.integers(1, 4))
    values = st.floats(0, limits.AR)
    ar = data.draw(st_numpy.arrays(np.float64, (count, len(table.cells)), elements=values))
    ar[:, [cell.ar_pct is None for cell in table.cells]] = NAN
    path = tmp_path_factory.mktemp("samples") / "ar_samples.csv"
    text = csv_of(TableSamples(table, ar), path)
    again = TableSamples.from_csv(path, table)
    assert np.array_equal(again.ar, ar, equal_nan=True)
    assert again.table is table
    assert csv_of(again, path) == text
    assert list(path.parent.iterdir()) == [path]


def test_the_written_form_is_fixed(tmp_path):
    samples = TableSamples(TABLE, np.array([[0.1 + 0.2, NAN, 2.0], [0.0, NAN, 1e-9]]))
    assert csv_of(samples, tmp_path / "ar_samples.csv") == (
        "task_a,task_b,shared_depth,r0,r1\n"
        "a,b,4,0.30000000000000004,0.0\n"
        "a,b,5,,\n"
        "a,b,6,2.0,1e-09\n"
    )


HEADER = "task_a,task_b,shared_depth,r0\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected the columns task_a, task_b, shared_depth, r0, r1, ..., .* found ''"),
        ("task_a,task_b,shared_depth\n", "found 'task_a,task_b,shared_depth'"),
        ("task_a,task_b,shared_depth,ar_pct\n", "found 'task_a,task_b,shared_depth,ar_pct'"),
        (HEADER, "expected the 3 cells of the AR table in its order, found 0 rows"),
        (
            HEADER + "a,b,4,1\na,b,6,2\na,b,5,\n",
            "line 3: expected the 3 cells of the AR table",
        ),
        (HEADER + "a,c,4,1\na,c,5,\na,c,6,2\n", "resample this table again"),
        (HEADER + "a,b,4,1\na,b,5,\na,b,6\n", "line 4: expected 1 numbers"),
        (HEADER + "a,b,4,1,1\na,b,5,\na,b,6,2\n", "line 2: expected 1 numbers"),
        (HEADER + "a,b,4,much\na,b,5,\na,b,6,2\n", "line 2: expected 1 numbers, .*'much'"),
        (HEADER + "a,b,4,1\na,b,5,1\na,b,6,2\n", "a-b at depth 5: expected none"),
        (HEADER + "a,b,4,-1\na,b,5,\na,b,6,2\n", "a-b at depth 4: expected an AR of 0 to"),
        (HEADER + "a,b,4,nan\na,b,5,\na,b,6,2\n", "line 2: expected 1 numbers, found 'nan'"),
        (HEADER + "a,b,4,1_0\na,b,5,\na,b,6,2\n", "line 2: expected 1 numbers, found '1_0'"),
        (HEADER + "a,b,4,1\n" * 9, "line 3: expected the 3 cells of the AR table in its order"),
        (HEADER[:-1] + ",r1" * 20_000 + "\n", "at most 10,000 of these"),
        (HEADER + 'a,"b,4,1\n', "expected resampled AR tables as CSV text"),
    ],
)
def test_files_of_other_tables(tmp_path, text, words):
    path = tmp_path / "ar_samples.csv"
    path.write_text(text)
    with pytest.raises(TableError, match=words) as caught:
        TableSamples.from_csv(path, TABLE)
    assert str(path) in str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(TableError, match="found no such file"):
        TableSamples.from_csv(tmp_path / "none.csv", TABLE)
