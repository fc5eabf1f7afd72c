"""Which of the finished trainings belong to what a report shows, and their curves.

A workspace may hold trainings of earlier settings. A file with scores names those behind them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from synergy import limits
from synergy.report.graphics.curves import Curve
from synergy.report.sources import Sources, Training
from synergy.training.schedule import scheduled

_MOST_POINTS = 60  # of one curve
_MOST_CURVES = 12  # of a kind, in one drawing

Curves = dict[str, tuple[Curve, ...]]
"""Validation scores by task: those alone, then those of a shared model."""


class Trainings:
    """The trainings of a run, by what was trained.

    Parameters
    ----------
    sources : Sources
    tasks : sequence of str
        Those of the report.

    Attributes
    ----------
    singles : dict of task to list of Training
        Each task alone, by seed; tasks without any are absent.
    """

    def __init__(self, sources: Sources, tasks: Sequence[str]) -> None:
        self._sources = sources
        rows = sources.summary.rows if sources.summary else ()
        named = self._named(rows[0].digests if rows else ())
        self.singles: dict[str, list[Training]] = {}
        for task in tasks:
            alone = [each for each in named if each.tree.tasks == (task,)]
            if found := alone or self._configured(task):
                self.singles[task] = found
        self._alone = {
            task: [self._curve(each, task, "single") for each in found[:_MOST_CURVES]]
            for task, found in self.singles.items()
        }

    def curves(self, digests: Iterable[str], tasks: Sequence[str]) -> Curves:
        """Curves of the trials that are there, beside those of each task alone."""
        found: Curves = {}
        together = [each for each in self._named(digests) if len(each.tree.tasks) > 1]
        for task in tasks:
            shared = [each for each in together if task in each.tree.tasks][:_MOST_CURVES]
            lines = (*self._alone.get(task, ()), *(self._curve(t, task, "shared") for t in shared))
            if drawn := tuple(curve for curve in lines if curve.places):
                found[task] = drawn
        return found

    def _named(self, digests: Iterable[str]) -> list[Training]:
        """Trainings by digest, those that are there, by seed."""
        known = self._sources.trainings
        found = [known[digest] for digest in digests if digest in known]
        return sorted(found, key=lambda training: training.trial.seed)

    def _configured(self, task: str) -> list[Training]:
        """Plain trainings of a task alone with the configured settings, in one state.

        That is the state of the tables' trainings, or else the one with most seeds; with folds, for
        each of them.
        """
        config, known = self._sources.config, self._sources.trainings
        if config is None:
            return []
        # by the number of clips, which these files do not tell: any number of steps may be meant
        any_steps = {"steps_per_epoch": None} if config.schedule == "auto" else {}
        training = scheduled(config.training, config.schedule, 0).model_dump(mode="json")
        settings = (config.model_dump(mode="json")["encoder"], {**training, **any_steps})
        fitting = [
            each
            for each in known.values()
            if each.tree.tasks == (task,)
            and not (each.trial.distillation or each.trial.pruning)
            and (each.trial.encoder, {**each.trial.training, **any_steps}) == settings
        ]
        tables = self._sources.tables.values()
        digests = {d for table in tables for cell in table.table.cells for d in cell.trials}
        used = {_state(known[digest], task) for digest in digests & known.keys()}
        folds: dict[int, dict[tuple[str, str, int], list[Training]]] = {}
        for each in fitting:
            states = folds.setdefault(config.fold_of(each.trial.seed), {})
            states.setdefault(_state(each, task), []).append(each)
        found: list[Training] = []
        for states in folds.values():
            best = max(states, key=lambda state: (state in used, len(states[state]), state))
            found += states[best]
        return sorted(found, key=lambda training: training.trial.seed)

    def _curve(self, training: Training, task: str, kind: str) -> Curve:
        """Validation score of a task over the epochs of a training, in percent."""
        history = self._sources.store.history(training.digest)
        epoch = training.trial.training.get("steps_per_epoch")
        if not isinstance(epoch, int) or epoch < 1:
            return Curve(kind, ())
        rows = [
            (step, score)
            for row in history
            if 0 <= (step := row.get("step", -1)) <= limits.COUNT
            and 0 <= (score := row.get(f"{task}_score", -1)) <= limits.SCORE
        ]
        best = [n for n, (step, _) in enumerate(rows) if step == training.result.kept_step]
        kept = {0, len(rows) - 1, *best}
        stride = max(1, math.ceil(len(rows) / _MOST_POINTS))
        places = [n for n in range(len(rows)) if n % stride == 0 or n in kept]
        return Curve(
            kind,
            tuple((round(rows[n][0] / epoch, 3), round(100 * rows[n][1], 3)) for n in places),
            places.index(best[0]) if best else None,
        )


def _state(training: Training, task: str) -> tuple[str, str, int]:
    """Recordings and features, the task's clips and targets, and the steps of the training."""
    trial = training.trial
    return trial.bank, trial.data.get(task, ""), training.result.steps
