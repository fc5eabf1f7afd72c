"""By how much the AR of one trained model differs from that of another, resampled in pairs.

    python benchmarks/difference_of_ar.py runs/real_speech \
        '{gc,ac,scr,vad}@8' '{gc,ac,scr,vad}@8, width 0.75, distilled'

A model is a line of comparisons.json that is one network, such as LTH, or a tree. Trains nothing:
both models and the single-task models must lie in the workspace. Prints the AR of the first minus
that of the second, in percent, with its 95 % bootstrap interval, on both splits.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from synergy.config import load_config
from synergy.experiment import PLAIN, Experiment, Recipe, prepare
from synergy.stages.outcome import Outcome, outcome_of, reduction
from synergy.stages.resampling import Resampler
from synergy.stages.sweep import Swept, trials_of
from synergy.tree import SharingTree
from synergy.wording import REPORTED
from synergy.workspace import Workspace


class Models:
    """Trained models of a workspace by name."""

    def __init__(self, experiment: Experiment, workspace: Workspace) -> None:
        self.experiment = experiment
        self.store = workspace.trials
        file = workspace.comparisons
        rows = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.is_file() else []
        self.lines = {row["name"]: row for row in rows if not row["error"] and row["notation"]}

    def named(self, name: str) -> Outcome:
        """All seeds of a line of the comparison, or of a tree."""
        depth = self.experiment.config.encoder.depth
        if row := self.lines.get(name):
            digests = row["digests"]
            seeds = [self.store.trial(digest).seed for digest in digests]
            scores = {s: {t: tuple(of) for t, of in row["scores"][s].items()} for s in REPORTED}
            tree = SharingTree.parse(row["notation"], depth)
            return Outcome(tree, tuple(digests), scores, (), tuple(seeds))
        notation, *rest = name.split(", ")
        recipe = PLAIN
        for part in rest:
            if part == "distilled":
                recipe = replace(recipe, distilled=True)
            else:
                recipe = replace(recipe, width=float(part.removeprefix("width ")))
        return self.tree(SharingTree.parse(notation, depth), recipe)

    def tree(self, tree: SharingTree, recipe: Recipe = PLAIN) -> Outcome:
        """All seeds of a tree."""
        digests = [trial.digest for trial in trials_of(self.experiment, [tree], recipe)]
        results = {digest: self.store.result(digest) for digest in digests}
        return outcome_of(self.experiment, Swept(results, {}, 0), tree, recipe)


def main() -> None:
    """Parse, read, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("models", nargs=2, metavar="MODEL", help="see above")
    arguments = parser.parse_args()
    workspace = Workspace(arguments.workspace, create=False)
    experiment = prepare(load_config(arguments.workspace / "config.yaml"))
    models = Models(experiment, workspace)
    pair = [models.named(name) for name in arguments.models]
    tasks, depth = pair[0].tree.tasks, experiment.config.encoder.depth
    singles = {task: models.tree(SharingTree.single(task, depth)) for task in tasks}
    resampler = Resampler(experiment, workspace.trials)
    for split in REPORTED:
        one, other = (reduction(singles, model, split) for model in pair)
        alone = {task: single.digests for task, single in singles.items()}
        first, second = (dict.fromkeys(tasks, model.digests) for model in pair)
        low, high = resampler.difference(alone, first, second, split)
        print(f"{split}: {one:.1f} - {other:.1f} = {one - other:+.1f} [{low:+.1f}, {high:+.1f}]")


if __name__ == "__main__":
    main()
