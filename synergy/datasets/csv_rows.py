"""Tables of text: CSV with any of the usual separators."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from synergy import limits
from synergy.errors import DataError
from synergy.files import UnfitFileError, read_text, shortly
from synergy.names import label_problem
from synergy.wording import counted, short_list, shown

Rows = Sequence[tuple[str, defaultdict[str, str]]]
"""Where each row of a file stands, and its cells by column, empty where there is no such."""

# Of what the separator is guessed: below what the csv module takes for one cell.
_LONGEST_HEADER = 100_000

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def read_rows(
    file: Path, required: Sequence[str], wanted: Callable[[Sequence[str]], int] | None = None
) -> tuple[list[str], Rows]:
    """Header and rows of a CSV file of at most `limits.CSV_BYTES`.

    UTF-8, or UTF-16 with a byte order mark. The separator is the first of `SEPARATORS` with which
    the header has all ``required`` columns. Or, for a table of somebody else, it has the most that
    ``wanted`` counts, and columns without a name are left out.

    Raises
    ------
    DataError
        If it is missing, no CSV file, has rows of different length, or columns are missing, without
        a name or there twice.
    """
    strange = wanted is not None
    wanted = wanted or (lambda header: len({*required} & {*header}))
    try:
        text = read_text(file, limits.CSV_BYTES)
        separator = _separator(text, wanted)
        reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
        header = [column.strip() for column in next(reader, [])]
        rows = [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    except FileNotFoundError as error:
        raise DataError(f"expected {file.name} in {file.parent}, found none") from error
    except (OSError, UnfitFileError, csv.Error) as error:
        raise DataError(f"{file}: expected a CSV file in UTF-8 ({shortly(error)})") from error
    if len(header) > limits.COLUMNS:
        raise DataError(
            f"{file}: expected at most {limits.COLUMNS:,} columns, found {len(header):,}"
        )
    if missing := [column for column in required if column not in header]:
        raise DataError(
            f"{file}: expected the columns {', '.join(required)}; {', '.join(missing)} is missing "
            f"among {shown(', '.join(header)) or 'none'}{_hint(header, separator)}"
        )
    if strange:
        named = [place for place, column in enumerate(header) if column]
        rows = [
            (line, [cells[p] for p in named] if len(cells) == len(header) else cells)
            for line, cells in rows
        ]
        header = [header[place] for place in named]
    if len({*header}) < len(header) or "" in header:
        raise DataError(
            f"{file}: every column needs a name of its own, found {shown(', '.join(header))}"
            f"{_hint(header, separator)}"
        )
    if problem := next(filter(None, map(label_problem, header)), ""):
        raise DataError(f"{file}: a column: {problem}")
    if ragged := [line for line, cells in rows if len(cells) != len(header)]:
        raise DataError(
            f"{file}: expected {counted(len(header), 'cell')} in every row, found another number "
            f"in line {short_list(map(str, ragged))}; {SEPARATORS[separator]} separate cells here: "
            "put a cell that holds one in quotes"
        )
    stripped = ((line, zip(header, map(str.strip, cells), strict=True)) for line, cells in rows)
    return header, [(f"{file.name} line {n}", defaultdict(str, cells)) for n, cells in stripped]


def _separator(text: str, wanted: Callable[[Sequence[str]], int]) -> str:
    line = text[:_LONGEST_HEADER].partition("\n")[0]
    headers = {
        separator: [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]
        for separator in SEPARATORS
    }
    # of those that lead to as many known columns the one that leads to most columns
    return max(SEPARATORS, key=lambda each: (wanted(headers[each]), len(headers[each])))


def _hint(header: Sequence[str], separator: str) -> str:
    """What the separator was taken to be, where it may be the reason that nothing fits."""
    if len(header) > 1:
        return "" if separator == "," else f", separated by {SEPARATORS[separator]}"
    *first, last = SEPARATORS.values()
    return f"; expected {', '.join(first)} or {last} between columns, found none" if header else ""
