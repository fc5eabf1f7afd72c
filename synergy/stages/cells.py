"""Cells of the AR table, trained and measured: what sweeps and refinements ask for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from synergy.errors import WorkspaceError
from synergy.experiment import Recipe
from synergy.files import write_json_atomically
from synergy.stages.baseline import Baselines
from synergy.stages.outcome import Outcome, outcome_of, reduction
from synergy.stages.resampling import LEVEL, Resampler
from synergy.stages.sweep import Session, Swept, sweep
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.cells import Cell, CellKey
from synergy.synthesis.resampling import TableSamples
from synergy.tree import SharingTree
from synergy.trials.trial import Trial


class CellTrainer:
    """Trains pairs with all their seeds and makes cells of them.

    A cell has the configured seeds and those that refinements added, which the workspace
    remembers. Single-task models are compared with on the same seeds. A refinement whose
    training fails leaves the cell with the seeds that it has; a configured seed that fails
    makes it a failed cell.

    Parameters
    ----------
    session : Session
    baselines : Baselines
        Of all tasks.
    distilled : bool
        Train pairs with the single-task models as teachers.
    """

    def __init__(self, session: Session, baselines: Baselines, distilled: bool) -> None:
        self.session = session
        self.experiment = session.experiment
        self.baselines = baselines
        self.distilled = distilled
        self._recipe = Recipe(distilled=distilled)
        self.resampler = Resampler(session.experiment, session.workspace.trials)
        self.trained = 0
        self._extra = self._remembered()

    # -- which trainings ------------------------------------------------------------------

    def seeds(self, key: CellKey) -> tuple[int, ...]:
        """Seeds of a cell: the configured ones, then those of its refinements."""
        config = self.experiment.config
        extra = self._extra.get(key, 0)
        return tuple(range(config.seed, config.seed + config.seeds + extra))

    def trials(self, key: CellKey) -> list[Trial]:
        """The trials of a cell, one for each seed."""
        tree = self._tree(key)
        return [self.experiment.trial(tree, seed, self._recipe) for seed in self.seeds(key)]

    def known(self, keys: Iterable[CellKey]) -> list[Cell]:
        """The cells among ``keys`` for which nothing is left to train; trains nothing."""
        store = self.session.workspace.trials
        done = [key for key in keys if self._comparable(key) == self.seeds(key)]
        trials = [t for key in done for t in (*self.trials(key), *self.further(key))]
        swept = Swept({t.digest: store.result(t.digest) for t in trials}, {}, 0)
        return [self._cell(key, swept, swept) for key in done]

    def further(self, key: CellKey) -> tuple[Trial, ...]:
        """Finished single-task models of the seeds that refinements gave a cell."""
        store, known = self.session.workspace.trials, self.experiment.config.all_seeds
        trials = [
            self.experiment.trial(self._alone(task), seed)
            for task in key[:2]
            for seed in self.seeds(key)
            if seed not in known
        ]
        return tuple(trial for trial in trials if store.is_done(trial.digest))

    def has(self, key: CellKey) -> bool:
        """Whether the cell can be measured without any training, as far as seeds are configured."""
        return set(self.experiment.config.all_seeds) <= set(self._comparable(key))

    def refine(self, key: CellKey) -> Cell:
        """Train one more seed of a cell, and remember that it has one."""
        self._extra[key] = self._extra.get(key, 0) + 1
        file = self.session.workspace.refinements
        kept = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        kept[self._kind] = [
            {"task_a": a, "task_b": b, "shared_depth": depth, "seeds": extra}
            for (a, b, depth), extra in sorted(self._extra.items())
        ]
        write_json_atomically(file, kept)
        (cell,) = self.train([key])
        return cell

    def train(self, keys: Sequence[CellKey]) -> list[Cell]:
        """Train what is missing of the cells, all cells of one seed before the next seed."""
        singles = self._singles(keys)
        most = max(len(self.seeds(key)) for key in keys)
        by_key = {key: self.trials(key) for key in keys}
        ordered = [
            trials[place]
            for place in range(most)
            for trials in by_key.values()
            if place < len(trials)
        ]
        swept = sweep(self.session, "pairs", ordered)
        self.trained += swept.trained
        return [self._cell(key, swept, singles) for key in keys]

    # -- what they come to ----------------------------------------------------------------

    def samples(self, table: ARTable) -> TableSamples:
        """Bootstrap tables of ``table``; a cell without an AR is nan in all of them."""
        columns: list[np.ndarray] = []
        for cell in table.cells:
            if cell.ar_pct is None:
                columns.append(np.full(self.resampler.draws, np.nan))
                continue
            seeds = self._comparable(cell.key)
            digests = [t.digest for t in self.trials(cell.key) if t.seed in seeds]
            singles = {t: [self._single_digest(t, seed) for seed in seeds] for t in cell.key[:2]}
            multi = dict.fromkeys(cell.key[:2], digests)
            columns.append(self.resampler.reductions(singles, multi, "valid"))
        return TableSamples(table, np.round(np.stack(columns, axis=1), 4))

    def with_intervals(self, table: ARTable) -> tuple[ARTable, TableSamples]:
        """The table with ``ar_low`` and ``ar_high`` in its measured cells."""
        samples = self.samples(table)
        return samples.with_intervals(LEVEL), samples

    def keep(self, table: ARTable, changed: Cell | None = None) -> tuple[ARTable, TableSamples]:
        """The table, with one cell changed, with intervals; written into the workspace."""
        if changed is not None:
            cells = tuple(changed if cell.key == changed.key else cell for cell in table.cells)
            table = replace(table, cells=cells)
        table, samples = self.with_intervals(table)
        file, samples_file = self.session.workspace.table_files(self.distilled)
        table.to_csv(file)
        samples.to_csv(samples_file)
        return table, samples

    def _cell(self, key: CellKey, swept: Swept, singles: Swept) -> Cell:
        task_a, task_b, depth = key
        seeds = self._comparable(key)
        pair = outcome_of(self.experiment, swept, self._tree(key), self._recipe, seeds)
        if not self.has(key):
            # an AR of fewer seeds than the others have would pass for one that can be compared
            tried = outcome_of(self.experiment, swept, self._tree(key), self._recipe)
            alone = [self.baselines.outcomes[task] for task in (task_a, task_b)]
            errors = [error for outcome in (tried, *alone) for error in outcome.errors]
            reason = errors[0] if errors else "not trained"
            return Cell(task_a, task_b, depth, None, "failed", reason=reason, seeds=len(seeds))
        alone = {t: self._single(t, seeds, singles) for t in (task_a, task_b)}
        return Cell(
            task_a,
            task_b,
            depth,
            reduction(alone, pair, "valid"),
            "measured",
            seeds=pair.seeds,
            single_a=alone[task_a].mean("valid", task_a),
            single_b=alone[task_b].mean("valid", task_b),
            multi_a=pair.mean("valid", task_a),
            multi_b=pair.mean("valid", task_b),
            test_ar_pct=reduction(alone, pair, "test"),
        )

    def _comparable(self, key: CellKey) -> tuple[int, ...]:
        """Seeds of a cell for which the pair and both single-task models are done."""
        store = self.session.workspace.trials
        needed = {trial.seed: [trial.digest] for trial in self.trials(key)}
        for seed, digests in needed.items():
            digests += [self._single_digest(task, seed) for task in key[:2]]
        return tuple(seed for seed, digests in needed.items() if all(map(store.is_done, digests)))

    # -- single-task models on the seeds of a cell ----------------------------------------

    def _singles(self, keys: Sequence[CellKey]) -> Swept:
        """Single-task models for the seeds that refinements added."""
        wanted = {
            (task, seed)
            for key in keys
            for task in key[:2]
            for seed in self.seeds(key)[self.experiment.config.seeds :]
        }
        if not wanted:
            return Swept({}, {}, 0)
        trials = [self.experiment.trial(self._alone(task), seed) for task, seed in sorted(wanted)]
        swept = sweep(self.session, "single-task models of further seeds", trials)
        self.trained += swept.trained
        return swept

    def _single(self, task: str, seeds: Sequence[int], singles: Swept) -> Outcome:
        base = self.baselines.outcomes[task]
        if len(seeds) == self.experiment.config.seeds:
            return base
        store = self.session.workspace.trials
        results = {**singles.results, **{d: store.result(d) for d in base.digests}}
        swept = Swept(results, singles.errors, 0)
        return outcome_of(self.experiment, swept, self._alone(task), seeds=seeds)

    def _single_digest(self, task: str, seed: int) -> str:
        return self.experiment.trial(self._alone(task), seed).digest

    def _alone(self, task: str) -> SharingTree:
        return SharingTree.single(task, self.experiment.config.encoder.depth)

    def _tree(self, key: CellKey) -> SharingTree:
        return SharingTree.flat(key[:2], key[2], self.experiment.config.encoder.depth)

    # -- refinements ----------------------------------------------------------------------

    @property
    def _kind(self) -> str:
        return "distilled" if self.distilled else "plain"

    def _remembered(self) -> dict[CellKey, int]:
        file = self.session.workspace.refinements
        if not file.is_file():
            return {}
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
            return {
                (row["task_a"], row["task_b"], int(row["shared_depth"])): int(row["seeds"])
                for row in kept.get(self._kind, [])
            }
        except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
            raise WorkspaceError(
                f"{file} is damaged ({error}); delete it to forget which cells were refined"
            ) from error
