"""What comparisons measure besides trials, and the workers that measure it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from small_field import TREE, tone_session, tone_table

from synergy.comparisons.tag import measure_affinities
from synergy.errors import WorkspaceError
from synergy.running.jobs import Payload, Supply, TrialJob, run_one
from synergy.running.probes import Probe
from synergy.running.session import Session
from synergy.stages.compare import compare
from synergy.workspace import PairTable


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A session with one seed, in which nothing is trained."""
    return tone_session(tmp_path, seeds=1)


def test_a_probe_that_trains_counts_as_a_training(session: Session) -> None:
    found = PairTable(tone_table(session), session.workspace.table_files("plain").table, "plain")
    compare(session, found, ["tag"])
    assert compare(session, found, ["tag"])[1] == 0
    shutil.rmtree(session.workspace.folder / "probes")
    assert compare(session, found, ["tag"])[1] == 1


def test_a_worker_refuses_a_corpus_that_changed(session: Session) -> None:
    experiment = session.experiment
    supply = Supply(experiment.config.to_yaml(), "another state of the corpora")
    trial = replace(experiment.trial(TREE, 0), bank="another state of the corpora")
    probe = Probe("tag", (trial,), {"every": 2}, measure_affinities, 1)
    said: list[object] = []
    for job in (TrialJob(trial), probe):
        with pytest.raises(WorkspaceError, match="a corpus changed while the command ran"):
            run_one(supply, Payload(job), said.append)
    assert said == []
