"""Trains what is missing of some trials and measures what is missing of some probes.

What is done is not done again; the rest runs in an executor, and whatever is finished is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import yaml

from synergy.config import RunConfig
from synergy.errors import ShortfallError, WorkspaceError
from synergy.executors import EXECUTORS, Ended, Job
from synergy.experiment import Experiment, prepare
from synergy.extensions import imports_allowed
from synergy.records import ProbeFile
from synergy.running.probes import Probe
from synergy.running.progress import Progress
from synergy.trials.record import TrialResult
from synergy.trials.teachers import load_soft_labels
from synergy.trials.trial import Trial, run_trial
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
    executor : str
        Key in ``EXECUTORS``.
    workers : int
        Jobs at the same time, at least 1.
    progress : Progress
    trained : int
        Trainings so far, those of probes included.
    """

    experiment: Experiment
    workspace: Workspace
    executor: str
    workers: int
    progress: Progress
    trained: int = 0

    def train(self, title: str, trials: Sequence[Trial]) -> Results:
        """Make sure that every trial is done, in the given order.

        A trial that fails is reported and does not stop the others; its traceback goes to
        ``errors/`` in the workspace.
        """
        store, progress = self.workspace.trials, self.progress
        jobs = {trial.digest: TrialJob((trial,)) for trial in trials}
        done = {**Results.kept(store, trials).done}
        missing = {digest: job for digest, job in jobs.items() if digest not in done}
        errors: dict[str, str] = {}
        for digest, job in missing.items():
            for name, problem in store.damage(digest).items():
                progress.note(f"{job.label} is trained again: {digest}/{name}: {problem}")
        progress.begin(title, len(jobs), len(done))

        def on_report(digest: str, message: Mapping[str, Any]) -> None:
            progress.training(jobs[digest].label, message)

        for outcome in self._run(missing, on_report):
            digest = outcome.key
            if outcome.error is None:
                done[digest] = store.result(digest)
                self.trained += 1
            else:
                errors[digest] = outcome.error
            progress.finished(jobs[digest].label, done.get(digest), errors.get(digest))
        progress.end()
        return Results(done, errors)

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

    def _run(
        self, jobs: Mapping[str, TrialJob | Probe], on_report: Callable[[str, Any], None]
    ) -> Iterator[Ended]:
        """Outcomes as they come; what is known of a failure is kept in ``errors/``."""
        if not jobs:
            return
        config = self.experiment.config.to_yaml()
        executor = EXECUTORS[self.executor](min(self.workers, len(jobs)))
        packed = [
            Job(key, Payload(config, self.workspace.folder, job)) for key, job in jobs.items()
        ]
        with closing(executor.run(run_one, packed, on_report)) as outcomes:
            for outcome in outcomes:
                if outcome.detail:
                    text = f"{jobs[outcome.key].label}\n{outcome.detail}"
                    self.workspace.keep_error(outcome.key, text)
                yield outcome


# -- inside a worker --------------------------------------------------------------------------


@dataclass(frozen=True)
class TrialJob:
    """A trial to be trained and stored."""

    trials: tuple[Trial]

    @property
    def label(self) -> str:
        """Tree and seed."""
        (trial,) = self.trials
        return f"{trial.tree.notation()} seed {trial.seed}"

    def run(self, experiment: Experiment, store: TrialStore, report: Callable[[Any], None]) -> None:
        """Train and store it."""
        (trial,) = self.trials
        soft_labels = load_soft_labels(trial, store, experiment.bank, experiment.data)
        digests = trial.pruning.digests if trial.pruning else ()
        parents = {digest: store.weights(digest) for digest in digests}
        done = run_trial(trial, experiment.bank, experiment.data, report, soft_labels, parents)
        store.write(trial.to_json(), done)


@dataclass(frozen=True)
class Payload:
    """What a worker gets: it prepares the experiment itself, once."""

    config: str
    workspace: Path
    job: TrialJob | Probe


def run_one(payload: Payload, report: Callable[[Any], None]) -> Any:
    """Run one job of a session.

    Raises
    ------
    WorkspaceError
        If the data is no longer what the job was planned for.
    """
    torch.set_num_threads(1)
    experiment = _prepared(payload.config)
    if any(trial.bank != experiment.bank.fingerprint for trial in payload.job.trials):
        raise WorkspaceError("a corpus changed while the command ran; start the command again")
    return payload.job.run(experiment, Workspace(payload.workspace).trials, report)


@lru_cache(maxsize=1)
def _prepared(config: str) -> Experiment:
    with imports_allowed():  # whoever made the session could import them
        return prepare(RunConfig.model_validate(yaml.safe_load(config)))
