"""Trains what is missing of some trials and measures what is missing of some probes.

What is done is not done again; the rest runs in an executor, and whatever is finished is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from synergy.errors import ShortfallError, SynergyError, WorkspaceError
from synergy.executors import Ended, Executor, Job
from synergy.executors.base import Work
from synergy.experiment import Experiment
from synergy.files import shortly
from synergy.records import ProbeFile
from synergy.running.jobs import (
    LabelJob,
    Labels,
    OnTestJob,
    Payload,
    SessionJob,
    Supply,
    TrialJob,
    run_one,
)
from synergy.running.logs import Log, LoggedTraining
from synergy.running.probes import Probe
from synergy.running.progress import Progress
from synergy.training.distillation import ClipLabels
from synergy.trials.record import TrialResult, TrialRun
from synergy.trials.teachers import (
    Labelling,
    keep_soft_labels,
    kept_soft_labels,
    labellings,
    training_clips,
)
from synergy.trials.trial import Trial
from synergy.trials.trial_store import TrialStore
from synergy.workspace import Workspace


@dataclass(frozen=True)
class Results:
    """Trials that are done, by digest, and why the others are not.

    Attributes
    ----------
    done : dict of digest to TrialResult
    errors : dict of digest to str
    """

    done: Mapping[str, TrialResult]
    errors: Mapping[str, str]

    @classmethod
    def kept(cls, store: TrialStore, trials: Iterable[Trial]) -> Results:
        """Those of some trials that are done already; trains nothing."""
        digests = [trial.digest for trial in trials if store.is_done(trial.digest)]
        return cls({digest: store.result(digest) for digest in digests}, {})


@dataclass
class Session:
    """Where and how stages work.

    Attributes
    ----------
    experiment : Experiment
    workspace : Workspace
        Locked by the caller.
    executor : Executor
        Closed by the caller.
    progress : Progress
    device : str
        As `synergy.training.device.device_of` takes it, where the job runs.
    logs : sequence of Log
        Told of every training that this session finished; a failure of one is a note.
    trained : int
        Trainings so far, those of probes included.
    """

    experiment: Experiment
    workspace: Workspace
    executor: Executor
    progress: Progress
    device: str = ""
    logs: Sequence[Log] = ()
    trained: int = 0
    _labels: dict[tuple[Labelling, ...], ClipLabels] = field(default_factory=dict, repr=False)
    # By what it has labels of: what is the same is handed over once.
    _works: dict[frozenset[tuple[Labelling, ...]], Work] = field(default_factory=dict, repr=False)

    def train(self, title: str, trials: Sequence[Trial], test: bool = False) -> Results:
        """Make sure that every trial is done, in the given order; with ``test`` on test, too.

        A trial that fails is reported and does not stop the others; its traceback goes to
        ``errors/`` in the workspace.
        """
        store, progress = self.workspace.trials, self.progress
        jobs = {trial.digest: TrialJob(trial, test) for trial in trials}
        done = {**Results.kept(store, trials).done}
        if test:  # masks are not kept: what has them is measured where it is trained
            masked = (trial.digest for trial in trials if trial.pruning is not None)
            for digest in [each for each in masked if not store.is_tested(each)]:
                done.pop(digest, None)
        missing = {digest: job for digest, job in jobs.items() if digest not in done}
        errors: dict[str, str] = {}
        for digest, job in missing.items():
            for name, problem in store.damage(digest).items():
                progress.note(f"{job.label} is trained again: {digest}/{name}: {problem}")
        labels, unlabelled = self._labels_for([job.trial for job in missing.values()])
        progress.begin(title, len(jobs), len(done))

        def on_report(digest: str, message: Mapping[str, Any]) -> None:
            progress.training(jobs[digest].label, message)

        for outcome in self._run(missing, on_report, labels, unlabelled):
            digest = outcome.key
            try:
                if outcome.error is None:
                    done[digest] = self._kept(jobs[digest].trial, outcome.value)
                    self.trained += 1
                    self._log(jobs[digest], outcome.value)
                else:
                    errors[digest] = outcome.error
            except ValueError as error:  # a number that is not finite
                errors[digest] = str(error)
            progress.finished(jobs[digest].label, done.get(digest), errors.get(digest))
        progress.end()
        if test:
            untested = [digest for digest in done if not store.is_tested(digest)]
            errors |= self._test({digest: OnTestJob(jobs[digest].trial) for digest in untested})
            done = {digest: store.result(digest) for digest in done if digest not in errors}
        return Results(done, errors)

    def _test(self, jobs: Mapping[str, OnTestJob]) -> dict[str, str]:
        """Measure finished trials on test; why some were not."""
        errors: dict[str, str] = {}
        for done, outcome in enumerate(self._run(jobs, lambda key, message: None), 1):
            if outcome.error is None:
                self.workspace.trials.write_test(outcome.value)
            else:
                errors[outcome.key] = outcome.error
            self.progress.preparing("scores on test", done, len(jobs))
        if jobs:
            self.progress.end()
        return errors

    def _log(self, job: TrialJob, run: TrialRun) -> None:
        for log in self.logs:
            digest, folder = job.trial.digest, self.workspace.folder
            path = self.workspace.trials.path(digest)
            told = LoggedTraining(job.label, digest, path, folder, job.trial.to_json(), run.history)
            try:
                log(told)
            except Exception as error:  # somebody's code; the training is kept
                self.progress.note(f"{job.label} is not logged: {shortly(error)}")

    def _kept(self, trial: Trial, run: TrialRun) -> TrialResult:
        """The result of a training, written before an interrupt takes effect."""
        store = self.workspace.trials

        def write() -> None:
            store.write(trial.to_json(), run)
            if run.test is not None and not store.is_tested(trial.digest):
                store.write_test(run.test)

        try:
            write()
        except KeyboardInterrupt:  # the second one raises nothing
            write()
            raise
        return store.result(trial.digest)

    def measure(self, title: str, probes: Sequence[Probe]) -> tuple[ProbeFile, ...]:
        """Make sure that every probe is measured; the results, in their order.

        Raises
        ------
        ShortfallError
            If a probe failed; the others were measured all the same.
        """
        folder = self.workspace.folder / "probes"
        known: dict[str, ProbeFile] = {}
        for probe in probes:
            with suppress(WorkspaceError):  # a damaged one is measured again
                if (kept := ProbeFile.read(folder / probe.file)) is not None:
                    known[probe.digest] = kept
        missing = {probe.digest: probe for probe in probes if probe.digest not in known}
        units = dict.fromkeys(missing, 0)
        total = sum(probe.units for probe in missing.values())
        errors: list[str] = []

        def on_report(digest: str, done: int) -> None:
            units[digest] = done
            self.progress.preparing(title, sum(units.values()), total)

        if missing:
            folder.mkdir(exist_ok=True)
            self.progress.preparing(title, 0, total)
        for outcome in self._run(missing, on_report):
            probe = missing[outcome.key]
            if outcome.error is not None:
                errors.append(f"{title}: {outcome.error}")
                continue
            assert isinstance(outcome.value, ProbeFile)
            known[outcome.key] = outcome.value
            outcome.value.write(folder / probe.file)
            self.trained += probe.trains
            on_report(outcome.key, probe.units)
        if missing:
            self.progress.end()
        if errors:
            raise ShortfallError("; ".join(dict.fromkeys(errors)))
        return tuple(known[probe.digest] for probe in probes)

    def _labels_for(self, trials: Sequence[Trial]) -> tuple[Labels, dict[str, str]]:
        """What the teachers of some trials say; those that were not asked are asked, and kept.

        The second is why a teacher has no answer, by the digests of the trials that learn from it.
        """
        bank, config = self.experiment.bank, self.experiment.config
        asked_by: dict[str, set[tuple[Labelling, ...]]] = {}
        folds: dict[tuple[Labelling, ...], int] = {}
        for trial in trials:
            if trial.distillation is not None:
                asked_by[trial.digest] = set(labellings(trial, bank.hop_s).values())
                folds |= dict.fromkeys(asked_by[trial.digest], config.fold_of(trial.seed))
        wanted = folds.keys()
        unknown = wanted - self._labels.keys()
        learnt = {folds[asked] for asked in unknown}
        clips = {fold: training_clips(self.experiment.folds[fold]) for fold in learnt}
        teachers = {each: clips[folds[asked]] for asked in unknown for each in asked}
        answers, problems = self._ask(teachers)
        for asked in unknown:
            if answers.keys() >= set(asked):
                votes = [answers[each] for each in asked]
                self._labels[asked] = asked[0].by_clip(votes, bank, clips[folds[asked]])
        why = {
            digest: problems[each]
            for digest, several in asked_by.items()
            for asked in several
            for each in asked
            if each in problems
        }
        return {asked: self._labels[asked] for asked in wanted & self._labels.keys()}, why

    def _ask(
        self, teachers: Mapping[Labelling, Sequence[int]]
    ) -> tuple[dict[Labelling, np.ndarray], dict[Labelling, str]]:
        """What each teacher says of its training clips, or why it says nothing."""
        store, bank = self.workspace.trials, self.experiment.bank
        folder = store.folder.parent / "soft_labels"
        answers: dict[Labelling, np.ndarray] = {}
        problems: dict[Labelling, str] = {}
        missing: dict[str, LabelJob] = {}
        for teacher in sorted(teachers, key=str):
            file = teacher.file(folder, bank, teachers[teacher])
            if (kept := kept_soft_labels(file)) is not None:
                answers[teacher] = kept
                continue
            try:
                missing[file.name] = LabelJob(teacher, store.trial(teacher.teacher))
            except SynergyError as error:
                problems[teacher] = str(error)
        for done, outcome in enumerate(self._run(missing, lambda key, message: None), 1):
            job = missing[outcome.key]
            if outcome.error is None:
                answers[job.labelling] = outcome.value
                keep_soft_labels(folder / outcome.key, outcome.value)
            else:
                problems[job.labelling] = outcome.error
            self.progress.preparing("soft labels", done, len(missing))
        if missing:
            self.progress.end()
        return answers, problems

    def _run(
        self,
        jobs: Mapping[str, SessionJob],
        on_report: Callable[[str, Any], None],
        labels: Labels | None = None,
        problems: Mapping[str, str] | None = None,
    ) -> Iterator[Ended]:
        """Outcomes as they come; what is known of a failure is kept in ``errors/``.

        A job with one of the ``problems`` fails by it.
        """
        if not jobs:
            return
        lacking = {**(problems or {})}

        def packed() -> Iterator[Job]:
            weights_of = self.workspace.trials.weights
            for key, job in jobs.items():
                if key not in lacking:
                    try:
                        weights = {digest: weights_of(digest) for digest in job.needs}
                    except WorkspaceError as error:
                        lacking[key] = str(error)
                    else:
                        yield Job(key, Payload(job, weights), job.label, job.trains)

        def reported(key: str, message: Any) -> None:
            self.progress.working(self.executor.alive)
            on_report(key, message)

        with closing(self.executor.run(self._work(labels or {}), packed(), reported)) as outcomes:
            for outcome in outcomes:
                if outcome.detail:
                    text = f"{jobs[outcome.key].label}\n{outcome.detail}"
                    self.workspace.keep_error(outcome.key, text)
                yield outcome
        for key, problem in lacking.items():
            yield Ended(key, error=problem)

    def _work(self, labels: Labels) -> Work:
        """What the executor is given: the same object as long as it has the labels."""
        for known, work in self._works.items():
            if known >= labels.keys():
                return work
        by_file = self.executor.shares == "files"
        source = self.experiment.config.to_yaml() if by_file else self.experiment
        every = {**self._labels}
        work = partial(
            run_one, Supply(source, self.experiment.bank.fingerprint, every, self.device)
        )
        self._works[frozenset(every)] = work
        return work
