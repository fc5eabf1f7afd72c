"""Train a set of trials: those that are done are not trained again, the others in parallel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import yaml

from synergy.config import RunConfig
from synergy.errors import WorkspaceError
from synergy.executors import EXECUTORS, Job
from synergy.experiment import PLAIN, Experiment, Recipe, prepare
from synergy.stages.progress import Progress
from synergy.tree import SharingTree
from synergy.trials.record import TrialResult
from synergy.trials.teachers import load_soft_labels
from synergy.trials.trial import Trial, run_trial
from synergy.workspace import Workspace


@dataclass(frozen=True)
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
    progress : Progress
    """

    experiment: Experiment
    workspace: Workspace
    executor: str
    workers: int
    progress: Progress


@dataclass(frozen=True)
class Swept:
    """Results by digest, and why the missing ones are missing.

    Attributes
    ----------
    results : dict of digest to TrialResult
        Of each trial that is done.
    errors : dict of digest to str
    trained : int
        Trials that were trained now; the others had been done before.
    """

    results: Mapping[str, TrialResult]
    errors: Mapping[str, str]
    trained: int


def sweep(session: Session, title: str, trials: Sequence[Trial]) -> Swept:
    """Make sure that every trial is done, in the given order.

    A trial that fails is reported and does not stop the others; its traceback goes to
    ``errors/`` in the workspace.
    """
    store, progress = session.workspace.trials, session.progress
    unique = {trial.digest: trial for trial in trials}
    results = {digest: store.result(digest) for digest in unique if store.is_done(digest)}
    missing = {digest: trial for digest, trial in unique.items() if digest not in results}
    found = len(results)
    errors: dict[str, str] = {}
    labels = {digest: label(trial) for digest, trial in unique.items()}
    progress.begin(title, len(unique), found)
    if missing:
        config = session.experiment.config.to_yaml()
        jobs = [
            Job(digest, Payload(config, session.workspace.folder, trial))
            for digest, trial in missing.items()
        ]
        executor = EXECUTORS[session.executor](min(session.workers, len(jobs)))

        def on_report(key: str, message: Mapping[str, Any]) -> None:
            progress.training(labels[key], message)

        with closing(executor.run(train_one, jobs, on_report)) as outcomes:
            for outcome in outcomes:
                if outcome.error is None:
                    results[outcome.key] = store.result(outcome.key)
                else:
                    errors[outcome.key] = outcome.error
                    if outcome.detail:
                        text = f"{labels[outcome.key]}\n{outcome.detail}"
                        session.workspace.keep_error(outcome.key, text)
                progress.finished(
                    labels[outcome.key], results.get(outcome.key), errors.get(outcome.key)
                )
    progress.end()
    return Swept(results, errors, len(results) - found)


def label(trial: Trial) -> str:
    """Short name of a trial for progress and messages."""
    return f"{trial.tree.notation()} seed {trial.seed}"


@dataclass(frozen=True)
class Payload:
    """What a worker gets: it prepares the experiment itself, once."""

    config: str
    workspace: Path
    trial: Trial


def experiment_as_planned(config: str, trials: Sequence[Trial]) -> Experiment:
    """The experiment of a configuration in YAML, in a worker, for trials planned elsewhere.

    Raises
    ------
    WorkspaceError
        If the data is no longer what the trials were planned for.
    """
    experiment = _prepared(config)
    if any(trial.bank != experiment.bank.fingerprint for trial in trials):
        raise WorkspaceError("a corpus changed while the command ran; start the command again")
    return experiment


@lru_cache(maxsize=1)
def _prepared(config: str) -> Experiment:
    """A worker prepares its experiment once."""
    return prepare(RunConfig.model_validate(yaml.safe_load(config)))


def train_one(payload: Payload, report: Callable[[Any], None]) -> None:
    """Train and store one trial; runs in a worker.

    Raises
    ------
    WorkspaceError
        If the data is no longer what the trial was planned for.
    """
    torch.set_num_threads(1)
    trial = payload.trial
    experiment = experiment_as_planned(payload.config, [trial])
    store = Workspace(payload.workspace).trials
    soft_labels = load_soft_labels(trial, store, experiment.bank, experiment.data)
    digests = trial.pruning.digests if trial.pruning else ()
    parents = {digest: store.weights(digest) for digest in digests}
    done = run_trial(trial, experiment.bank, experiment.data, report, soft_labels, parents)
    store.write(trial.to_json(), done)


def trials_of(
    experiment: Experiment, trees: Sequence[SharingTree], recipe: Recipe = PLAIN
) -> list[Trial]:
    """The trials of ``trees``, all trees of one seed before the next seed."""
    return [
        experiment.trial(tree, seed, recipe)
        for seed in experiment.config.all_seeds
        for tree in trees
    ]
