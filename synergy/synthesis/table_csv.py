"""The AR table as CSV: the long layout of a workspace, and the wide one of printed tables."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from synergy.errors import TableError
from synergy.files import write_atomically
from synergy.synthesis.cells import Cell

LONG = ("task_a", "task_b", "shared_depth", "ar_pct")
SCORES = ("single_a", "single_b", "multi_a", "multi_b", "test_ar_pct")
COLUMNS = (*LONG, "ar_low", "ar_high", "seeds", "status", "reason", *SCORES)
"""The attributes of a cell, in the order in which they are written; read in any order. A column
``trials`` follows where a cell has some."""
WIDE = re.compile(r"ar_(-?\d+)_pct")


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Write CSV: floats read back as the same floats, None is empty, tuples have spaces between."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_written(value) for value in row] for row in rows)
    write_atomically(path, text.getvalue())


def _written(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(value)
    if value is None:
        return ""
    return repr(float(value)) if isinstance(value, float) else str(value)


def read_cells(path: Path) -> tuple[list[tuple[str, Cell]], list[str]]:
    """Read cells in either layout, each with its line such as ``line 4``; and what is wrong.

    A value that is no number is replaced, so that its cell is not reported as missing as well.
    A TableError is raised if the file cannot be read at all or lacks a column.
    """
    lines = read_lines(path)
    if not lines:
        raise TableError(
            f"{path}: expected an AR table with a header line, found an empty file; "
            "write it with the pairwise stage"
        )
    number, header = lines[0][0], [name.strip() for name in lines[0][1]]
    depths = {name: int(m[1]) for name in header if (m := WIDE.fullmatch(name))}
    is_wide = bool(depths) and "ar_pct" not in header
    missing = [name for name in (LONG[:2] if is_wide else LONG) if name not in header]
    if missing:
        raise TableError(
            f"{path}: line {number}: expected the columns {', '.join(LONG)} (or task_a, task_b "
            f"and one such as ar_4_pct for each depth), found no {', '.join(missing)} in "
            f"'{','.join(header)}'; add what is missing and separate columns with commas"
        )
    problems = [
        f"line {number}: expected every column once, found {name} again; remove one of them"
        for name in sorted({name for name in header if name and header.count(name) > 1})
    ]
    located: list[tuple[str, Cell]] = []
    for number, values in lines[1:]:
        where = f"line {number}"
        if len(values) != len(header):
            problems.append(
                f"{where}: expected {len(header)} values as in the header, found {len(values)}; "
                "complete the line"
            )
            continue
        row = dict(zip(header, map(str.strip, values), strict=True))
        found: list[str] = []
        if not is_wide:
            cells = _long(row, found)
        else:
            pair = row["task_a"], row["task_b"]
            cells = [Cell(*pair, d, _number(row, name, found, 0.0)) for name, d in depths.items()]
        problems += [f"{where}: {problem}; correct it" for problem in found]
        located += [(where, cell) for cell in cells]
    return located, problems


def read_lines(path: Path, what: str = "an AR table") -> list[tuple[int, list[str]]]:
    """Read the lines that are not blank, each with its number; a TableError if it is no CSV."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        return [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except FileNotFoundError:
        problem = "found no such file; check the path or run the pairwise stage first"
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problem = f"found something else ({error}); save it as CSV with commas"
    raise TableError(f"{path}: expected {what} as CSV text in UTF-8, {problem}")


def _long(row: Mapping[str, str], problems: list[str]) -> list[Cell]:
    """The cell of a line, or none when its depth is not readable."""
    status: Any = row.get("status") or "measured"  # checked with the table
    usual = 0 if status == "skipped" else 1
    depth = _whole_number(row, "shared_depth", problems)
    seeds = _whole_number(row, "seeds", problems) if row.get("seeds") else usual
    low = _number(row, "ar_low", problems, 0.0)
    cell = Cell(
        row["task_a"],
        row["task_b"],
        depth or 0,
        _number(row, "ar_pct", problems, 0.0 if status == "measured" else None),
        status,
        row.get("reason", ""),
        usual if seeds is None else seeds,
        **{column: _number(row, column, problems) for column in SCORES},
        ar_low=low,
        ar_high=_number(row, "ar_high", problems, low),
        trials=tuple(row.get("trials", "").split()),
    )
    return [] if depth is None else [cell]


def _number(
    row: Mapping[str, str], column: str, problems: list[str], instead: float | None = None
) -> float | None:
    try:
        return float(row[column]) if row.get(column) else None
    except ValueError:
        problems.append(f"expected a number as {column}, found {row[column]!r}")
        return instead


def _whole_number(row: Mapping[str, str], column: str, problems: list[str]) -> int | None:
    try:
        return int(row[column])
    except ValueError:
        problems.append(f"expected a whole number as {column}, found {row[column]!r}")
        return None
