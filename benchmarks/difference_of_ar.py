"""By how much the AR of one trained model differs from that of another, resampled in pairs.

    python benchmarks/difference_of_ar.py runs/real_speech \
        '{gc,ac,scr,vad}@8' '{gc,ac,scr,vad}@8, width 0.75, distilled'

A model is a line of comparisons.json that is one network, such as LTH, or a tree. Trains nothing:
both models and the single-task models must lie in the workspace. Prints the AR of the first minus
that of the second, in percent, with its 95 % bootstrap interval, on each split on which all of
them were measured.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from synergy.config import load_config
from synergy.errors import ConfigError, SynergyError, WorkspaceError
from synergy.experiment import PLAIN, Experiment, Recipe, prepare
from synergy.measuring.bootstrap import Resampler
from synergy.measuring.outcome import Outcome, reduction
from synergy.records import ComparisonsFile
from synergy.running.session import Results
from synergy.tree import SharingTree
from synergy.wording import quoted, short_list
from synergy.workspace import Workspace

TREE = re.compile(r"(?s)(.*?)(?:, width (\d+(?:\.\d+)?))?(, distilled)?")


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
        found = TREE.fullmatch(name)
        assert found is not None  # the first group takes whatever is no tree
        notation, width, taught = found.groups()
        tree = SharingTree.parse(notation, self.experiment.depth)
        if not set(tree.tasks) <= set(self.experiment.tasks):
            raise ConfigError(
                f"expected a tree of {short_list(self.experiment.tasks)}, or a line of "
                f"comparisons.json ({short_list(self.lines)}), found {quoted(name)}; "
                "`synergy compare` writes these lines"
            )
        return self.trained([tree], Recipe(width=float(width or 1), distilled=bool(taught)))

    def trained(self, trees: Iterable[SharingTree], recipe: Recipe = PLAIN) -> Outcome:
        """All seeds of some trees."""
        trials = self.experiment.trials(trees, recipe)
        results = Results.kept(self.store, trials)
        if lacking := [trial.tree for trial in trials if trial.digest not in results.done]:
            raise WorkspaceError(
                f"expected {len(trials)} trainings in {self.store.folder}, found "
                f"{len(results.done)}; train {lacking[0].notation()} with these settings first"
            )
        return Outcome.of(results, trials)


def compare(folder: Path, names: Sequence[str]) -> None:
    """Print the difference of two models."""
    workspace = Workspace(folder, create=False)
    experiment = prepare(load_config(folder / "config.yaml"))
    models = Models(experiment, workspace)
    one, other = map(models.named, names)
    if set(one.runs) != set(other.runs):
        raise ConfigError(
            "expected two models of the same tasks, found one of "
            f"{short_list(one.runs)} and one of {short_list(other.runs)}"
        )
    singles = models.trained(map(experiment.alone, one.runs))
    resampler = Resampler(experiment, workspace.trials)
    for split in one.splits:
        if split not in other.splits or split not in singles.splits:
            continue
        first, second = (reduction(singles, model, split) for model in (one, other))
        found = resampler.difference(singles, one, other, split)
        between = " [{:+.1f}, {:+.1f}]".format(*found) if found else ", too few speakers"
        print(f"{split}: {first:.1f} - {second:.1f} = {first - second:+.1f}{between}")


def main() -> int:
    """Parse, read, print; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("models", nargs=2, metavar="MODEL", help="see above")
    given = parser.parse_args()
    try:
        compare(given.workspace, given.models)
    except SynergyError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
