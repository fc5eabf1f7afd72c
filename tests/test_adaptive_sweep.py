"""The adaptive sweep on a tiny corpus: its budget, its table, going on, failures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from small_cli import Ran, content, synergy
from small_corpora import write_tone_project
from small_files import values

from synergy.errors import TrainingError
from synergy.losses.adaptive import Step, Training
from synergy.running import jobs
from synergy.stages import adaptive_sweep
from synergy.synthesis import ARTable

SERIAL = ("--executor", "serial")
# Four tasks alone and cells of three pairs at two depths would be 9.
SWEEP = ("--sweep", "adaptive", "--budget", 12, "--max-ar", 3, "--json")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A workspace after an adaptive sweep, and what it said."""
    folder = tmp_path_factory.mktemp("adaptive")
    config = write_tone_project(folder)
    workspace = folder / "ws"
    ran = synergy("pairwise", "--config", config, "--workspace", workspace, *SWEEP, *SERIAL)
    assert ran.code == 0, ran.err
    return workspace, ran


@pytest.fixture
def workspace(swept: tuple[Path, Ran], tmp_path: Path) -> Path:
    return Path(shutil.copytree(swept[0], tmp_path / "ws"))


def trainings(workspace: Path) -> list[tuple[int, int]]:
    """Number of tasks and seed of everything that was trained."""
    trials = [values(file) for file in workspace.glob("trials/*/trial.json")]
    return sorted((len(trial["tasks"]), trial["seed"]) for trial in trials)


def test_the_budget_holds_for_single_task_models_and_pairs(swept: tuple[Path, Ran]) -> None:
    workspace, ran = swept
    counted = [each for each in trainings(workspace) if each[0] < 3]
    assert len(counted) <= 12
    assert ran.json["trained"] == len(trainings(workspace))
    assert any("trainings; {" in line for line in ran.err.splitlines())
    assert "keeps 3 % with a probability of" in ran.json["notes"][-1]


def test_its_table_has_what_was_trained_and_tells_what_was_not(swept: tuple[Path, Ran]) -> None:
    workspace, _ = swept
    table = ARTable.from_csv(workspace / "ar_table.csv")
    pairs = [each for each in trainings(workspace) if each[0] == 2]
    assert sum(cell.seeds for cell in table.cells) == len(pairs)
    for cell in table.cells:
        assert cell.status in ("measured", "skipped")
        assert (cell.ar_low is None) == (cell.status == "skipped")
    header, *rows = (workspace / "ar_scores.csv").read_text().splitlines()
    assert header == "task_a,task_b,shared_depth,task,seed,valid,test,trial"
    alone = [row for row in rows if row.split(",")[1] == ""]
    assert len(rows) - len(alone) == 2 * len(pairs)
    assert len(alone) == len([each for each in trainings(workspace) if each[0] == 1])


def test_the_same_command_trains_nothing_more_and_writes_the_same(workspace: Path) -> None:
    before = content(workspace)
    ran = synergy("pairwise", "--workspace", workspace, *SWEEP, *SERIAL)
    assert ran.json["trained"] == 0
    assert content(workspace) == before


def test_a_sweep_that_was_stopped_ends_in_the_same_table(workspace: Path) -> None:
    """What was trained last goes, as if the command had been killed before."""
    before = content(workspace)
    results = sorted(workspace.glob("trials/*/result.json"), key=lambda file: file.stat().st_mtime)
    pairs = [r.parent for r in results if len(values(r.parent / "trial.json")["tasks"]) == 2]
    for folder in pairs[-3:]:
        shutil.rmtree(folder)
    ran = synergy("pairwise", "--workspace", workspace, *SWEEP, *SERIAL)
    assert ran.json["trained"] == 3
    after = content(workspace)
    tables = [name for name in before if name.startswith("ar_")]
    assert len(tables) == 4
    assert all(after[name] == before[name] for name in tables)


def test_the_tree_is_the_one_that_is_probable_enough(workspace: Path) -> None:
    ran = synergy("search", "--workspace", workspace, "--confidence", 0.9, "--max-ar", 3, "--json")
    assert ran.code in (0, 1), ran.err
    sure = ran.json["certainty"]["keeps"]
    assert sure >= 0.9 or ran.json["encoder_params"] == 3 * 968
    strictest = synergy("search", "--workspace", workspace, "--confidence", 0.999, "--json")
    assert strictest.json["encoder_params"] >= ran.json["encoder_params"]
    table = tmp_copy(workspace)
    alone = synergy("search", "--table", table, "--confidence", 0.9)
    assert alone.code == 2
    assert "expected the samples that `synergy pairwise` writes beside a table" in alone.err


