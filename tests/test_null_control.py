"""The null control: trained jointly, nothing shared, the floor of every AR."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_cli import synergy
from small_corpora import write_tone_project
from small_field import tone_session

from synergy.measuring.bench import Bench
from synergy.measuring.null_control import null_control
from synergy.null_file import NullFile
from synergy.rows import Row, TaskLoss
from synergy.running.session import Session

SERIAL = ("--executor", "serial")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return tone_session(Path(tmp_path_factory.mktemp("null")), seeds=2)


def test_it_shares_nothing_and_is_kept(session: Session) -> None:
    experiment = session.experiment
    found = null_control(Bench(session, experiment.tasks), "plain")
    assert found is not None
    (digest, _) = found.row.digests
    tree = session.workspace.trials.trial(digest).sharing_tree
    pairs = [(a, b) for a in tree.tasks for b in tree.tasks if a < b]
    assert {tree.shared_depth(*pair) for pair in pairs} == {0}
    assert found.row.params == experiment.costs.independent_params(tree.tasks)
    assert NullFile.read(session.workspace.null("plain")) == found
    assert found.row.ar_pct.keys() == {"valid"}
    worst = max(loss.loss_pct for loss in found.losses.values())
    assert found.row.ar_pct["valid"] == pytest.approx(max(0.0, worst))
    assert all(loss.low <= loss.high for loss in found.losses.values())
    high = max(loss.high for loss in found.losses.values())
    assert found.row.ar_high["valid"] >= high - 1e-9 or high < 0


def test_that_of_a_distilled_table_learns_from_the_single_task_models(session: Session) -> None:
    found = null_control(Bench(session, session.experiment.tasks), "distilled")
    assert found is not None and found.row.distilled
    assert session.workspace.null("distilled").name == "null_distilled.json"
    trials = session.workspace.trials
    assert all(trials.trial(digest).distillation for digest in found.row.digests)


def told(ar: float, loss: TaskLoss) -> NullFile:
    bounds = {"ar_pct": {"valid": ar}, "ar_low": {"valid": 0.0}, "ar_high": {"valid": 4.5}}
    row = Row(name="null control", scores={"valid": {"gc": (0.5, 0.6)}}, **bounds)
    return NullFile(tasks=("gc",), row=row, losses={"gc": loss})


def test_a_threshold_below_it_and_a_loss_that_is_none_are_told() -> None:
    even = TaskLoss(loss_pct=0.4, low=-1.0, high=2.0)
    floor = (
        "null control (all tasks trained together, nothing shared, 2 seeds): AR 0.4 % [0.0, 4.5]; "
        "no lower AR of the table means anything"
    )
    assert told(0.4, even).notes(2.0) == (floor,)
    _, low = told(2.5, even).notes(2.0)
    assert low.startswith("the threshold of 2 % lies below the AR of the null control")
    _, odd = told(0.0, TaskLoss(loss_pct=-1.5, low=-2.0, high=-0.5)).notes(None)
    assert odd == "the null control gains 1.5 % of gc [-2.0, -0.5], though it shares nothing"


def test_the_table_carries_it(tmp_path: Path) -> None:
    config = write_tone_project(tmp_path)
    options = ("--config", config, "--workspace", tmp_path / "ws", "--depths", 8, *SERIAL)
    ran = synergy("pairwise", "--json", *options)
    assert ran.code == 0, ran.err
    null = ran.json["null"]
    assert set(null) == {"ar_pct", "ar_low", "ar_high", "losses"}
    assert null["losses"].keys() == {"gc", "scr", "vad"}
    assert 0 <= null["ar_low"] <= null["ar_high"]
    text = synergy("pairwise", *options)
    assert "note: null control (all tasks trained together, nothing shared, 1 seed): AR" in text.out
