"""Cells of the AR table, trained and measured: what sweeps ask for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, count, takewhile, zip_longest
from statistics import fmean

import numpy as np

from synergy.experiment import Recipe
from synergy.losses.adaptive import Training
from synergy.losses.estimates import LossEstimate, loss_estimates, write_losses
from synergy.losses.evidence import Evidence, SeedScores
from synergy.losses.pooling import MOST_SEEN, Posterior, posterior
from synergy.measuring.bootstrap import DRAWS, LEVEL, Resampler, below
from synergy.measuring.deciding import Decider, DecidingScores
from synergy.measuring.outcome import Outcome, levelled
from synergy.running.session import Results, Session
from synergy.synthesis import ARTable, Cell, accuracy_reduction
from synergy.synthesis.cells import CellKey
from synergy.synthesis.question import TableKind
from synergy.synthesis.resampling import TableSamples
from synergy.synthesis.table_csv import write_rows
from synergy.tree import SharingTree
from synergy.trials.trial import Trial
from synergy.wording import REPORTED, Split
from synergy.workspace import PairTable

PLAIN = Recipe()


class PairTrainer:
    """Trains pairs and makes cells of them.

    A model has the configured seeds and those that follow without a gap; all that are trained
    count, those of single-task models whether a pair has them or not. A configured seed
    of a pair that fails makes it a failed cell. Distilled pairs have the single-task models as
    teachers. The test split is looked at only if ``test`` asks for it.
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
        self._folds = session.experiment.config.evaluation.folds
        self._store = session.workspace.trials
        self._resampler = Resampler(session.experiment, self._store)
        self._decider = Decider(self._resampler)

    def trials(self, key: CellKey) -> list[Trial]:
        """The trials of a cell with all configured seeds."""
        return self.experiment.trials([self._tree(key)], self._recipe)

    def done(self, key: CellKey) -> list[Trial]:
        """The finished trials of a cell."""
        return self._done(self._tree(key), self._recipe)

    def alone(self, task: str) -> list[Trial]:
        """The finished trials of a single-task model."""
        return self._done(self.experiment.alone(task), PLAIN)

    def known(self, keys: Iterable[CellKey]) -> list[Cell]:
        """The cells among ``keys`` for which nothing is left to train; trains nothing."""
        return [self.cell(key) for key in keys if self.has(key) and not self._lacks_test(key)]

    def has(self, key: CellKey) -> bool:
        """Whether the pair and its single-task models are trained with all configured seeds."""
        alone = (self.experiment.alone(task) for task in key[:2])
        trials = (*self.trials(key), *self.experiment.trials(alone))
        return all(self._store.is_done(trial.digest) for trial in trials)

    def train(self, keys: Sequence[CellKey]) -> list[Cell]:
        """Train what is missing of the cells, all cells of one seed before the next seed."""
        by_seed = zip_longest(*map(self.trials, keys))
        pairs = [trial for trials in by_seed for trial in trials if trial is not None]
        errors = self.session.train("pairs", pairs, self.test).errors
        if self.test:  # further seeds count as well
            tasks = dict.fromkeys(task for key in keys for task in key[:2])
            done = [*map(self.done, keys), *map(self.alone, tasks)]
            every = [trial for several in done for trial in several]
            self.session.train("scores on test", every, test=True)
        return [self.cell(key) if self.has(key) else self._failed(key, errors) for key in keys]

    def train_more(self, title: str, trainings: Sequence[Training]) -> dict[Training, str]:
        """Train one more seed of pairs or single-task models; why some failed."""
        first = self.experiment.config.seed
        trials: dict[Training, Trial] = {}
        for each in trainings:
            tree, recipe = self.experiment.alone(each.tasks[0]), PLAIN
            if len(each.tasks) > 1:
                tree, recipe = self.experiment.flat(each.tasks, each.depth), self._recipe
            (trials[each],) = self.experiment.trials([tree], recipe, [first + each.number])
        errors = self.session.train(title, [*trials.values()], self.test).errors
        return {t: errors[trial.digest] for t, trial in trials.items() if trial.digest in errors}

    def cell(self, key: CellKey) -> Cell:
        """The cell of the seeds that are trained, at least one."""
        a, b, depth = key
        singles, pair = self._outcomes(key)
        tested = self.test and all("test" in model.splits for model in (singles, pair))
        alone, together = self._means(singles, pair, "valid")
        on_test = accuracy_reduction(*self._means(singles, pair, "test")) if tested else None
        return Cell(
            a,
            b,
            depth,
            accuracy_reduction(alone, together),
            "measured",
            seeds=pair.seeds,
            single_a=alone[a],
            single_b=alone[b],
            multi_a=together[a],
            multi_b=together[b],
            test_ar_pct=on_test,
            trials=pair.digests,
        )

    def _means(self, singles: Outcome, pair: Outcome, split: Split) -> list[dict[str, float]]:
        """Mean scores of the single-task models and of the pair, by task."""
        levels = {
            task: levelled([model.scored(split, task) for model in (singles, pair)], self._folds)
            for task in pair.runs
        }
        return [{t: fmean(both[place].values()) for t, both in levels.items()} for place in (0, 1)]

    def keep(self, table: ARTable, max_ar: float) -> tuple[PairTable, tuple[LossEstimate, ...]]:
        """The table, with intervals, and its signed losses; written into the workspace.

        Of a task with more than `MOST_SEEN` cells there are none, and no samples, but a note.
        """
        samples, losses = None, ()
        if (len(table.tasks) - 1) * len(table.depths) <= MOST_SEEN:
            found = self._posterior(table)
            samples, losses = _samples(table, found), loss_estimates(found, max_ar)
            enough = self._resampler.has_speakers
            few = [task for task in table.tasks if not enough([task], "valid")]
            table = samples.with_intervals(LEVEL, without=few)
        else:
            self.session.progress.note(
                f"no intervals: expected at most {MOST_SEEN} cells of each task, found "
                f"{(len(table.tasks) - 1) * len(table.depths)}; leave out depths for them"
            )
        files = self.session.workspace.table_files(self.kind)
        rows = list(self._score_rows(table))
        with files.exchanged():
            table.to_csv(files.table)
            if samples is None:
                files.samples.unlink(missing_ok=True)
            else:
                samples.to_csv(files.samples)
            write_losses(files.losses, losses)
            write_rows(files.scores, _SCORES, rows)
        return PairTable(table, files.table, self.kind, samples), losses

    def evidence(
        self,
        tasks: Sequence[str],
        depths: Sequence[int],
        failed: Iterable[CellKey] = (),
        asked: Collection[Training] | None = None,
        only: Collection[str] | None = None,
    ) -> Evidence:
        """The scores on validation of all that is trained of a table.

        Where it is said what was ``asked`` for, of that alone, and of single-task models with the
        configured seeds; or ``only`` of the trainings with some digests.
        """

        def counted(done: list[Trial], tasks: tuple[str, ...], depth: int) -> list[Trial]:
            if only is not None:
                return [trial for trial in done if trial.digest in only]
            if asked is None:
                return done
            least = self.experiment.config.seeds if len(tasks) == 1 else 0
            own = (each.number + 1 for each in asked if (each.tasks, each.depth) == (tasks, depth))
            return done[: max((least, *own))]

        table = Evidence(tuple(tasks), tuple(depths), {}, {}, failed=frozenset(failed))
        alone = {task: counted(self.alone(task), (task,), 0) for task in tasks}
        # by another rule or with teachers they are no single-task models
        counts = self.kind == "plain" and self.experiment.config.training.weights != "best"
        nulls = self._done(self.experiment.flat(tasks, 0), self._recipe) if counts else []
        nulls = [trial for trial in nulls if only is None or trial.digest in only]
        trained = {
            key: done for key in table.cells() if (done := counted(self.done(key), key[:2], key[2]))
        }
        told: dict[str, DecidingScores] = {}
        for task in tasks:
            beside = (trained.get(key, []) for key in table.cells_of(task))
            told[task] = self._decider.scores(task, [*alone[task], *nulls], [*chain(*beside)])
        singles: dict[str, SeedScores] = {}
        shared: dict[str, SeedScores] = {}
        paired: dict[CellKey, list[SeedScores]] = {key: [] for key in trained}
        for task in tasks:
            own = [key for key in trained if task in key[:2]]
            models = [alone[task], nulls, *(trained[key] for key in own)]
            singles[task], shared[task], *beside = self._levels(told[task], models)
            for key, scores in zip(own, beside, strict=True):
                paired[key].append(scores)
        found = replace(
            table,
            singles=singles,
            pairs={key: (one, other) for key, (one, other) in paired.items()},
            nulls=shared,
            smooth=frozenset(task for task in tasks if told[task].smooth),
        )
        speakers = {
            task: _speakers(task, found, told[task], alone[task], trained, self._folds)
            for task in tasks
            if any(found.baseline(task))
        }
        return replace(found, speakers=speakers)

    def _levels(self, told: DecidingScores, models: Iterable[Sequence[Trial]]) -> list[SeedScores]:
        """Scores of the trainings of each model, all folds at one level."""
        scores = [
            {t.seed: score for t, score in zip(own, told.of(own), strict=True)} for own in models
        ]
        return [tuple(each.values()) for each in levelled(scores, self._folds)]

    def _posterior(self, table: ARTable) -> Posterior:
        """What is known of the losses of a table."""
        failed = [cell.key for cell in table.cells if cell.status == "failed"]
        evidence = self.evidence(table.tasks, table.depths, failed)
        return posterior(evidence)

    def _score_rows(self, table: ARTable) -> Iterator[list[object]]:
        """What every measured cell is made of, a row for each task of each training."""
        splits = REPORTED if self.test else ("valid",)
        models = [((task, None, None), self.alone(task)) for task in table.tasks]
        measured = [cell.key for cell in table.cells if cell.ar_pct is not None]
        models += [(key, self.done(key)) for key in measured]
        for key, trials in models:
            outcome = Outcome.of(Results.kept(self._store, trials), trials)
            for task in outcome.runs:
                for seed, run in outcome.runs[task].items():
                    known = (run.scores.get(s, {}) if s in splits else {} for s in REPORTED)
                    scores = [each.get(task) for each in known]
                    yield [*key, task, seed, *scores, run.digest]

    def _failed(self, key: CellKey, errors: Mapping[str, str]) -> Cell:
        # an AR of fewer seeds than the others have would pass for one that can be compared
        own = [errors[t.digest] for t in self.trials(key) if t.digest in errors]
        alone = (self.singles.errors[task] for task in key[:2])
        reasons = [*own, *(reason for each in alone for reason in each), "not trained"]
        return Cell(*key, None, "failed", reason=reasons[0], seeds=len(self.done(key)))

    def _outcomes(self, key: CellKey) -> tuple[Outcome, Outcome]:
        """The single-task models and the pair."""
        alone = [trial for task in key[:2] for trial in self.alone(task)]
        found = []
        for trials in (alone, self.done(key)):
            results = Results.kept(self._store, trials)
            found.append(Outcome.of(results, trials, reported=self.test))
        return found[0], found[1]

    def _tree(self, key: CellKey) -> SharingTree:
        return self.experiment.flat(key[:2], key[2])

    def _done(self, tree: SharingTree, recipe: Recipe) -> list[Trial]:
        """Finished trials: of the configured seeds, and of those that follow without a gap."""

        def is_done(trial: Trial) -> bool:
            return self._store.is_done(trial.digest)

        config, trials = self.experiment.config, self.experiment.trials
        further = (trials([tree], recipe, [n])[0] for n in count(config.seed + config.seeds))
        return [*filter(is_done, trials([tree], recipe)), *takewhile(is_done, further)]

    def _lacks_test(self, key: CellKey) -> bool:
        """Whether test is asked for and something of a cell was not measured there."""
        trials = (*self.done(key), *self.alone(key[0]), *self.alone(key[1]))
        return self.test and not all(self._store.is_tested(trial.digest) for trial in trials)


def _speakers(
    task: str,
    evidence: Evidence,
    told: DecidingScores,
    alone: Sequence[Trial],
    trained: Mapping[CellKey, Sequence[Trial]],
    folds: int,
) -> np.ndarray:
    """Covariance of the losses of a task over resampled speakers; 0 where nothing is known.

    To first order: what is divided by is not resampled.
    """
    if not alone:
        return np.zeros((len(evidence.cells_of(task)),) * 2)
    mean, scale = told.mean_resampled, fmean(evidence.baseline(task))
    lost = [
        below(mean, alone, trained[key], folds) if key in trained else np.zeros(DRAWS)
        for key in evidence.cells_of(task)
    ]
    return np.atleast_2d(np.cov(100.0 / scale * np.stack(lost)))


def _samples(table: ARTable, known: Posterior) -> TableSamples:
    """Tables as they may truly be; a failed cell is nan, a skipped one follows from the others."""
    ar = np.maximum(known.losses.max(axis=2), 0.0)
    ar[:, [cell.status == "failed" for cell in table.cells]] = np.nan
    return TableSamples(table, np.round(ar, 4))


_SCORES = ("task_a", "task_b", "shared_depth", "task", "seed", "valid", "test", "trial")
