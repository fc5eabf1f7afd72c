"""Measure what comparisons ask for besides trials, in the executor; results are kept as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from synergy.comparisons import Probe, Probed
from synergy.errors import ShortfallError
from synergy.executors import EXECUTORS, Job
from synergy.files import write_json_atomically
from synergy.stages.sweep import Session, experiment_as_planned
from synergy.workspace import Workspace


def measure_probes(
    session: Session, title: str, probes: Sequence[Probe]
) -> tuple[tuple[Probed, ...], int]:
    """Measure what is missing of some probes; those that were measured before are read.

    Returns
    -------
    (tuple of Probed, int)
        What the probes give, in their order, and how many trainings ran for it.

    Raises
    ------
    ShortfallError
        If a probe failed; the others were measured all the same.
    """
    folder = session.workspace.folder / "probes"
    known = {probe.digest: _read(_file(folder, probe)) for probe in probes}
    missing = {probe.digest: probe for probe in probes if known[probe.digest] is None}
    total = sum(probe.units for probe in missing.values())
    done = dict.fromkeys(missing, 0)
    errors: list[str] = []

    def on_report(key: str, units: int) -> None:
        done[key] = units
        session.progress.preparing(title, sum(done.values()), total)

    if missing:
        folder.mkdir(exist_ok=True)
        config = session.experiment.config.to_yaml()
        executor = EXECUTORS[session.executor](min(session.workers, len(missing)))
        jobs = [
            Job(digest, Payload(config, session.workspace.folder, probe))
            for digest, probe in missing.items()
        ]
        session.progress.preparing(title, 0, total)
        with closing(executor.run(measure_one, jobs, on_report)) as outcomes:
            for outcome in outcomes:
                probe = missing[outcome.key]
                if outcome.value is None:
                    errors.append(f"{title}: {outcome.error}")
                    if outcome.detail:
                        session.workspace.keep_error(outcome.key, f"{title}\n{outcome.detail}")
                    continue
                known[outcome.key] = outcome.value
                _write(_file(folder, probe), probe, outcome.value)
                on_report(outcome.key, probe.units)
        session.progress.end()
    if errors:
        raise ShortfallError("; ".join(dict.fromkeys(errors)))
    trained = sum(probe.trains for probe in missing.values())
    return tuple(found for p in probes if (found := known[p.digest]) is not None), trained


@dataclass(frozen=True)
class Payload:
    """What a worker gets: it prepares the experiment itself, once."""

    config: str
    workspace: Path
    probe: Probe


def measure_one(payload: Payload, report: Callable[[Any], None]) -> Probed:
    """Measure one probe; runs in a worker.

    Raises
    ------
    WorkspaceError
        If the data is no longer what the probe was planned for.
    """
    torch.set_num_threads(1)
    probe = payload.probe
    experiment = experiment_as_planned(payload.config, probe.trials)
    store = Workspace(payload.workspace).trials
    started = time.perf_counter()
    result = probe.work(probe, experiment, store, report)
    return Probed(result, time.perf_counter() - started)


def _file(folder: Path, probe: Probe) -> Path:
    return folder / f"{probe.name}-{probe.digest}.json"


def _read(file: Path) -> Probed | None:
    """A kept result; None where there is none, or a damaged one."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        return Probed(dict(data["result"]), float(data["seconds"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(file: Path, probe: Probe, probed: Probed) -> None:
    write_json_atomically(
        file,
        {
            "probe": probe.name,
            "settings": dict(probe.settings),
            "trials": [trial.digest for trial in probe.trials],
            "result": dict(probed.result),
            "seconds": probed.seconds,
        },
    )
