"""By how much the AR of one trained tree differs from that of another, resampled in pairs.

    python benchmarks/difference_of_ar.py runs/real_speech \
        '{gc,ac,scr,vad}@8' '{gc,ac,scr,vad}@8 distilled'

Trains nothing: both trees and the single-task models must lie in the workspace. Prints the AR of
the first minus that of the second, in percent, with its 95 % bootstrap interval, on both splits.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from synergy.config import load_config
from synergy.experiment import Experiment, Recipe, prepare
from synergy.stages.outcome import REPORTED, Outcome, outcome_of, reduction
from synergy.stages.resampling import Resampler
from synergy.stages.sweep import Swept, trials_of
from synergy.tree import SharingTree
from synergy.trials.store import TrialStore


def trained(experiment: Experiment, store: TrialStore, tree: SharingTree, taught: bool) -> Outcome:
    """All seeds of a tree."""
    digests = [trial.digest for trial in trials_of(experiment, [tree], Recipe(distilled=taught))]
    results = {digest: store.result(digest) for digest in digests}
    return outcome_of(experiment, Swept(results, {}, 0), tree, Recipe(distilled=taught))


def main() -> None:
    """Parse, read, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("trees", nargs=2, metavar="TREE", help="a notation, ' distilled' after it")
    arguments = parser.parse_args()
    experiment = prepare(load_config(arguments.workspace / "config.yaml"))
    store, depth = TrialStore(arguments.workspace / "trials"), experiment.config.encoder.depth
    models = [
        trained(
            experiment,
            store,
            SharingTree.parse(text.removesuffix("distilled").strip(), depth),
            text.endswith("distilled"),
        )
        for text in arguments.trees
    ]
    tasks = models[0].tree.tasks
    singles = {
        task: trained(experiment, store, SharingTree.single(task, depth), False) for task in tasks
    }
    resampler = Resampler(experiment, store)
    for split in REPORTED:
        one, other = (reduction(singles, model, split) for model in models)
        alone = {task: single.digests for task, single in singles.items()}
        first, second = (dict.fromkeys(tasks, model.digests) for model in models)
        low, high = resampler.difference(alone, first, second, split)
        print(f"{split}: {one:.1f} - {other:.1f} = {one - other:+.1f} [{low:+.1f}, {high:+.1f}]")


if __name__ == "__main__":
    main()
