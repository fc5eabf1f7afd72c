"""AR tables in CSV, long and wide, the search on them, and resampled tables."""

from __future__ import annotations

import csv
import io
import itertools
from pathlib import Path
from random import Random

from small_tables import PAPER, paper_table

from fuzz.judging import BrokenLawError
from fuzz.mutations import NAMES, NUMBERS, noise, spoiled
from fuzz.target import Case, Target
from synergy.costs import Costs
from synergy.synthesis import ARTable, Question, frontier, search
from synergy.synthesis.resampling import TableSamples, noisy_samples
from synergy.synthesis.stability import stability
from synergy.synthesis.table_csv import COLUMNS

TASKS = ("gc", "ac", "scr", "vad", "age-3", "a_b", "T1", "x")
HEADERS = ("", " ", "ar_4_pct", "ar_04_pct", "ar_-1_pct", "ar_0_pct", "ar_9_pct", "ar_x_pct", "AR")
LONG_HEADERS = (f"ar_{'9' * 5000}_pct", "c" * 3000)
# Of more, the trees of all thresholds may take minutes, as their function says.
_MOST_TASKS = 10
Rows = list[list[str]]


class TableTarget(Target):
    """CSV for `ARTable.from_csv`; an accepted table is searched and survives being written."""

    name = "table"

    def prepare(self) -> None:
        paper_table().to_csv(self.folder / "long.csv")
        self._texts = [
            (self.folder / "long.csv").read_bytes(),
            (PAPER / "table3_pairwise_ar.csv").read_bytes(),
            b"task_a,task_b,shared_depth,ar_pct\na,b,4,1.5\na,b,8,2.5\n",
        ]

    def case(self, rng: Random) -> Case:
        match rng.randrange(400):
            case 0:
                content = _large(rng)
            case 1:
                content = noise(rng)
            case n if n < 120:
                content = spoiled(rng, rng.choice(self._texts), self._texts)
            case _:
                rows = grid(rng)
                for _ in range(rng.choice((0, 1, 1, 2, 5))):
                    _spoil_rows(rng, rows)
                content = written(rows, rng)
        terms = {
            "max_ar": rng.choice((0.0, 1.0, 2.0, 5.5, 1e300, 100.0)),
            "solver": rng.choice(("recursive", "exact")),
            "strict": rng.random() < 0.5,
            "max_params": rng.choice((None, None, None, 0, 1000, 40_000, 10**12)),
        }
        return Case({"table.csv": content}, (terms, rng.random() < 0.2))

    def attempt(self, case: Case) -> object:
        file, (terms, all_trees) = self.folder / "table.csv", case.arguments
        table = ARTable.from_csv(file)
        table.to_csv(file)
        if ARTable.from_csv(file) != table:
            raise BrokenLawError("another table after being written and read")
        heads = dict.fromkeys(table.tasks, 100)
        costs = Costs((100, 200, 300, 400, 500, 600, 700, 800), (1,) * 8, heads, heads)
        found = search(Question(**terms), table, costs)
        few = len(table.tasks) <= _MOST_TASKS
        trees = frontier(Question(**terms), table, costs) if all_trees and few else ()
        shared = [found.tree.shared_depth(*pair) for pair in table.pairs()]
        return found, shared, [(tree.low, tree.high, tree.synthesis) for tree in trees]


class SamplesTarget(Target):
    """CSV for `TableSamples.from_csv`; what is accepted is resampled and written."""

    name = "samples"

    def prepare(self) -> None:
        file = self.folder / "samples.csv"
        self._tables = [paper_table(), _small_table(self.folder)]
        self._texts = []
        for table in self._tables:
            noisy_samples(table, 1.0, 5, 0).to_csv(file)
            self._texts.append(file.read_bytes())

    def case(self, rng: Random) -> Case:
        which = rng.randrange(2)
        content = self._texts[which]
        if rng.random() < 0.5:
            content = spoiled(rng, content, self._texts)
        else:
            rows = list(csv.reader(io.StringIO(content.decode())))
            for _ in range(rng.randint(1, 3)):
                _spoil_rows(rng, rows)
            content = written(rows, rng)
        return Case({"samples.csv": content}, (which,))

    def attempt(self, case: Case) -> object:
        file, table = self.folder / "samples.csv", self._tables[case.arguments[0]]
        samples = TableSamples.from_csv(file, table)
        samples.to_csv(file)
        again = TableSamples.from_csv(file, table)
        if again.ar.tobytes() != samples.ar.tobytes():
            raise BrokenLawError("other samples after being written and read")
        found = stability(Question(), samples, Costs((100,) * 8, (1,) * 8))
        return samples.with_intervals(), found


