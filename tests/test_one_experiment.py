"""A workspace belongs to one experiment: what another one meets there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from small_cli import content, synergy
from small_corpora import write_tone_project
from small_files import age, edit, forget_seals, values

from synergy.synthesis import ARTable
from synergy.trials.trial_store import TrialStore

SERIAL = ("--executor", "serial")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of a few steps beside its corpus."""
    return write_tone_project(tmp_path_factory.mktemp("tones"))


@pytest.fixture(scope="module")
def trained(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace after `synergy run`."""
    workspace = tmp_path_factory.mktemp("workspace") / "ws"
    ran = synergy("run", "--config", config, "--workspace", workspace, *SERIAL)
    assert ran.code == 0, ran.err
    return workspace


@pytest.fixture
def workspace(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained workspace."""
    return Path(shutil.copytree(trained, tmp_path / "ws"))


@pytest.fixture
def other(config: Path) -> Path:
    """The configuration with another budget."""
    file = config.with_name("other.yaml")
    file.write_text(config.read_text().replace("epochs: 2", "epochs: 1"))
    return file


def test_results_of_another_experiment_are_put_aside_on_request(workspace, other):
    arguments = ("baseline", "--config", other, "--workspace", workspace, *SERIAL)
    before = content(workspace)
    refused = synergy(*arguments)
    assert refused.code == 2
    assert "holds the results of another experiment" in refused.err
    assert "training.epochs was 2 and is now 1" in refused.err
    assert "--workspace" in refused.err
    assert "--replace" in refused.err
    found = synergy("search", "--config", other, "--workspace", workspace)
    assert found.code == 2
    assert f"or search its table with --table {workspace / 'ar_table.csv'}" in found.err
    assert content(workspace) == before
    ran = synergy(*arguments, "--replace")
    assert ran.code == 0, ran.err
    assert (workspace / "replaced-1" / "ar_table.csv").is_file()
    assert not (workspace / "ar_table.csv").exists()
    trials = {path: text for path, text in before.items() if path.startswith("trials/")}
    assert trials
    assert trials.items() <= content(workspace).items()
    assert synergy(*arguments).code == 0


@pytest.mark.parametrize("command", ["synthesize", "compare"])
def test_a_table_that_was_put_aside_is_not_used(workspace, other, command):
    ran = synergy(command, "--config", other, "--workspace", workspace, "--replace", *SERIAL)
    assert ran.code == 2
    assert f"expected an AR table in {workspace / 'ar_table.csv'}, found none" in ran.err
    assert (workspace / "replaced-1" / "tree.json").is_file()
    assert not (workspace / "tree.json").exists()


def test_a_damaged_configuration_can_be_replaced(workspace, config):
    (workspace / "config.yaml").write_text("tasks: [")
    arguments = ("baseline", "--config", config, "--workspace", workspace, *SERIAL)
    refused = synergy(*arguments)
    assert refused.code == 2
    assert "its configuration cannot be read" in refused.err
    assert "with --replace" in refused.err
    assert synergy(*arguments, "--replace").code == 0
    assert (workspace / "replaced-1" / "config.yaml").read_text() == "tasks: ["


def test_recordings_that_moved_are_no_other_experiment(workspace, config, tmp_path):
    moved = Path(shutil.copytree(config.parent, tmp_path / "moved"))
    kept = workspace / "config.yaml"
    forget_seals(workspace)
    kept.write_text(kept.read_text().replace(str(config.parent), str(tmp_path / "gone")))
    where = ("--config", moved / config.name, "--workspace", workspace, "--json")
    ran = synergy("run", *where, *SERIAL)
    assert ran.code == 0, ran.err
    assert ran.json["pairwise"]["trained"] == ran.json["synthesize"]["trained"] == 0


def test_trials_of_other_experiments_say_nothing_of_sizes(workspace):
    arguments = ("search", "--workspace", workspace, "--json")
    before = synergy(*arguments).json["params"]
    source = min((workspace / "trials").glob("*/trial.json")).parent
    foreign = Path(shutil.copytree(source, source.with_name("f" * len(source.name))))
    task, *rest = values(foreign / "trial.json")["tasks"]
    many = [f"class {number}" for number in range(99)]
    edit(foreign / "trial.json", {"tasks": [{**task, "classes": many}, *rest]})
    assert foreign.name in TrialStore(workspace / "trials").done()
    assert synergy(*arguments).json["params"] == before


def test_a_table_named_by_its_file_keeps_what_belongs_to_it(workspace, tmp_path):
    table = workspace / "ar_table.csv"
    own = synergy("search", "--workspace", workspace, "--json").json
    named = synergy("search", "--table", table, "--max-ar", 60, "--json").json
    assert own["certainty"] == named["certainty"] is not None
    assert named["table_kind"] is None
    ran = synergy(
        "synthesize", "--workspace", workspace, "--table", table, "--rounds", 0, "--json", *SERIAL
    )
    assert ran.json["table_kind"] == "plain"
    assert ran.json["certainty"] == own["certainty"]
    alone = shutil.copy(table, tmp_path / "table.csv")
    assert ARTable.from_csv(Path(alone)) == ARTable.from_csv(table)
    assert "certainty" not in synergy("search", "--table", alone, "--json").json


@pytest.mark.parametrize("command", ["show", "search", "report"])
def test_a_damaged_training_is_left_out_and_named(workspace, command):
    trial = min(path for path in (workspace / "trials").iterdir() if path.is_dir())
    (trial / "weights.safetensors").write_bytes(b"damaged")
    ran = synergy(command, "--workspace", workspace)
    assert ran.code == 0
    told = f"note: {trial / 'weights.safetensors'} is damaged (its content is not what was written)"
    assert ran.err.count(told) == 1


def test_a_damaged_configuration_is_not_reported(workspace):
    kept = workspace / "config.yaml"
    kept.write_text(kept.read_text().replace("epochs: 2", "epochs: 3"))
    ran = synergy("report", "--workspace", workspace)
    assert ran.code == 2
    assert f"{kept} is damaged (its content is not what was written)" in ran.err
    assert not (workspace / "report.html").exists()


def test_a_report_of_a_table_of_before_says_how_to_get_curves(workspace):
    table = workspace / "ar_table.csv"
    whole = table.read_text()
    assert whole.splitlines()[0].endswith(",trials")
    table.write_text("".join(f"{line.rpartition(',')[0]}\n" for line in whole.splitlines()))
    forget_seals(workspace)  # a table of before has none
    ran = synergy("report", "--workspace", workspace)
    assert "note: not in the report: curves of the pairs (synergy pairwise" in ran.err
    assert synergy("pairwise", "--workspace", workspace, *SERIAL).code == 0
    assert table.read_text() == whole
    assert "curves" not in synergy("report", "--workspace", workspace).err


def test_a_workspace_of_before_there_were_checksums_goes_on(workspace, config):
    show = ("show", "--workspace", workspace)
    shown, page = synergy(*show).out, report_of(workspace)
    age(workspace)
    assert synergy(*show).out == shown
    assert report_of(workspace) == page
    verified = synergy("verify", "--workspace", workspace, "--json")
    assert verified.code == 0
    # all but the weights of the model, whose digest its specification always had
    assert len(verified.json["unsealed"]) == sum(verified.json["files"].values()) - 1
    arguments = ("--config", config, "--workspace", workspace, "--json", *SERIAL)
    ran = synergy("run", *arguments)
    assert ran.code == 0, ran.err
    assert ran.json["pairwise"]["trained"] == ran.json["synthesize"]["trained"] == 0
    assert report_of(workspace) == page
    # what was written anew has checksums, the trainings stay as they are
    unsealed = synergy("verify", "--workspace", workspace, "--json").json["unsealed"]
    assert {Path(file).parts[0] for file in unsealed} == {"trials"}


def report_of(workspace: Path) -> str:
    """The report without the moment at which it was written."""
    assert synergy("report", "--workspace", workspace).code == 0
    return (workspace / "report.html").read_text()


def test_a_model_folder_of_something_else_is_told_before_the_first_training(workspace, config):
    (workspace / "model").mkdir(exist_ok=True)
    (workspace / "model" / "thesis.tex").write_text("mine")
    shutil.rmtree(workspace / "trials")
    (workspace / "trials").mkdir()
    ran = synergy("run", "--config", config, "--workspace", workspace, *SERIAL)
    assert ran.code == 2
    assert "found thesis.tex; it is left as it is" in ran.err
    assert list((workspace / "trials").iterdir()) == []


def test_a_workspace_of_before_there_was_a_rule_had_the_best_weights(workspace):
    """Its tables are not mixed with trainings by another rule."""
    config = workspace / "config.yaml"
    config.write_text(re.sub(r"\n +weights: last", "", config.read_text()))
    forget_seals(workspace)
    ran = synergy("synthesize", "--workspace", workspace, *SERIAL)
    assert ran.code == 2
    assert "training.weights was best and is now last" in ran.err
