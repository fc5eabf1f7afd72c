"""The table of accuracy reductions: one cell for each pair of tasks and each shared depth.

The table is the only thing that the search knows of the trainings. It is read from and written
to CSV, so that a tree can be found without any training, from numbers of any origin.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from synergy import limits
from synergy.errors import TableError
from synergy.notebooks import drawing
from synergy.synthesis.cells import Cell
from synergy.synthesis.table_csv import COLUMNS, read_cells, read_frame, read_lines, write_rows
from synergy.tree import task_problems
from synergy.wording import counted, problem_message, quoted, short_list, shown

if TYPE_CHECKING:
    import pandas

_SHOWN = 20  # problems spelled out in one message


def accuracy_reduction(single: Mapping[str, float], multi: Mapping[str, float]) -> float:
    """AR of a multi-task model: the largest relative loss of a task, in percent.

    Parameters
    ----------
    single : mapping of task to score
        Score of each task's single-task model, higher is better; tasks that ``multi`` does not
        have are ignored. With several seeds, the mean of the scores.
    multi : mapping of task to score
        Score of each task of the multi-task model, on the same scale.

    Returns
    -------
    float
        ``100 * max(0, (single - multi) / single)``, the maximum over the tasks of ``multi``; 0
        when no task lost. A task whose single-task score is 0 has nothing to lose.

    Raises
    ------
    TableError
        If there is no task, a task lacks a single-task score, or a score is negative or not
        finite.
    """
    if not multi:
        raise TableError("expected the scores of at least one task, found none")
    if missing := [task for task in multi if task not in single]:
        raise TableError(f"expected a single-task score of {short_list(missing)}, found none")
    for task, score in ((task, scores[task]) for scores in (single, multi) for task in multi):
        if not 0 <= score < math.inf:
            raise TableError(
                f"task {shown(task)}: expected a finite score of at least 0, found {score}"
            )
    lost = [(single[t] - score) / single[t] for t, score in multi.items() if single[t] > 0]
    return 100.0 * float(max([0.0, *lost]))


@dataclass(frozen=True)
class ARTable:
    """AR of every pair of tasks at every swept depth; complete by construction.

    Parameters
    ----------
    tasks : tuple of str
        Two to 256.
    depths : tuple of int
        Swept depths, ascending, 1 to 1000.
    cells : tuple of Cell
        One for each pair and depth, 100,000 at most, in any order; kept by pair, then by depth.

    Raises
    ------
    TableError
        If a cell is missing, occurs twice or holds an impossible value; names every problem.
    """

    tasks: tuple[str, ...]
    depths: tuple[int, ...]
    cells: tuple[Cell, ...]

    def __post_init__(self) -> None:
        problems = _problems([(cell.label, cell) for cell in self.cells])
        tasks, depths = _extent(self.cells)
        if not problems and (sorted(tasks) != sorted(self.tasks) or self.depths != depths):
            problems = [
                f"expected the tasks {short_list(self.tasks)} at the depths "
                f"{_numbers(self.depths)}, found {short_list(tasks)} at {_numbers(depths)}"
            ]
        if problems:
            raise TableError(problem_message("AR table", problems, _SHOWN))
        rank = {task: i for i, task in enumerate(self.tasks)}
        cells = [c if rank[c.task_a] < rank[c.task_b] else c.flipped() for c in self.cells]
        cells.sort(key=lambda c: (rank[c.task_a], rank[c.task_b], c.shared_depth))
        object.__setattr__(self, "cells", tuple(cells))

    @classmethod
    def from_cells(cls, cells: Iterable[Cell]) -> ARTable:
        """Table of the given cells; the tasks in the order in which they first appear."""
        cells = tuple(cells)
        return cls(*_extent(cells), cells)

    def cell(self, task_a: str, task_b: str, shared_depth: int) -> Cell:
        """The cell of a pair, in either order, at a depth; a TableError if there is none."""
        try:
            return self._index[frozenset((task_a, task_b)), shared_depth]
        except KeyError:
            raise TableError(
                f"expected two of {short_list(self.tasks)} at one of the depths "
                f"{_numbers(self.depths)}, found {shown(task_a)}-{shown(task_b)} at depth "
                f"{shared_depth}"
            ) from None

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """All pairs, in task order."""
        return tuple(itertools.combinations(self.tasks, 2))

    @property
    def trials(self) -> frozenset[str]:
        """Digests of all trainings of pairs that the cells name."""
        return frozenset(digest for cell in self.cells for digest in cell.trials)

    @cached_property
    def _index(self) -> dict[tuple[frozenset[str], int], Cell]:
        return {(frozenset((c.task_a, c.task_b)), c.shared_depth): c for c in self.cells}

    def to_csv(self, path: Path) -> None:
        """Write the long layout: one row for each cell, numbers exactly as they are.

        The same table gives the same bytes; the file appears complete or not at all.
        """
        columns = self._columns
        write_rows(path, columns, ([getattr(cell, c) for c in columns] for cell in self.cells))

    @classmethod
    def from_csv(cls, path: Path) -> ARTable:
        """Read a table in the long or the wide layout; further columns are ignored.

        Long: a row for each cell with ``task_a``, ``task_b``, ``shared_depth`` and ``ar_pct``;
        the other attributes of `Cell` are optional columns. Wide: a row for each pair with
        ``task_a``, ``task_b`` and a column such as ``ar_4_pct`` for each depth. A file that cannot
        be read raises what an incomplete table does.
        """
        return cls._read(str(path), read_lines(Path(path)))

    def to_pandas(self) -> pandas.DataFrame:
        """A row for each cell, with the columns of the long layout."""
        import pandas

        columns = self._columns
        rows = [[getattr(cell, name) for name in columns] for cell in self.cells]
        return pandas.DataFrame(rows, columns=list(columns))

    @classmethod
    def from_pandas(cls, frame: pandas.DataFrame) -> ARTable:
        """Table of a data frame in the long or the wide layout, as `from_csv`; lines count from 2.

        Raises
        ------
        TableError
            If it is no data frame, or no complete table.
        """
        if not hasattr(frame, "itertuples"):
            raise TableError(
                f"expected an ARTable, a path or a data frame, found {quoted(frame)}; "
                "make one with ARTable.from_cells"
            )
        return cls._read("data frame", read_frame(frame))

    @classmethod
    def _read(cls, where: str, lines: Iterator[tuple[int, list[str]]]) -> ARTable:
        located, problems = read_cells(where, lines)
        problems += _problems(located)
        if problems:
            raise TableError(problem_message(where, problems, _SHOWN))
        return cls.from_cells(cell for _, cell in located)

    @property
    def _columns(self) -> tuple[str, ...]:
        """Those of the long layout, with digests where a cell has some."""
        return (*COLUMNS, "trials") if any(cell.trials for cell in self.cells) else COLUMNS

    def __repr__(self) -> str:
        known = [cell.ar_pct for cell in self.cells if cell.ar_pct is not None]
        span = f", AR {min(known):.1f} to {max(known):.1f} %" if known else ""
        return (
            f"<ARTable: {short_list(self.tasks, 6)}; depths {_numbers(self.depths)}; "
            f"{len(known)} of {len(self.cells)} cells measured{span}>"
        )

    def _repr_html_(self) -> str | None:
        return drawing(self)


# -- what a table must hold ---------------------------------------------------------------


def _extent(cells: Iterable[Cell]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Tasks in the order of first appearance, and depths, ascending."""
    cells = tuple(cells)
    tasks = dict.fromkeys(task for cell in cells for task in (cell.task_a, cell.task_b))
    return tuple(tasks), tuple(sorted({cell.shared_depth for cell in cells}))


