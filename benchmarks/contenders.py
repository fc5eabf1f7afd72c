"""What some trees truly lose: each is trained with many seeds, as are the single-task models.

    python benchmarks/contenders.py WORKSPACE --seeds 10 "{{a,b}@8,{c,d}@8}@0" "{a,b,c,d}@8"

For each tree AR of the means, and the signed loss of every task with its standard error, in
percent, on both splits, as one JSON document. What is trained stays in the workspace; its tables
stay as they are.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import fmean, variance

from synergy.config import load_config
from synergy.executors import EXECUTORS, Resources
from synergy.experiment import Recipe, prepare
from synergy.measuring.bench import Bench, Planned
from synergy.running.progress import Progress
from synergy.running.session import Session
from synergy.tree import SharingTree
from synergy.wording import REPORTED
from synergy.workspace import Workspace


def standard_error(ours: Sequence[float], alone: Sequence[float]) -> float:
    """Of the difference of two means, in percent of the second."""
    squared = variance(ours) / len(ours) + variance(alone) / len(alone)
    return 100 * math.sqrt(squared) / fmean(alone)


def main() -> None:
    """Train, measure and print."""
    parser = argparse.ArgumentParser(description="What some trees truly lose.")
    parser.add_argument("workspace", type=Path)
    parser.add_argument("trees", nargs="+")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--distilled", action="store_true")
    options = parser.parse_args()
    config = load_config(options.workspace / "config.yaml").with_options(seeds=options.seeds)
    workspace = Workspace(options.workspace, create=False)
    with closing(EXECUTORS["process"](Resources())) as executor, workspace.lock("contenders"):
        session = Session(prepare(config, executor), workspace, executor, Progress())
        bench = Bench(session, config.only(config.tasks))
        trees = [SharingTree.parse(text, session.experiment.depth) for text in options.trees]
        recipe = Recipe(distilled=options.distilled)
        rows = bench.measure("contenders", [Planned(t.notation(), t, recipe) for t in trees])
    alone = bench.singles.scores
    told = {
        row.name: {
            split: {
                "ar_pct": round(row.ar_pct[split], 2),
                "loss_pct": {
                    task: [round(lost, 2), round(standard_error(ours, alone[split][task]), 2)]
                    for task, lost in row.loss_pct[split].items()
                    for ours in [row.scores[split][task]]
                },
            }
            for split in REPORTED
        }
        for row in rows
    }
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
