"""Kill every command at each of its file operations, start it again, and print a table.

What is wrong then is kept, with the options that repeat it. ``--help`` tells how to kill less.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from killed_commands import (
    CASES,
    OPTIONS,
    Calm,
    Case,
    Place,
    Point,
    bad_end,
    contents,
    differences,
    finished,
    look,
    trained,
)
from killing import Kill, Role, import_all

Rows = dict[str, dict[str, int]]
"""Counts by case, executor and who is killed."""


class Survey:
    """Runs cases undisturbed, then kills them; what is wrong is printed and kept.

    Attributes
    ----------
    wrong : list of Point
    kinds : Counter
        Operations of the undisturbed cases by kind.
    """

    def __init__(self, place: Place) -> None:
        import_all(())
        self.place = place
        self.calm: dict[tuple[str, str], Calm] = {}
        self.kinds: Counter[str] = Counter()
        self.wrong: list[Point] = []

    def run_calmly(self, case: Case, executor: str) -> Calm:
        """What a case leaves; whatever it starts from, or is compared with, is run before."""
        key = (case.name, executor)
        if key in self.calm:
            return self.calm[key]
        first = case.executors[0]
        before = next((each for each in CASES if each.name == case.start), None)
        if before is not None:
            self.run_calmly(before, before.executors[0])
        model = None if executor == first else self.run_calmly(case, first)
        self.place.begin(case)
        known = len(finished(self.place.at))
        ended = self.place.run(case, executor)
        if ended.code:
            raise SystemExit(f"{case.name}: exit code {ended.code}\n{ended.err}")
        import_all(self.place.modules())
        count, files = trained(json.loads(ended.out)), contents(self.place.at)
        wrong = [*bad_end(ended), *(differences(model.files, files) if model else ())]
        if count != len(finished(self.place.at)) - known:
            wrong.append(f"{count} trainings are told of, there are more or fewer")
        if not model:
            shutil.copytree(self.place.at, self.place.calm / case.name)
        self.kinds.update(operation.kind for operation in ended.operations)
        self.calm[key] = Calm(ended, files, count)
        self._keep(Point(case, executor, ()), wrong)
        return self.calm[key]

    def points(self, case: Case, executor: str, every: int, chains: int) -> Iterator[Point]:
        """Each ``every``-th state of the files, then chains: killed early again and again."""
        calm = self.run_calmly(case, executor)
        for role in get_args(Role):
            for number in calm.numbers(role)[::every]:
                yield Point(case, executor, (Kill(role, number),))
        draw = random.Random(f"{case.name} {executor}")
        for _ in range(chains):
            numbers = [draw.choice(calm.numbers("main"))]
            numbers += [draw.randint(1, 40) for _ in range(5)]
            yield Point(case, executor, tuple(Kill("main", number) for number in numbers))

    def kill(self, point: Point) -> bool:
        """Whether it was killed there."""
        calm = self.run_calmly(point.case, point.executor)
        was_killed, wrong = look(self.place, point, calm)
        self._keep(point, wrong)
        return was_killed

    def rows(self, killed: Mapping[Point, bool]) -> Rows:
        """What there was to be killed, what was, and what was wrong."""
        rows: Rows = {}
        for (name, executor), calm in self.calm.items():
            for who in (*get_args(Role), "again", "nobody"):

                def here(point: Point, key: tuple[str, ...] = (name, executor, who)) -> bool:
                    return (point.case.name, point.executor, point.who) == key

                operations = [each for each in calm.ended.operations if each.role == who]
                ours = list(filter(here, killed))
                row = {
                    "operations": len(operations),
                    "states": len(calm.numbers(who)) if operations else 0,
                    "killed": sum(killed[point] for point in ours),
                    "not reached": sum(not killed[point] for point in ours),
                    "wrong": sum(map(here, self.wrong)),
                }
                if any(row.values()):
                    rows[f"{name}\t{executor}\t{who}"] = row
        return rows

    def _keep(self, point: Point, wrong: Sequence[str]) -> None:
        if not wrong:
            return
        self.wrong.append(point)
        kept = self.place.folder / "wrong" / f"{len(self.wrong)}"
        shutil.copytree(self.place.at, kept)
        more = [f"and {len(wrong) - 9} more"] if len(wrong) > 9 else []
        print("\n    ".join([f"{point} (kept in {kept})", *wrong[:9], *more]), flush=True)


def kill_part(options: argparse.Namespace, folder: Path) -> Rows:
    """Kill at the wanted points; of part ``n/N`` at every N-th of them."""
    survey = Survey(Place(folder))
    pairs = [
        (case, executor)
        for case in CASES
        for executor in case.executors
        if options.case in (None, case.name) and options.executor in (None, executor)
    ]
    points: list[Point] = []
    if options.at is None:
        for case, executor in pairs:
            every = options.every_process if executor == "process" else options.every
            points += survey.points(case, executor, every, options.chains)
    else:
        kills = tuple(Kill.parse(text) for text in options.at.split(","))
        points += (Point(case, executor, kills) for case, executor in pairs)
    if options.sample is not None:
        points = random.Random(options.seed).sample(points, min(options.sample, len(points)))
    part, parts = map(int, (options.part or "0/1").split("/"))
    killed: dict[Point, bool] = {}
    for point in points[part::parts]:
        killed[point] = survey.kill(point)
        if len(killed) % 100 == 0:
            print(f"{len(killed)} of {len(points[part::parts])}", flush=True)
    if part == 0:
        kinds = ", ".join(f"{kind} {count}" for kind, count in survey.kinds.most_common())
        print(f"operations: {kinds}")
    return survey.rows(killed)


def kill_in_parts(jobs: int, folder: Path) -> Rows:
    """Let several processes share the points."""
    line = [sys.executable, __file__, *sys.argv[1:]]
    folders = [folder / str(part) for part in range(jobs)]
    processes = [
        subprocess.Popen([*line, "--part", f"{part}/{jobs}", "--folder", path])
        for part, path in enumerate(folders)
    ]
    codes = [process.wait() for process in processes]
    if any(codes):
        raise SystemExit("a part failed")
    rows: Rows = {}
    for path in folders:
        for key, row in json.loads((path / "rows.json").read_text(encoding="utf-8")).items():
            into = rows.setdefault(key, dict.fromkeys(row, 0))
            for name, count in row.items():
                all_know = name in ("operations", "states")
                into[name] = max(into[name], count) if all_know else into[name] + count
    return rows


def table(rows: Rows) -> str:
    """The counts, a line each, and their sums."""
    columns = [*next(iter(rows.values()))]
    cells = [["command", "executor", "killed is", *columns]]
    cells += [[*key.split("\t"), *map(str, row.values())] for key, row in rows.items()]
    cells.append(["all", "", "", *(str(sum(r[name] for r in rows.values())) for name in columns)])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            text.ljust(width) if place < 3 else text.rjust(width)
            for place, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    )


def main() -> int:
    """Kill and print the table; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--case", choices=[case.name for case in CASES], help="only this command")
    parser.add_argument("--executor", choices=[*OPTIONS], help="only this one")
    parser.add_argument("--at", help="only here: main:12, worker:7, or several, one each time")
    parser.add_argument("--every", type=int, default=1, help="each K-th state (default 1)")
    parser.add_argument(
        "--every-process", type=int, default=8, help="the same for worker processes (default 8)"
    )
    parser.add_argument("--chains", type=int, default=3, help="for each command (default 3)")
    parser.add_argument("--sample", type=int, help="only so many points, drawn at random")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default 0)")
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the points")
    parser.add_argument("--folder", type=Path, help="where all files go (default a temporary one)")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="synergy-kill-"))
    started = time.monotonic()
    if options.part is not None or options.jobs == 1:
        rows = kill_part(options, folder)
    else:
        rows = kill_in_parts(options.jobs, folder)
    if options.part is not None:
        (folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
        return 0
    print(f"{table(rows)}\n{time.monotonic() - started:.0f} s")
    wrong = any(row["wrong"] for row in rows.values())
    if not wrong and options.folder is None:
        shutil.rmtree(folder)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
