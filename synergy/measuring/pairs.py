"""Cells of the AR table, trained and measured: what sweeps and refinements ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import zip_longest

import numpy as np

from synergy.experiment import Recipe
from synergy.measuring.bootstrap import LEVEL, Resampler
from synergy.measuring.outcome import Outcome, reduction
from synergy.records import RefinedCell, RefinementsFile
from synergy.running.session import Results, Session
from synergy.synthesis import ARTable, Cell
from synergy.synthesis.cells import CellKey
from synergy.synthesis.question import TableKind
from synergy.synthesis.resampling import TableSamples
from synergy.synthesis.table_csv import write_rows
from synergy.trials.trial import Trial
from synergy.wording import REPORTED
from synergy.workspace import PairTable


class PairTrainer:
    """Trains pairs with all their seeds and makes cells of them.

    A cell has the configured seeds and those that refinements added, which the workspace
    remembers. Single-task models are compared with on the same seeds. A refinement whose
    training fails leaves the cell with the seeds that it has; a configured seed that fails
    makes it a failed cell. Distilled pairs have the single-task models as teachers. The test
    split is looked at only if ``test`` asks for it.
    """

    def __init__(
        self, session: Session, singles: Outcome, kind: TableKind, test: bool = False
    ) -> None:
        self.session = session
        self.singles = singles
        self.experiment = session.experiment
        self.kind: TableKind = kind
        self.test = test
        self._recipe = Recipe(distilled=kind == "distilled")
        self._store = session.workspace.trials
        self._resampler = Resampler(session.experiment, self._store)

    def seeds(self, key: CellKey) -> tuple[int, ...]:
        """Seeds of a cell: the configured ones, then those of its refinements."""
        config = self.experiment.config
        return tuple(range(config.seed, config.seed + config.seeds + self._extra.get(key, 0)))

    def trials(self, key: CellKey) -> list[Trial]:
        """The trials of a cell, one for each seed."""
        tree = self.experiment.flat(key[:2], key[2])
        return self.experiment.trials([tree], self._recipe, self.seeds(key))

    def further(self, key: CellKey) -> tuple[Trial, ...]:
        """Finished single-task models of the seeds that refinements gave a cell."""
        known, done = self.experiment.config.all_seeds, self._store.is_done
        return tuple(t for t in self._singles(key) if t.seed not in known and done(t.digest))

    def known(self, keys: Iterable[CellKey]) -> list[Cell]:
        """The cells among ``keys`` for which nothing is left to train; trains nothing."""
        return [
            self._cell(key)
            for key in keys
            if self._comparable(key) == self.seeds(key) and not (self.test and self._untested(key))
        ]

    def has(self, key: CellKey) -> bool:
        """Whether the cell can be measured without any training, as far as seeds are configured."""
        return set(self.experiment.config.all_seeds) <= set(self._comparable(key))

    def train(self, keys: Sequence[CellKey]) -> list[Cell]:
        """Train what is missing of the cells, all cells of one seed before the next seed."""
        configured = self.experiment.config.all_seeds
        singles = {t.digest: t for key in keys for t in self._singles(key)}
        missing = [trial for trial in singles.values() if trial.seed not in configured]
        missing.sort(key=lambda trial: (trial.tree.tasks, trial.seed))
        title = "single-task models of further seeds"
        alone = self.session.train(title, missing, self.test) if missing else Results({}, {})
        by_seed = zip_longest(*(self.trials(key) for key in keys))
        pairs = [trial for trials in by_seed for trial in trials if trial is not None]
        errors = {**alone.errors, **self.session.train("pairs", pairs, self.test).errors}
        return [self._cell(key, errors) for key in keys]

    def refine(self, key: CellKey) -> Cell:
        """Train one more seed of a cell, and remember that it has one."""
        self._extra[key] = self._extra.get(key, 0) + 1
        file = self.session.workspace.refinements
        rows = tuple(
            RefinedCell(task_a=a, task_b=b, shared_depth=depth, seeds=extra)
            for (a, b, depth), extra in sorted(self._extra.items())
        )
        kept = RefinementsFile.read(file) or RefinementsFile()
        kept.model_copy(update={self.kind: rows}).write(file)
        return self.train([key])[0]

    def keep(self, table: ARTable, changed: Cell | None = None) -> PairTable:
        """The table, with one cell changed, with intervals; written into the workspace."""
        if changed is not None:
            cells = tuple(changed if cell.key == changed.key else cell for cell in table.cells)
            table = replace(table, cells=cells)
        samples = self._samples(table)
        enough = self._resampler.has_speakers
        few = [task for task in table.tasks if not enough([task], "valid")]
        table = samples.with_intervals(LEVEL, without=few)
        files = self.session.workspace.table_files(self.kind)
        rows = list(self._score_rows(table))
        with files.exchanged():
            table.to_csv(files.table)
            samples.to_csv(files.samples)
            write_rows(files.scores, _SCORES, rows)
        return PairTable(table, files.table, self.kind, samples)

    def _samples(self, table: ARTable) -> TableSamples:
        """Bootstrap tables of ``table``; a cell without an AR is nan in all of them."""
        columns = [
            np.full(self._resampler.draws, np.nan)
            if cell.ar_pct is None
            else self._resampler.reductions(*self._outcomes(cell.key), "valid")
            for cell in table.cells
        ]
        return TableSamples(table, np.round(np.stack(columns, axis=1), 4))

    def _score_rows(self, table: ARTable) -> Iterator[list[object]]:
        """What every measured cell is made of, a row for each task and seed."""
        for cell in table.cells:
            if cell.ar_pct is None:
                continue
            singles, pair = self._outcomes(cell.key)
            splits = REPORTED if self.test else ("valid",)
            for task in cell.key[:2]:
                for seed, run in pair.runs[task].items():
                    alone = singles.runs[task][seed]
                    scores: list[float | None] = [None] * 4
                    for place, split in enumerate(splits):
                        both = (each.scores[split][task] for each in (alone, run))
                        scores[2 * place : 2 * place + 2] = both
                    yield [*cell.key, task, seed, *scores, alone.digest, run.digest]

    def _cell(self, key: CellKey, errors: dict[str, str] | None = None) -> Cell:
        a, b, depth = key
        if not self.has(key):
            # an AR of fewer seeds than the others have would pass for one that can be compared
            own = [errors[t.digest] for t in self.trials(key) if errors and t.digest in errors]
            reasons = [*own, *self.singles.errors[a], *self.singles.errors[b], "not trained"]
            seeds = len(self._comparable(key))
            return Cell(a, b, depth, None, "failed", reason=reasons[0], seeds=seeds)
        singles, pair = self._outcomes(key)
        return Cell(
            a,
            b,
            depth,
            reduction(singles, pair, "valid"),
            "measured",
            seeds=pair.seeds,
            single_a=singles.mean("valid", a),
            single_b=singles.mean("valid", b),
            multi_a=pair.mean("valid", a),
            multi_b=pair.mean("valid", b),
            test_ar_pct=reduction(singles, pair, "test") if self.test else None,
            trials=pair.digests,
        )

    def _outcomes(self, key: CellKey) -> tuple[Outcome, Outcome]:
        """The single-task models and the pair, on the seeds that all three have."""
        seeds = self._comparable(key)
        singles, pair = (
            [trial for trial in trials if trial.seed in seeds]
            for trials in (self._singles(key), self.trials(key))
        )
        both = Results.kept(self._store, (*singles, *pair))
        return Outcome.of(both, singles), Outcome.of(both, pair)

    def _comparable(self, key: CellKey) -> tuple[int, ...]:
        """Seeds of a cell for which the pair and both single-task models are done."""
        trials = (*self.trials(key), *self._singles(key))
        missing = {trial.seed for trial in trials if not self._store.is_done(trial.digest)}
        return tuple(seed for seed in self.seeds(key) if seed not in missing)

    def _untested(self, key: CellKey) -> bool:
        """Whether something of a cell that is trained was not measured on test."""
        trials = (*self.trials(key), *self._singles(key))
        return not all(self._store.is_tested(trial.digest) for trial in trials)

    def _singles(self, key: CellKey) -> list[Trial]:
        """Single-task models of both tasks on the seeds of a cell."""
        trees = [self.experiment.alone(task) for task in key[:2]]
        return self.experiment.trials(trees, seeds=self.seeds(key))

    @cached_property
    def _extra(self) -> dict[CellKey, int]:
        """How many further seeds refinements gave to cells."""
        kept = RefinementsFile.read(self.session.workspace.refinements) or RefinementsFile()
        rows: tuple[RefinedCell, ...] = getattr(kept, self.kind)
        return {(row.task_a, row.task_b, row.shared_depth): row.seeds for row in rows}


_SCORES = (
    *("task_a", "task_b", "shared_depth", "task", "seed"),
    *("single_valid", "multi_valid", "single_test", "multi_test", "single_trial", "multi_trial"),
)
