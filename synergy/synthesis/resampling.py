"""Many tables that could have come out instead of the one that did.

The uncertainty of an AR table is kept as resampled tables, from a model of all losses or from an
assumed noise. Cells of one resampled table belong together: two pairs of one task suffer from the
same unlucky baseline.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from synergy import limits
from synergy.errors import ConfigError, TableError
from synergy.quantities import decimal_number
from synergy.seeding import hash64
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.table_csv import read_lines, write_rows
from synergy.wording import quoted

_KEY = ("task_a", "task_b", "shared_depth")
_LONGEST = 2**30  # bytes of a file


@dataclass(frozen=True, eq=False)
class TableSamples:
    """An AR table and resampled ones.

    Parameters
    ----------
    table : ARTable
    ar : np.ndarray of float64, [samples, cells]
        AR in percent, 0 to 1e6; columns in the order of ``table.cells``. NaN exactly where a cell
        has no AR, but a skipped cell may have what follows from others. Read-only afterwards.

    Raises
    ------
    TableError
        If the shape or a value does not fit the table.
    """

    table: ARTable
    ar: np.ndarray

    def __post_init__(self) -> None:
        ar = np.array(self.ar, dtype=np.float64)
        cells = self.table.cells
        if ar.ndim != 2 or len(ar) < 1 or ar.shape[1] != len(cells):
            raise TableError(
                f"expected at least one resampled table of {len(cells)} cells, found an array of "
                f"the shape {ar.shape}; resample this table again"
            )
        within, none = (ar >= 0) & (ar <= limits.AR), np.isnan(ar)
        skipped = np.array([cell.status == "skipped" for cell in cells])
        failed = np.array([cell.status == "failed" for cell in cells])
        fits = np.where(failed, none, within | (skipped & none.all(axis=0)))
        if not fits.all():
            sample, column = (int(place) for place in np.argwhere(~fits)[0])
            wanted = "none" if failed[column] else f"an AR of 0 to {limits.AR:,.0f} percent"
            raise TableError(
                f"{cells[column].label}: expected {wanted} in resampled table {sample}, as in the "
                f"AR table, found {ar[sample, column]}; resample this table again"
            )
        ar.setflags(write=False)
        object.__setattr__(self, "ar", ar)

    def with_intervals(self, level: float = 0.95, without: Collection[str] = ()) -> ARTable:
        """The table with a percentile interval at every cell that has an AR.

        The ``level``, above 0 and below 1, is the share of the resampled values inside. Pairs
        with a task that is ``without`` get none.
        """
        tail = tail_of(level)
        low, high = np.percentile(self.ar, [100 * tail, 100 * (1 - tail)], axis=0).tolist()
        cells = [
            cell
            if cell.ar_pct is None or {cell.task_a, cell.task_b} & set(without)
            else replace(cell, ar_low=one, ar_high=other)
            for cell, one, other in zip(self.table.cells, low, high, strict=True)
        ]
        return ARTable(self.table.tasks, self.table.depths, tuple(cells))

    def to_csv(self, path: Path) -> None:
        """Write one row for each cell: its key, then ``r0``, ``r1``, ... exactly as they are.

        A value that does not exist is empty. The file appears complete or not at all.
        """
        rows = (
            [*cell.key, *(None if math.isnan(value) else value for value in values)]
            for cell, values in zip(self.table.cells, self.ar.T.tolist(), strict=True)
        )
        write_rows(Path(path), _header(len(self.ar)), rows)

    @classmethod
    def from_csv(cls, path: Path, table: ARTable) -> TableSamples:
        """Read what `to_csv` wrote; a TableError if it is damaged or belongs to another table."""
        path = Path(path)
        lines = read_lines(path, "resampled AR tables", _LONGEST)
        _, header = next(lines, (1, []))
        count = len(header) - len(_KEY)
        if not 1 <= count <= limits.SAMPLES or tuple(header) != _header(count):
            raise TableError(
                f"{path}: expected the columns {', '.join(_KEY)}, r0, r1, ..., at most "
                f"{limits.SAMPLES:,} of these, found {quoted(','.join(header[:5]))}; resample the "
                "table again"
            )
        keys = [[*map(str, cell.key)] for cell in table.cells]
        of_cells: list[np.ndarray] = []
        for number, row in lines:
            if row[:3] not in keys[len(of_cells) : len(of_cells) + 1]:
                raise TableError(
                    f"{path}: line {number}: expected the {len(keys)} cells of the AR table in its "
                    "order, found another one; resample this table again"
                )
            values = _numbers(row[3:])
            if values is None or len(values) != count:
                odd = [text for text in row[3:] if text and decimal_number(text) is None]
                raise TableError(
                    f"{path}: line {number}: expected {count} numbers, found "
                    f"{quoted(odd[0] if odd else ','.join(row))}; resample the table again"
                )
            of_cells.append(np.array(values))
        if len(of_cells) != len(keys):
            raise TableError(
                f"{path}: expected the {len(keys)} cells of the AR table in its order, found "
                f"{len(of_cells)} rows; resample this table again"
            )
        try:
            return cls(table, np.stack(of_cells, axis=1))
        except TableError as error:
            raise TableError(f"{path}: {error}") from None


def noisy_samples(table: ARTable, sd: float, count: int, seed: int) -> TableSamples:
    """Resampled tables with independent Gaussian noise on each measured cell.

    The standard deviation ``sd``, in percentage points, is 0 or more, and the ``count`` of tables
    at least 1, else a ConfigError is raised. What falls below 0 becomes 0.
    """
    if not (math.isfinite(sd) and sd >= 0) or count < 1:
        raise ConfigError(
            "expected a standard deviation of at least 0 points and at least one table, found "
            f"{sd} and {count}"
        )
    rng = np.random.default_rng(hash64("noisy AR tables", seed))
    ar = np.array([math.nan if cell.ar_pct is None else cell.ar_pct for cell in table.cells])
    noise = sd * rng.standard_normal((count, len(ar)))
    return TableSamples(table, np.maximum(ar + noise, 0.0))


def tail_of(level: float) -> float:
    """Share of values on either side of an interval of a level above 0 and below 1."""
    if not 0 < level < 1:
        raise ConfigError(f"expected a level above 0 and below 1, found {level}")
    return (1 - level) / 2


def _numbers(texts: Sequence[str]) -> list[float] | None:
    """Numbers as `decimal_number` reads them, NaN where there is none; None if one is no number.

    All characters are looked at at once: a file has millions of numbers.
    """
    if not re.fullmatch("[0-9.eE+-]*", "".join(texts)):
        return None
    try:
        return [float(text) if text else math.nan for text in texts]
    except ValueError:
        return None


def _header(count: int) -> tuple[str, ...]:
    return (*_KEY, *(f"r{i}" for i in range(count)))
