"""How long trainings are: as configured, by the number of clips, or for a first look."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_bank import small_bank, small_data
from small_cli import Ran, synergy
from small_corpora import write_tone_project

from synergy.config import load_config
from synergy.encoders import Cnn8
from synergy.experiment import Experiment
from synergy.tasks import TaskSpec
from synergy.training.config import TrainingConfig
from synergy.training.schedule import FEWEST_STEPS, QUICK_EPOCHS, QUICK_STEPS, scheduled
from synergy.tree import SharingTree
from synergy.trials.trial import Trial
from synergy.wording import NOT_FINAL


@pytest.mark.parametrize(
    ("schedule", "clips", "epochs", "steps"),
    [
        ("fixed", 48, 40, 100),
        ("fixed", 1_000_000, 40, 100),
        ("auto", 48, 40, 5),  # FEWEST_STEPS in all
        ("auto", 800, 40, 25),
        ("auto", 801, 40, 26),
        ("auto", 3_200, 40, 100),
        ("auto", 1_000_000, 40, 100),
        ("quick", 48, QUICK_EPOCHS, QUICK_STEPS),
        ("quick", 1_000_000, QUICK_EPOCHS, QUICK_STEPS),
    ],
)
def test_a_schedule_makes_epochs_and_steps_of_the_number_of_clips(schedule, clips, epochs, steps):
    found = scheduled(TrainingConfig(), schedule, clips)
    assert (found.epochs, found.steps_per_epoch) == (epochs, steps)
    assert found.steps >= FEWEST_STEPS or schedule == "quick"


@pytest.mark.parametrize("schedule", ["fixed", "auto", "quick"])
@pytest.mark.parametrize("clips", [1, 10_000])
def test_no_schedule_trains_longer_than_configured_or_changes_anything_else(schedule, clips):
    given = TrainingConfig(epochs=2, steps_per_epoch=3, learning_rate=0.01)
    assert scheduled(given, schedule, clips) == given


def digest_of(training: TrainingConfig) -> str:
    """The digest of a trial with these settings."""
    spec = TaskSpec("low", "clip_classification", ("no", "yes"))
    tree = SharingTree.single("low", 8)
    return Trial(tree, (spec,), {"low": "clips"}, "bank", Cnn8(), training, 0).digest


@pytest.mark.parametrize(
    ("training", "digest"),
    [
        (TrainingConfig(), "1ed9d10d10df63118f13"),
        (load_config(None).training, "2bd3f1a681df2f973be7"),
    ],
)
def test_digests_of_a_fixed_budget_are_those_of_before_there_were_schedules(training, digest):
    bank = small_bank()
    config = load_config(None).with_options(training=training.model_dump())
    data = dict(zip(config.tasks, small_data(bank).values(), strict=False))
    config = config.model_copy(update={"tasks": {task: config.tasks[task] for task in data}})
    assert config.schedule == "fixed"
    assert digest_of(Experiment(config, {}, bank, (data,), ()).training) == digest


# -- commands ---------------------------------------------------------------------------------

LONGER = ("--set", "training.epochs=5", "--set", "training.steps_per_epoch=2")


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Ran]:
    """A configuration, a workspace after ``run --quick``, and what that said."""
    folder = tmp_path_factory.mktemp("looked")
    config, workspace = write_tone_project(folder), folder / "ws"
    own = (*LONGER, "--set", "depths=[8]", "--rounds", 0)
    ran = ask("run", workspace, "--config", config, *own, "--quick")
    return config, workspace, ran


def ask(command: str, workspace: Path, *options: object) -> Ran:
    """Run a command, without other processes."""
    mine = ("--executor", "serial") if command not in ("plan", "show", "report") else ()
    return synergy(command, "--workspace", workspace, *mine, *options)


def test_a_first_look_is_said_to_be_one_wherever_its_figures_stand(looked):
    _, workspace, ran = looked
    assert ran.code == 0, ran.err
    assert f"note: {NOT_FINAL}" in ran.err
    assert NOT_FINAL in ran.out
    assert NOT_FINAL in json.loads((workspace / "summary.json").read_text())["notes"]
    assert NOT_FINAL in json.loads((workspace / "model" / "spec.json").read_text())["notes"]
    assert NOT_FINAL in ask("show", workspace).out
    assert ask("show", workspace, "--json").json["schedule"] == "quick"
    report = ask("report", workspace, "--json").json
    assert report["caveat"] == NOT_FINAL
    assert "no figure here is final" in (workspace / "report.html").read_text(encoding="utf-8")


def test_trainings_of_a_first_look_are_written_as_they_were(looked):
    _, workspace, _ = looked
    trials = [json.loads(file.read_text()) for file in workspace.glob("trials/*/trial.json")]
    assert trials
    assert {each["training"]["epochs"] for each in trials} == {QUICK_EPOCHS}
    config = load_config(workspace / "config.yaml")
    assert (config.schedule, config.training.epochs) == ("quick", 5)


def test_a_first_look_goes_on_without_being_asked_for_again(looked):
    _, workspace, _ = looked
    again = ask("pairwise", workspace)
    assert again.code == 0
    assert "nothing to train" in again.err
    assert NOT_FINAL in again.err


def test_a_tree_in_full_needs_pairs_in_full(looked):
    _, workspace, _ = looked
    before = (workspace / "ar_table.csv").read_bytes()
    ran = ask("synthesize", workspace, "--set", "schedule=fixed")
    assert ran.code == 2
    assert "another experiment: schedule was quick and is now fixed" in ran.err
    assert (workspace / "ar_table.csv").read_bytes() == before


def test_a_command_in_full_puts_a_first_look_aside_and_never_the_other_way_round(tmp_path: Path):
    config, workspace = write_tone_project(tmp_path), tmp_path / "ws"
    base = ("--config", config, *LONGER, "--set", "depths=[8]")
    assert ask("pairwise", workspace, *base, "--quick").code == 0
    quick = {path.name for path in (workspace / "trials").iterdir()}
    full = ask("pairwise", workspace, *base)
    assert full.code == 0, full.err
    assert f"were put aside, into {workspace / 'replaced-1'}" in full.err
    assert (workspace / "replaced-1" / "ar_table.csv").is_file()
    named = (workspace / "ar_scores.csv").read_text()
    assert not any(digest in named for digest in quick)
    back = ask("pairwise", workspace, *base, "--quick")
    assert back.code == 2
    assert "schedule was fixed and is now quick" in back.err
    assert NOT_FINAL not in ask("show", workspace).out


def test_a_first_look_at_something_else_is_not_put_aside(tmp_path: Path):
    config, workspace = write_tone_project(tmp_path), tmp_path / "ws"
    base = ("--config", config, "--set", "depths=[8]")
    assert ask("pairwise", workspace, *base, *LONGER, "--quick").code == 0
    other = ask("pairwise", workspace, *base)
    assert other.code == 2
    assert "training.epochs was 5 and is now 2" in other.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--quick", "--final-epochs", 3), "expected a first look, or a longer training"),
        (("--quick", "--set", "schedule=auto"), "--set schedule: expected a setting once, found"),
        (("--set", "schedule=slow"), "schedule: Input should be 'fixed', 'auto' or 'quick'"),
    ],
)
def test_wrong_schedules_are_one_sentence(tmp_path: Path, options, said):
    ran = ask("run", tmp_path / "ws", *options)
    assert ran.code == 2
    assert said in ran.err


def test_plan_tells_the_length_and_trials_hold_it(tmp_path: Path):
    config, workspace = write_tone_project(tmp_path), tmp_path / "ws"
    long = ("--set", "training.epochs=40", "--set", "training.steps_per_epoch=100")
    planned = ask("plan", workspace, "--config", config, *long, "--set", "schedule=auto")
    assert "every training has 40 epochs of 5 steps (schedule: auto); " in planned.err
    assert "the largest task has 24 training clips" in planned.err
    short = ("--set", "training.epochs=100", "--set", "training.steps_per_epoch=100")
    ran = ask("baseline", workspace, "--config", config, *short, "--set", "schedule=auto")
    assert ran.code == 0, ran.err
    trials = [json.loads(file.read_text()) for file in workspace.glob("trials/*/trial.json")]
    assert {each["training"]["steps_per_epoch"] for each in trials} == {3}  # 24 clips by 8
    kept = load_config(workspace / "config.yaml")
    assert (kept.schedule, kept.training.steps_per_epoch) == ("auto", 100)
    assert [each["task"] for each in ask("report", workspace, "--json").json["baselines"]]