def tmp_copy(workspace: Path) -> Path:
    """The table alone, in another folder."""
    file = workspace.parent / "alone" / "table.csv"
    file.parent.mkdir()
    return Path(shutil.copy(workspace / "ar_table.csv", file))


def test_a_pair_that_cannot_be_trained_is_a_failed_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = jobs.run_trial

    def fails(trial, *rest):
        if trial.tree.tasks == ("gc", "vad"):
            raise TrainingError("the loss became nan at step 3 of 8")
        return real(trial, *rest)

    monkeypatch.setattr(jobs, "run_trial", fails)
    config = write_tone_project(tmp_path)
    ran = synergy("pairwise", "--config", config, "--workspace", tmp_path / "ws", *SWEEP, *SERIAL)
    assert ran.code == 0, ran.err
    status = {(c["task_a"], c["task_b"]): c["status"] for c in ran.json["table"]}
    assert status["gc", "vad"] == "failed"
    found = synergy("search", "--workspace", tmp_path / "ws", "--confidence", 0.6, "--json")
    tree = json.dumps(found.json["tree"])
    assert found.json["notation"] in ("{{gc,scr}@8,vad}@0", "{gc,{scr,vad}@8}@0") or "gc" in tree


def test_a_further_seed_that_cannot_be_trained_ends_the_sweep_with_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = jobs.run_trial

    def fails(trial, *rest):
        if trial.seed:
            raise TrainingError("the loss became nan at step 3 of 8")
        return real(trial, *rest)

    monkeypatch.setattr(jobs, "run_trial", fails)
    config = write_tone_project(tmp_path)
    strict = ("--sweep", "adaptive", "--budget", 20, "--max-ar", 0.5, "--json")
    ran = synergy("pairwise", "--config", config, "--workspace", tmp_path / "ws", *strict, *SERIAL)
    assert ran.code == 0, ran.err
    said = " ".join(ran.json["notes"])
    assert "; it ends because a training failed (" in said
    assert "became nan at step 3 of 8)" in said
    assert (tmp_path / "ws" / "ar_table.csv").exists()


def test_the_tree_of_the_sweep_is_the_one_that_is_found_afterwards(workspace: Path) -> None:
    ran = synergy("pairwise", "--workspace", workspace, *SWEEP, *SERIAL)
    found = synergy(
        "search", "--workspace", workspace, "--confidence", 0.9, "--max-ar", 3, "--json"
    )
    (said,) = [note for note in ran.json["notes"] if note.startswith("adaptive sweep: ")]
    percent = f"{100 * found.json['certainty']['keeps']:.0f} %"
    assert said.startswith(
        f"adaptive sweep: {found.json['notation']} keeps 3 % with a probability of {percent}"
    )


def test_what_tells_nothing_new_is_not_asked_for_for_ever(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where an earlier seed failed: the next one by number is there already."""
    again = Step((Training(("gc",), 0, 0),), "undecided")
    monkeypatch.setattr(adaptive_sweep, "next_trainings", lambda *_: again)
    ran = synergy("pairwise", "--workspace", workspace, *SWEEP, *SERIAL)
    assert ran.code == 0, ran.err
    assert "an earlier seed is missing; the same command tries it again" in ran.json["notes"][-1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--budget", 8), "--budget: expected at least 9, 6 trainings of single-task models and"),
        (("--budget", 11, "--seeds", 3), "--budget: expected at least 12, 9 trainings of single-"),
    ],
)
def test_a_budget_that_does_not_suffice_to_begin_is_refused(
    workspace: Path, options: tuple[object, ...], said: str
) -> None:
    sweep = ("--sweep", "adaptive", "--max-ar", 3)
    ran = synergy("pairwise", "--workspace", workspace, *sweep, *options, *SERIAL)
    assert ran.code == 2
    assert said in ran.err


def test_of_one_depth_and_several_seeds_every_pair_is_trained(workspace: Path) -> None:
    sweep = ("--sweep", "adaptive", "--max-ar", 10, "--seeds", 3, "--depths", 8, "--json")
    ran = synergy("pairwise", "--workspace", workspace, *sweep, *SERIAL)
    assert {cell["status"] for cell in ran.json["table"]} == {"measured"}


def test_where_nothing_can_be_shared_that_is_told(workspace: Path) -> None:
    ran = synergy("search", "--workspace", workspace, "--confidence", 0.99, "--max-ar", 0)
    assert ran.code == 1
    assert "no tree that shares anything keeps 0 % with a probability of 99 %" in ran.err