def _problems(located: Sequence[tuple[str, Cell]]) -> list[str]:
    """Everything that keeps cells, each with the place where it stands, from being a table."""
    problems: list[str] = []
    first: dict[tuple[frozenset[str], int], str] = {}
    sound: list[Cell] = []
    for where, cell in located:
        problems += [f"{where}: {problem}" for problem in cell.problems()]
        pair = frozenset((cell.task_a, cell.task_b))
        if len(pair) < 2 or "" in pair or cell.shared_depth < 1:
            continue
        if (pair, cell.shared_depth) in first:
            problems.append(
                f"{where}: expected every cell once, found {cell.label} again "
                f"(first: {first[pair, cell.shared_depth]}); remove one of them"
            )
            continue
        first[pair, cell.shared_depth] = where
        sound.append(cell)
    tasks, depths = _extent(sound)
    if len(tasks) < 2:
        problems.append(
            f"expected cells of at least two different tasks, found {short_list(tasks)}; "
            "add a row for every pair"
        )
    whole = math.comb(len(tasks), 2) * len(depths)
    if whole > limits.CELLS:
        problems.append(
            f"expected at most {limits.CELLS:,} cells, found {counted(len(tasks), 'task')} at "
            f"{counted(len(depths), 'depth')}, which have {whole:,}; leave some of them out"
        )
    else:
        problems += _gaps(tasks, depths, first)
    return problems or task_problems(tasks)


def _gaps(
    tasks: Sequence[str], depths: Sequence[int], there: Container[tuple[frozenset[str], int]]
) -> Iterator[str]:
    """What a table of some tasks and depths lacks, pair by pair."""
    for task_a, task_b in itertools.combinations(tasks, 2):
        pair = frozenset((task_a, task_b))
        lacking = [depth for depth in depths if (pair, depth) not in there]
        which = f"pair {shown(task_a)}-{shown(task_b)}: expected the depths {_numbers(depths)}"
        if len(lacking) == len(depths):
            yield (f"{which}, found no row of this pair; measure it or leave one of the tasks out")
        elif lacking:
            yield (
                f"{which} as for the other pairs, found no depth {_numbers(lacking)}; measure it, "
                "leave it out for all, or give it the status skipped"
            )


def _numbers(values: Iterable[int]) -> str:
    return short_list(map(str, values))
