"""Contenders trained and measured on the same terms: the lines of the comparison."""

from __future__ import annotations

from synergy.comparisons.base import Contender, Field
from synergy.errors import SynergyError
from synergy.experiment import Recipe
from synergy.measuring.outcome import Outcome, reduction
from synergy.records import ComparedRow, Difference
from synergy.running.session import Results
from synergy.wording import REPORTED

TREE, TAUGHT = "tree", "tree, distilled"
"""What differences of AR are taken from: the synthesised tree, without and with teachers."""


class Judge:
    """Holds contenders against the single-task models; ``results`` has all of their trials.

    Attributes
    ----------
    references : dict of str to Outcome
        The synthesised tree, plain and distilled, where all its seeds are trained.
    """

    def __init__(self, field: Field, results: Results) -> None:
        self.field, self.results = field, results
        self.store = field.session.workspace.trials
        self.references: dict[str, Outcome] = {}
        for name, recipe in ((TREE, Recipe()), (TAUGHT, Recipe(distilled=True))):
            trials = field.experiment.trials([field.tree], recipe)
            kept = Results.kept(self.store, trials)
            if len(kept.done) == len(trials):
                self.references[name] = Outcome.of(kept, trials)

    def row(self, method: str, entry: Contender | SynergyError) -> ComparedRow:
        """The line of a contender, or of a method that named none."""
        if isinstance(entry, SynergyError):
            return ComparedRow(method=method, name=method, error=str(entry))
        experiment, tasks = self.field.experiment, self.field.tasks
        trials = [trial for of_seed in entry.trials for trial in of_seed]
        errors = self.results.errors
        reasons = dict.fromkeys(errors[t.digest] for t in trials if t.digest in errors)
        digests = entry.search.union(trial.digest for trial in trials)
        independent = experiment.costs.independent_params(tasks)
        row = ComparedRow(
            method=method,
            name=entry.name,
            notation=trials[0].tree.notation(tasks) if len(entry.trials[0]) == 1 else None,
            params=entry.params,
            stored_params=entry.stored_params,
            macs=entry.macs,
            distilled=trials[0].distillation is not None,
            share_pct=100.0 * entry.params / independent,
            trainings=len(digests),
            seconds=entry.search_seconds + sum(map(self._seconds, sorted(digests))),
            digests=tuple(trial.digest for trial in trials),
            note=entry.note,
            error="; ".join(reasons) or None,
        )
        if reasons:
            return row
        outcome = Outcome.of(self.results, trials)
        measured = self.field.bench.held_against(outcome)
        return row.model_copy(update={**measured, "above": self._above(outcome)})

    def _above(self, outcome: Outcome) -> dict[str, dict[str, Difference]]:
        """How far the AR lies above that of each reference."""
        bench = self.field.bench
        above: dict[str, dict[str, Difference]] = {name: {} for name in self.references}
        for name, other in self.references.items():
            for split in REPORTED:
                found = bench.resampler.difference(bench.singles, outcome, other, split)
                low, high = found or (None, None)
                ours, theirs = (reduction(bench.singles, m, split) for m in (outcome, other))
                above[name][split] = Difference(ar_pct=ours - theirs, ar_low=low, ar_high=high)
        return above

    def _seconds(self, digest: str) -> float:
        """Of a training; 0 for what is no trial, or of another workspace."""
        return self.store.result(digest).seconds if self.store.is_done(digest) else 0.0
