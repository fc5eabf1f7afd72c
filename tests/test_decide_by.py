"""`decide_by`: log-losses decide, scores are reported, and nothing is trained for it."""

from __future__ import annotations

import csv
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from small_cli import Ran, content, paired_tones, synergy
from small_field import tone_session

from synergy.config import load_config
from synergy.measuring.bench import train_singles
from synergy.measuring.pairs import PairTrainer

Decided = tuple[Path, Path, Ran, Ran, dict[str, bytes]]


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Decided:
    """Configuration and workspace, what was said by score and then by log-loss, files before."""
    config, workspace, by_score = paired_tones(Path(tmp_path_factory.mktemp("decided")))
    before = content(workspace)
    config.write_text(config.read_text(encoding="utf-8") + "decide_by: log_loss\n")
    by_log_loss = synergy(
        *("pairwise", "--config", config, "--workspace", workspace, "--seeds", 2, "--json"),
        *("--executor", "serial"),
    )
    assert by_log_loss.code == 0, by_log_loss.err
    return config, workspace, by_score, by_log_loss, before


def rows(text: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(text.decode().splitlines()))


def test_nothing_is_trained_and_no_training_has_another_digest(decided: Decided) -> None:
    _, workspace, _, ran, before = decided
    assert ran.json["trained"] == 0
    after = content(workspace)
    assert after.keys() == before.keys()
    changed = {name for name, data in after.items() if data != before[name]}
    tables = {"ar_table.csv", "ar_samples.csv", "ar_losses.csv"}
    assert changed == tables | {"config.yaml", "checksums.json"}


def test_ar_stays_that_of_the_scores(decided: Decided) -> None:
    _, workspace, _, _, before = decided
    old, new = (rows(each["ar_table.csv"]) for each in (before, content(workspace)))
    assert old != new
    for one, other in zip(old, new, strict=True):
        changed = {name for name, value in one.items() if value != other[name]}
        assert changed <= {"ar_low", "ar_high"}


def test_each_loss_tells_of_what_it_is_taken(decided: Decided) -> None:
    _, workspace, by_score, ran, before = decided
    assert {row["by"] for row in rows(before["ar_losses.csv"])} == {"score"}
    assert not [note for note in by_score.json["notes"] if "log-loss" in note]
    losses = rows(content(workspace)["ar_losses.csv"])
    by = {row["task"]: row["by"] for row in losses}
    assert by["vad"] == "log_loss"
    assert by["gc"] == "score"  # always 50 %: there is nothing to tell
    assert [row["by"] for row in losses] == [loss["by"] for loss in ran.json["losses"]]
    (note,) = [note for note in ran.json["notes"] if "log-loss" in note]
    assert "those of vad are taken of log-losses" in note
    assert "AR itself is of the score" in note


def test_the_workspace_goes_on_by_the_same(decided: Decided) -> None:
    _, workspace, _, _, _ = decided
    assert load_config(workspace / "config.yaml").decide_by == "log_loss"
    before = content(workspace)
    again = synergy("pairwise", "--workspace", workspace, "--executor", "serial")
    assert again.code == 0, again.err
    assert "those of vad are taken of log-losses" in again.out
    assert content(workspace) == before


def test_trees_are_held_against_the_single_task_models_that_are_reported(tmp_path: Path) -> None:
    session = tone_session(tmp_path, decide_by="log_loss")
    tasks, depths = session.experiment.tasks, (4, 8)
    trainer = PairTrainer(session, train_singles(session, tasks), "plain")
    trainer.train([(a, b, depth) for a, b in combinations(tasks, 2) for depth in depths])
    found = trainer.evidence(tasks, depths)
    assert found.smooth
    for task in tasks:
        reported = trainer.singles.mean("valid", task)
        assert np.mean(found.singles[task]) == pytest.approx(reported)
        assert (np.diag(found.speakers[task]) >= 0).all()


def test_with_few_speakers_the_scores_decide(tmp_path: Path) -> None:
    session = tone_session(tmp_path, speakers=4, decide_by="log_loss")
    tasks = session.experiment.tasks
    trainer = PairTrainer(session, train_singles(session, tasks), "plain")
    assert not trainer.evidence(tasks, (4, 8)).smooth


def test_anything_else_is_refused_in_a_sentence(decided: Decided, tmp_path: Path) -> None:
    config, *_ = decided
    spoiled = config.with_name("spoiled.yaml")
    spoiled.write_text(config.read_text().replace("decide_by: log_loss", "decide_by: foo"))
    ran = synergy("pairwise", "--config", spoiled, "--workspace", tmp_path / "ws")
    assert ran.code == 2
    (line,) = ran.err.splitlines()
    assert "decide_by: Input should be 'score' or 'log_loss', found 'foo'" in line
