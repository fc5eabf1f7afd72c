"""Command line of the fuzzer: `python -m tests.fuzz --help`; `make fuzz` calls it."""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
from pathlib import Path

# Before torch and rich are imported, here and in the workers.
os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NO_COLOR": "1", "TERM": "dumb"}
os.environ |= {"COLUMNS": "120", "LINES": "50"}

RUNS = Path(__file__).resolve().parents[2] / "runs" / "fuzz"


def parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__)
    parser.add_argument("--class", dest="classes", action="append", help="one class of inputs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=600.0, help="length of the run")
    parser.add_argument("--inputs", type=int, help="number of inputs of all classes instead")
    parser.add_argument("--number", type=int, help="try one input of a class again")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--folder", type=Path, default=RUNS, help="where findings are kept")
    return parser.parse_args(arguments)


def again(asked: argparse.Namespace) -> int:
    """Try one input in this process and keep it."""
    from fuzz.findings import Finding, Findings
    from fuzz.fleet import made
    from fuzz.judging import Limits

    (name,) = asked.classes
    with tempfile.TemporaryDirectory(prefix="synergy-fuzz-") as root, made(Path(root), [name]) as t:
        case, outcome = t[name].run(asked.seed, asked.number, Limits())
    finding = Finding(name, asked.seed, asked.number, outcome.kind, outcome.details, case)
    folder = Findings(asked.folder).keep(finding)
    text = f"{outcome.verdict} {outcome.kind}\n{outcome.details}\n{folder}"
    print(text.encode("utf-8", "backslashreplace").decode())
    return int(outcome.verdict == "finding")


def many(asked: argparse.Namespace) -> int:
    """Try inputs until the time is over or there were enough."""
    from fuzz.findings import Findings
    from fuzz.fleet import Fleet, Work
    from fuzz.judging import Limits
    from fuzz.targets import TARGETS, shares

    names = asked.classes or [*TARGETS]
    started = time.monotonic()
    if asked.inputs is None:
        until, work = started + asked.seconds, {name: Work() for name in names}
    else:
        until = math.inf
        work = {name: Work(end=count) for name, count in shares(names, asked.inputs).items()}
    findings = Findings(asked.folder)
    fleet = Fleet(asked.seed, work, findings, asked.workers, Limits(), until)

    def progress() -> None:
        inputs = sum(tally.inputs for tally in fleet.tallies.values())
        took = time.monotonic() - started
        if sys.stderr.isatty():
            line = f"{took:.0f} s, {inputs:,} inputs, {len(findings.counts)} groups of findings"
            print(f"\r{line} ", end="", file=sys.stderr, flush=True)

    try:
        fleet.run(progress)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
    head = ("class", "inputs", "accepted", "refused", "findings", "inputs/s")
    print("\n" + "{:<10}{:>10}{:>10}{:>10}{:>10}{:>10}".format(*head))
    for name, tally in fleet.tallies.items():
        v, speed = tally.verdicts, tally.inputs / max(tally.seconds, 1e-9)
        counts = f"{tally.inputs:>10,}{v['accepted']:>10,}{v['refused']:>10,}{v['finding']:>10,}"
        print(f"{name:<10}{counts}{speed:>10,.0f}")
    total = sum(tally.inputs for tally in fleet.tallies.values())
    print(f"\n{total:,} inputs in {time.monotonic() - started:.0f} s, seed {asked.seed}")
    if findings.counts:
        print(f"\n{findings.counts.total():,} findings, examples in {asked.folder}:")
        print(findings.told())
    return int(bool(findings.counts))


def main(arguments: list[str] | None = None) -> int:
    asked = parsed(sys.argv[1:] if arguments is None else arguments)
    return many(asked) if asked.number is None else again(asked)


if __name__ == "__main__":
    sys.exit(main())
