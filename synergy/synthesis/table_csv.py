"""The AR table as CSV: the long layout of a workspace, and the wide one of printed tables."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synergy import limits
from synergy.errors import TableError
from synergy.files import LONGEST_TEXT, UnfitFileError, read_text, shortly, write_atomically
from synergy.quantities import decimal_number, whole_number
from synergy.synthesis.cells import Cell
from synergy.wording import quoted, short_list

if TYPE_CHECKING:
    import pandas

LONG = ("task_a", "task_b", "shared_depth", "ar_pct")
SCORES = ("single_a", "single_b", "multi_a", "multi_b", "test_ar_pct")
COLUMNS = (*LONG, "ar_low", "ar_high", "seeds", "status", "reason", *SCORES)
"""The attributes of a cell, in the order in which they are written; read in any order. A column
``trials`` follows where a cell has some."""
_MOST_COLUMNS = 2000
_MOST_LINES = 2 * limits.CELLS  # with blank ones
# What looks like the AR at a depth; `whole_number` decides.
_WIDE = re.compile(r"ar_([+-]?\d.*)_pct", re.DOTALL)


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


def read_frame(frame: pandas.DataFrame) -> Iterator[tuple[int, list[str]]]:
    """The lines that the CSV file of a data frame has; what is missing in it is empty."""
    yield 1, [str(name) for name in frame.columns]
    known = frame.notna().to_numpy()
    for number, row in enumerate(frame.itertuples(index=False, name=None)):
        told = zip(row, known[number], strict=True)
        yield number + 2, [_written(value) if there else "" for value, there in told]


def read_cells(
    path: Path | str, lines: Iterator[tuple[int, list[str]]]
) -> tuple[list[tuple[str, Cell]], list[str]]:
    """Read cells in either layout, each with its line such as ``line 4``; and what is wrong.

    A value that is no number is replaced, so that its cell is not reported as missing as well.
    A TableError is raised if the lines cannot be read at all or lack a column.
    """
    number, header = next(lines, (1, []))
    header = [name.strip() for name in header]
    if not header:
        raise TableError(
            f"{path}: expected an AR table with a header line, found an empty file; "
            "write it with the pairwise stage"
        )
    if len(header) > _MOST_COLUMNS:
        raise TableError(
            f"{path}: line {number}: expected at most {_MOST_COLUMNS:,} columns, found "
            f"{len(header):,}; leave out what is no part of the table"
        )
    depths, problems = _depths(header)
    is_wide = bool(depths or problems) and "ar_pct" not in header
    missing = [name for name in (LONG[:2] if is_wide else LONG) if name not in header]
    if missing:
        raise TableError(
            f"{path}: line {number}: expected the columns {', '.join(LONG)} (or task_a, task_b "
            f"and one such as ar_4_pct for each depth), found no {', '.join(missing)} in "
            f"{quoted(','.join(header))}; add what is missing and separate columns with commas"
        )
    problems = [f"line {number}: {problem}" for problem in problems] if is_wide else []
    if twice := sorted(name for name, times in Counter(header).items() if name and times > 1):
        problems.append(
            f"line {number}: expected every column once, found {short_list(twice)} again; remove "
            "one of them"
        )
    located: list[tuple[str, Cell]] = []
    for number, values in lines:
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
        if len(located) > limits.CELLS:
            raise TableError(
                f"{path}: {where}: expected at most {limits.CELLS:,} cells, found more; leave out "
                "tasks or depths"
            )
    return located, problems


def _depths(header: Iterable[str]) -> tuple[dict[str, int], list[str]]:
    """The columns of a wide table with their depths, and those whose depth cannot be read."""
    depths: dict[str, int] = {}
    problems: list[str] = []
    for name in header:
        if found := _WIDE.fullmatch(name):
            if (depth := whole_number(found[1])) is not None:
                depths[name] = depth
            else:
                problems.append(
                    f"expected a column such as ar_4_pct, found {quoted(name)}; correct its depth"
                )
    return depths, problems


def read_lines(
    path: Path, what: str = "an AR table", longest: int = LONGEST_TEXT
) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not blank, each with its number.

    A TableError is raised if the file is no CSV, has more than ``longest`` bytes, or far more lines
    than a table.
    """
    try:
        reader = csv.reader(io.StringIO(read_text(path, longest), newline=""), strict=True)
        for row in reader:
            if reader.line_num > _MOST_LINES:
                raise UnfitFileError(f"expected at most {_MOST_LINES:,} lines, found more")
            if any(map(str.strip, row)):
                yield reader.line_num, row
        return
    except FileNotFoundError:
        problem = "found no such file; check the path or run the pairwise stage first"
    except (OSError, UnfitFileError, csv.Error) as error:
        problem = f"found something else ({shortly(error)}); save it as CSV with commas"
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
    if not (text := row.get(column)):
        return None
    number = decimal_number(text)
    if number is None:
        problems.append(f"expected a number as {column}, found {quoted(text)}")
        return instead
    return number


def _whole_number(row: Mapping[str, str], column: str, problems: list[str]) -> int | None:
    number = whole_number(row[column])
    if number is None:
        problems.append(f"expected a whole number as {column}, found {quoted(row[column])}")
    return number
