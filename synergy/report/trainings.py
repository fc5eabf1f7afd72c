"""Which of the finished trainings belong to what a report shows, and their curves.

A workspace may hold trainings of earlier settings or of other versions of the corpora. A file
with scores says which ones it rests on: those whose scores, averaged over seeds, are the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from synergy.report.graphics.curves import Curve
from synergy.report.reading import Sources, TrialFacts
from synergy.synthesis.cells import Cell
from synergy.tree import SharingTree

_MOST_POINTS = 60  # of one curve


class Trainings:
    """The trainings of a run, by what was trained.

    Parameters
    ----------
    sources : Sources
    tasks : sequence of str
        Those of the report.
    """

    def __init__(self, sources: Sources, tasks: Sequence[str]) -> None:
        self._sources = sources
        self._by_digest = {trial.digest: trial for trial in sources.trials}
        self._by_tree: dict[SharingTree, list[TrialFacts]] = {}
        for trial in sources.trials:
            self._by_tree.setdefault(trial.tree, []).append(trial)
        self._tasks = tuple(tasks)
        self.singles: dict[str, list[TrialFacts]] = {}
        self._find_singles()

    def of_digests(self, digests: Iterable[str]) -> list[TrialFacts]:
        """Trainings by digest, those that are there, by seed."""
        found = [self._by_digest[digest] for digest in digests if digest in self._by_digest]
        return sorted(found, key=lambda trial: trial.seed)

    def of_cell(self, cell: Cell, distilled: bool) -> list[TrialFacts]:
        """The trainings of a pair, by seed; empty when none is known."""
        trained = [
            trial
            for tree, trials in self._by_tree.items()
            if set(tree.tasks) == {cell.task_a, cell.task_b}
            and tree.shared_depth(cell.task_a, cell.task_b) == cell.shared_depth
            for trial in trials
            if trial.is_plain != distilled
        ]
        expected = {cell.task_a: cell.multi_a, cell.task_b: cell.multi_b}
        return self._chosen(trained, expected, cell.seeds)

    def best_scores(self, trials: Sequence[TrialFacts], split: str, task: str) -> list[float]:
        """Score of each training, by seed."""
        return [trial.scores.get(split, {}).get(task, math.nan) for trial in trials]

    def curve(self, trial: TrialFacts, task: str, kind: str) -> Curve:
        """Validation score of a task over the epochs of a training, in percent."""
        history = self._sources.store.history(trial.digest)
        column = f"{task}_score"
        rows = [(row["step"], row[column]) for row in history if {"step", column} <= row.keys()]
        best = [n for n, (step, _) in enumerate(rows) if step == trial.best_step]
        kept = {0, len(rows) - 1, *best}
        stride = max(1, math.ceil(len(rows) / _MOST_POINTS))
        places = [n for n in range(len(rows)) if n % stride == 0 or n in kept]
        return Curve(
            kind,
            tuple((rows[n][0] / trial.steps_per_epoch, 100 * rows[n][1]) for n in places),
            places.index(best[0]) if best else None,
        )

    # -- choosing -------------------------------------------------------------------------

    def _find_singles(self) -> None:
        """The single-task trainings of each task, by seed."""
        rows = (self._sources.summary or {}).get("rows") or [{}]
        named = self.of_digests(rows[0].get("digests") or ())
        for task in self._tasks:
            found = [trial for trial in named if trial.tree.tasks == (task,)]
            if not found:
                alone = [
                    trial
                    for tree, trials in self._by_tree.items()
                    if tree.tasks == (task,)
                    for trial in trials
                    if trial.is_plain
                ]
                found = self._chosen(alone, self._single_score(task), 0)
            if found:
                self.singles[task] = found

    def _single_score(self, task: str) -> dict[str, float | None]:
        for table in self._sources.tables.values():
            for cell in table.cells:
                if task == cell.task_a and cell.single_a is not None:
                    return {task: cell.single_a}
                if task == cell.task_b and cell.single_b is not None:
                    return {task: cell.single_b}
        return {task: None}

    def _chosen(
        self,
        trials: Sequence[TrialFacts],
        expected: Mapping[str, float | None],
        seeds: int,
    ) -> list[TrialFacts]:
        """Of trainings of one tree under several settings those that belong to the run."""
        groups: dict[str, list[TrialFacts]] = {}
        for trial in sorted(trials, key=lambda trial: trial.seed):
            groups.setdefault(f"{trial.settings}{sorted(trial.data.items())}", []).append(trial)
        for _, group in sorted(groups.items()):
            # Seeds are counted up, so what was trained with fewer of them is a beginning.
            counts = sorted(range(1, len(group) + 1), key=lambda count: count != seeds)
            for count in counts:
                if _has_scores(group[:count], expected):
                    return group[:count]
        return max(groups.items(), key=self._fit)[1] if groups else []

    def _fit(self, item: tuple[str, list[TrialFacts]]) -> tuple[bool, bool, bool, int, str]:
        """How well a group fits the configuration and the single-task trainings."""
        key, group = item
        config, first = self._sources.config, group[0]
        configured = all(
            config.get(name) == settings
            for name, settings in (("training", first.training), ("encoder", first.encoder))
        )
        known = [trial for trials in self.singles.values() for trial in trials]
        data = {task: value for trial in known for task, value in trial.data.items()}
        return (
            configured,
            first.settings in {trial.settings for trial in known},
            all(data.get(task, value) == value for task, value in first.data.items()),
            len(group),
            key,
        )


def _has_scores(trials: Sequence[TrialFacts], expected: Mapping[str, float | None]) -> bool:
    """Whether the means of the validation scores are the expected ones."""
    for task, score in expected.items():
        found = [trial.scores.get("valid", {}).get(task) for trial in trials]
        scores = [value for value in found if value is not None]
        if score is None or len(scores) < len(trials):
            return False
        if not math.isclose(fmean(scores), score, rel_tol=1e-9, abs_tol=1e-9):
            return False
    return True