def _small_table(folder: Path) -> ARTable:
    file = folder / "small.csv"
    file.write_text("task_a,task_b,shared_depth,ar_pct\na,b,4,1.5\na,b,8,2.5\n")
    return ARTable.from_csv(file)


# -- tables from nothing ----------------------------------------------------------------------


def grid(rng: Random) -> Rows:
    """A sound table with its header, long or wide."""
    tasks = rng.sample(TASKS, rng.choice((2, 2, 3, 3, 4, 5, 7)))
    depths = sorted(rng.sample(range(1, 9), rng.randint(1, 4)))
    pairs = list(itertools.combinations(tasks, 2))
    if rng.random() < 0.4:
        header = ["task_a", "task_b", *(f"ar_{depth}_pct" for depth in depths)]
        return [header, *([*pair, *(_reduction(rng) for _ in depths)] for pair in pairs)]
    optional = [column for column in COLUMNS[4:] if rng.random() < 0.3]
    rows = [["task_a", "task_b", "shared_depth", "ar_pct", *optional]]
    for pair in pairs:
        for depth in depths:
            values = {"seeds": "1", "status": "measured", "ar_low": "0", "ar_high": "50"}
            more = [values.get(column, "") for column in optional]
            rows.append([*pair, str(depth), _reduction(rng), *more])
    return rows


def _reduction(rng: Random) -> str:
    return str(rng.choice((0, 0.5, 1, 1.5, 2, 3, 7.25, 40)))


def _spoil_rows(rng: Random, rows: Rows) -> None:
    """One change: a cell, a row, a column or the header."""
    if not rows or not any(rows):
        rows.append(["task_a"])
    row = rng.choice([row for row in rows if row])
    place = rng.randrange(len(row))
    match rng.randrange(9):
        case 0 | 1 | 2:
            row[place] = rng.choice((*NUMBERS, *NAMES, "skipped", "failed", "9" * 5000))
        case 3:
            rows.insert(rng.randrange(len(rows) + 1), list(row))
        case 4:
            rows.remove(row)
        case 5:
            rng.shuffle(rows)
        case 6:
            one, other = rng.randrange(len(row)), rng.randrange(len(row))
            for each in rows:
                if max(one, other) < len(each):
                    each[one], each[other] = each[other], each[one]
        case 7:
            del row[place]
        case _:
            name = rng.choice((*HEADERS, *HEADERS, *LONG_HEADERS))
            rows[0].insert(rng.randrange(len(rows[0]) + 1), name)
            for each in rows[1:]:
                each.append(rng.choice(NUMBERS))


def written(rows: Rows, rng: Random) -> bytes:
    """CSV of some rows, seldom with another separator or ending."""
    text = io.StringIO()
    separator = rng.choice((*[","] * 30, ";", "\t"))
    writer = csv.writer(text, delimiter=separator, lineterminator=rng.choice(("\n", "\n", "\r\n")))
    writer.writerows(rows)
    encoding = rng.choice((*["utf-8"] * 30, "utf-8-sig", "utf-16", "latin-1"))
    return text.getvalue().encode(encoding, "surrogatepass" if "utf" in encoding else "replace")


def _large(rng: Random) -> bytes:
    """Many rows or columns, seldom complete."""
    match rng.randrange(6):
        case 0:
            rows = [f"a{n},b{n},4,1.0" for n in range(rng.choice((500, 3000)))]
        case 1:
            rows = [f"a{n},b,4,1.0" for n in range(rng.choice((20, 500, 3000)))]
        case 2:
            count = rng.choice((1000, 200_000))
            header = "task_a,task_b," + ",".join(f"ar_{n}_pct" for n in range(count))
            return (header + "\na,b," + "1," * count + "\n").encode()
        case 3:
            pairs = itertools.combinations(range(rng.choice((14, 20, 40))), 2)
            rows = [f"t{a},t{b},{d},{rng.choice((0, 1, 3, 9))}" for a, b in pairs for d in (4, 8)]
        case 4:
            rows = [f"a,b,{depth},1.0" for depth in range(1, 20_000)]
        case _:
            rows = [f"a,b,4,{n}" for n in range(20_000)]
    return "\n".join(["task_a,task_b,shared_depth,ar_pct", *rows]).encode()
