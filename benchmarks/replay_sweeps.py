"""What the sweeps `scan` and `lazy` would have cost, from the table and trials of a full sweep.

Usage: python benchmarks/replay_sweeps.py WORKSPACE [--max-ar PCT ...]

Every cell of the table is there, so each sweep can be run over it without training: it asks for
cells, gets those of the table, and the time is what their trainings took. Smallest trees are
compared by the exact solver. Without --max-ar every threshold is tried at which a cell begins to
pass.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from synergy.config import load_config
from synergy.experiment import settings_costs
from synergy.synthesis import ARTable, Question, search
from synergy.synthesis.cells import Cell, CellKey
from synergy.synthesis.sweeps import SWEEPS, SweepGoal, run_sweep
from synergy.trials.trial_store import TrialStore


def main() -> None:
    """Replay every sweep."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workspace", type=Path, nargs="?")
    parser.add_argument("--max-ar", type=float, nargs="*")
    given = parser.parse_args()
    if given.workspace is None:
        print("nothing to replay: name a workspace with the table of a full sweep")
        return
    whole = ARTable.from_csv(given.workspace / "ar_table.csv")
    config = load_config(given.workspace / "config.yaml")
    costs = settings_costs(config, whole.tasks)
    seconds = seconds_of_pairs(given.workspace)
    thresholds = given.max_ar or sorted(
        {cell.ar_pct for cell in whole.cells if cell.ar_pct is not None}
    )
    table = Table(title=f"{given.workspace}: cells and minutes of training by sweep")
    for name in ("max AR %", "sweep", "cells", "of full", "minutes", "encoder params", "of full"):
        table.add_column(name, justify="right")
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for max_ar in thresholds:
        terms = Question(max_ar, solver="exact")
        goal = SweepGoal(whole.tasks, whole.depths, terms, costs)
        smallest = search(terms, whole, costs).encoder_cost
        for name, sweep in SWEEPS.items():
            asked: list[CellKey] = []

            def train(keys: Sequence[CellKey], asked: list[CellKey] = asked) -> list[Cell]:
                asked += keys
                return [whole.cell(*key) for key in keys]

            found = run_sweep(sweep, goal, train)
            size = search(terms, found, costs).encoder_cost
            took = sum(seconds[frozenset(key[:2]), key[2]] for key in asked)
            sums[name][0] += len(asked)
            sums[name][1] += took
            sums[name][2] += size == smallest
            if given.max_ar:
                table.add_row(
                    f"{max_ar:g}",
                    name,
                    str(len(asked)),
                    f"{len(asked) / len(whole.cells):.0%}",
                    f"{took / 60:.0f}",
                    f"{size:,.0f}",
                    f"{size / smallest:.0%}",
                )
    count = len(thresholds)
    for name, (cells, took, same) in sums.items():
        table.add_section()
        table.add_row(
            f"mean of {count}",
            name,
            f"{cells / count:.1f}",
            f"{cells / count / len(whole.cells):.0%}",
            f"{took / count / 60:.0f}",
            "same size",
            f"{same / count:.0%}",
        )
    Console().print(table)


def seconds_of_pairs(workspace: Path) -> dict[tuple[frozenset[str], int], float]:
    """Seconds of training of each plain pair and depth, all seeds together."""
    seconds: dict[tuple[frozenset[str], int], float] = defaultdict(float)
    store = TrialStore(workspace / "trials")
    for digest in store.done():
        trial = store.trial(digest)
        tree = trial.sharing_tree
        if len(tree.tasks) == 2 and not trial.distillation and not trial.pruning:
            key = frozenset(tree.tasks), tree.shared_depth(*tree.tasks)
            seconds[key] += store.result(digest).seconds
    return seconds


if __name__ == "__main__":
    main()
