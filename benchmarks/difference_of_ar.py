"""By how much the AR of one trained model differs from that of another, resampled in pairs.

    python benchmarks/difference_of_ar.py runs/real_speech \
        '{gc,ac,scr,vad}@8' '{gc,ac,scr,vad}@8, width 0.75, distilled'

A model is a line of comparisons.json that is one network, such as LTH, or a tree. Trains nothing:
both models and the single-task models must lie in the workspace. Prints the AR of the first minus
that of the second, in percent, with its 95 % bootstrap interval, on both splits.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from synergy.config import load_config
from synergy.experiment import PLAIN, Experiment, Recipe, prepare
from synergy.measuring.bootstrap import Resampler
from synergy.measuring.outcome import Outcome, reduction
from synergy.records import ComparisonsFile
from synergy.running.session import Results
from synergy.tree import SharingTree
from synergy.wording import REPORTED
from synergy.workspace import Workspace


class Models:
    """Trained models of a workspace by name."""

    def __init__(self, experiment: Experiment, workspace: Workspace) -> None:
        self.experiment = experiment
        self.store = workspace.trials
        kept = ComparisonsFile.read(workspace.comparisons)
        rows = () if kept is None else kept.rows
        self.lines = {row.name: row for row in rows if not row.error and row.notation}

    def named(self, name: str) -> Outcome:
        """All seeds of a line of the comparison, or of a tree."""
        if row := self.lines.get(name):
            runs = {result.seed: result for result in map(self.store.result, row.digests)}
            return Outcome(dict.fromkeys(row.scores["valid"], runs), {})
        notation, *rest = name.split(", ")
        recipe = PLAIN
        for part in rest:
            if part == "distilled":
                recipe = replace(recipe, distilled=True)
            else:
                recipe = replace(recipe, width=float(part.removeprefix("width ")))
        return self.trained([SharingTree.parse(notation, self.experiment.depth)], recipe)

    def trained(self, trees: Iterable[SharingTree], recipe: Recipe = PLAIN) -> Outcome:
        """All seeds of some trees."""
        trials = self.experiment.trials(trees, recipe)
        done = {trial.digest: self.store.result(trial.digest) for trial in trials}
        return Outcome.of(Results(done, {}), trials)


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
    singles = models.trained(map(experiment.alone, pair[0].runs))
    resampler = Resampler(experiment, workspace.trials)
    for split in REPORTED:
        one, other = (reduction(singles, model, split) for model in pair)
        found = resampler.difference(singles, pair[0], pair[1], split)
        between = " [{:+.1f}, {:+.1f}]".format(*found) if found else ", too few speakers"
        print(f"{split}: {one:.1f} - {other:.1f} = {one - other:+.1f}{between}")


if __name__ == "__main__":
    main()
