"""The commands on a tiny corpus: what they train, print and write."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_cli import Ran, content, synergy
from small_corpora import write_tone_project
from small_tables import PAPER

from synergy.errors import TrainingError
from synergy.records import TreeFile
from synergy.tree import SharingTree

ROOT = Path(__file__).resolve().parents[1]
PAPER_TABLE = PAPER / "table3_pairwise_ar.csv"
SERIAL = ("--executor", "serial")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of a few steps beside its corpus."""
    return write_tone_project(tmp_path_factory.mktemp("tones"))


def run_of(config: Path, workspace: Path) -> tuple[object, ...]:
    """The command that trains the workspace of these tests; one tree is enough for them."""
    place = ("--config", config, "--workspace", workspace)
    return ("run", *place, "--rounds", 0, "--json", *SERIAL)


@pytest.fixture(scope="module")
def trained(config: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A workspace after `synergy run`, and what that printed."""
    workspace = tmp_path_factory.mktemp("workspace") / "ws"
    ran = synergy(*run_of(config, workspace))
    assert ran.code == 0, ran.err
    return workspace, ran


@pytest.fixture
def workspace(trained: tuple[Path, Ran], tmp_path: Path) -> Path:
    """A copy of the trained workspace."""
    return Path(shutil.copytree(trained[0], tmp_path / "ws"))


# -- the three stages ---------------------------------------------------------------------


def test_run_does_everything(trained):
    workspace, ran = trained
    pairs, found = ran.json["pairwise"], ran.json["synthesize"]
    assert [cell["status"] for cell in pairs["table"]] == ["measured"] * 6
    assert [row["name"] for row in found["rows"]] == ["independent", "flat", "tree"]
    assert set(SharingTree.from_json(found["tree"]).tasks) == {"gc", "scr", "vad"}
    assert found["params"] == found["rows"][-1]["params"]
    assert found["rows"][1]["params"] >= found["params"]
    assert {path.name for path in workspace.iterdir() if not path.name.startswith(".")} == {
        *("config.yaml", "trials", "ar_table.csv", "ar_samples.csv", "ar_scores.csv"),
        "ar_losses.csv",
        *("tree.json", "summary.json", "null.json", "model", "checksums.json"),
    }
    assert json.loads((workspace / "tree.json").read_text())["notation"] == found["notation"]
    assert "note: gc: 24 train, 12 valid, 12 test clips, 2 classes" in ran.err
    assert "single-task models: 3/3 done" in ran.err


def test_the_same_run_again_trains_nothing(trained, config):
    workspace, first = trained
    before = content(workspace)
    ran = synergy(*run_of(config, workspace))
    assert ran.code == 0
    assert "nothing to train: all " in ran.err
    assert ran.json["pairwise"]["trained"] == ran.json["synthesize"]["trained"] == 0
    assert ran.json["pairwise"]["table"] == first.json["pairwise"]["table"]
    assert content(workspace) == before


def test_pairwise_again_trains_nothing_and_says_so(workspace):
    ran = synergy("pairwise", "--workspace", workspace, *SERIAL)
    assert ran.code == 0
    assert ran.err.splitlines()[-1] == "nothing to train: all 10 trials were done"
    assert f"note: no --config: using {workspace / 'config.yaml'}" in ran.err
    assert "AR % on validation, by number of shared blocks" in ran.out
    assert "pair 4 8" in ran.table
    assert sum(line.startswith(("gc, scr", "gc, vad", "scr, vad")) for line in ran.table) == 3


def test_baseline_of_some_tasks(workspace):
    ran = synergy("baseline", "--tasks", "vad, gc", "--workspace", workspace, "--json", *SERIAL)
    assert ran.code == 0
    assert list(ran.json["tasks"]) == ["gc", "vad"]
    assert ran.json["trained"] == 0
    table = synergy("baseline", "--tasks", "vad", "--workspace", workspace, *SERIAL).table
    assert "task validation test params" in table
    assert table[-1].startswith("vad ")


def test_seeds_are_averaged_and_only_new_ones_are_trained(workspace):
    arguments = ("baseline", "--tasks", "gc", "--workspace", workspace, "--seeds", 2, *SERIAL)
    ran = synergy(*arguments)
    assert ran.code == 0
    assert "single-task models: 2 trainings, 1 of them done before" in ran.err
    assert re.search(r"gc +[\d.]+±[\d.]+ ", ran.out)
    assert synergy(*arguments).err.splitlines()[-1] == "nothing to train: all 2 trials were done"


def test_synthesize_writes_tree_summary_and_model(workspace):
    for name in ("tree.json", "summary.json"):
        (workspace / name).unlink()
    shutil.rmtree(workspace / "model")
    ran = synergy(
        *("synthesize", "--workspace", workspace, "--final-epochs", 3, "--rounds", 0), *SERIAL
    )
    assert ran.code == 0, ran.err
    assert "tree, 3 epochs" in ran.out
    assert f"model: {workspace / 'model'}" in ran.out
    summary = json.loads((workspace / "summary.json").read_text())
    assert [row["epochs"] for row in summary["rows"]] == [2, 2, 2, 3]
    spec = json.loads((workspace / "model" / "spec.json").read_text())
    assert spec["training"]["epochs"] == 3
    assert spec["weights"]["trial"] == summary["rows"][-1]["digests"][0]


def test_a_tree_over_the_threshold_is_exit_code_1_with_everything_written(workspace, monkeypatch):
    from synergy.measuring.bench import Bench

    real = Bench.measure

    def measure(self, title, planned, test=True):
        missed = {"ar_pct": {"valid": 70.5, "test": 70.5}}
        rows = real(self, title, planned, test)
        return rows if title == "null control" else [row.model_copy(update=missed) for row in rows]

    monkeypatch.setattr(Bench, "measure", measure)
    arguments = ("--workspace", workspace, "--rounds", 0, "--json", *SERIAL)
    for command, code in (("synthesize", 1), ("run", 0)):
        (workspace / "summary.json").unlink()
        ran = synergy(command, *arguments)
        assert ran.code == code
        assert "has an AR of 70.5 % on validation, more than the threshold of 60 %" in ran.err
        assert "everything was kept and written: try --distill, more --rounds" in ran.err
        found = ran.json if command == "synthesize" else ran.json["synthesize"]
        assert found["shortfall"]
        assert (workspace / "summary.json").is_file()
    assert synergy("run", "--max-ar", 6, *arguments).code == 1


def test_a_failed_training_is_a_failed_cell(workspace, monkeypatch):
    from synergy.running import jobs

    real, wanted = jobs.run_trial, "{gc,vad}@8"
    for result in (workspace / "trials").glob("*/result.json"):
        if json.loads(result.read_text())["notation"] == wanted:
            shutil.rmtree(result.parent)

    def fails(trial, *rest):
        if trial.tree.notation() == wanted:
            raise TrainingError("the loss of gc became nan at step 3 of 8")
        return real(trial, *rest)

    monkeypatch.setattr(jobs, "run_trial", fails)
    ran = synergy("pairwise", "--workspace", workspace, *SERIAL)
    assert ran.code == 0
    assert re.search(r"gc, vad +[\d.]+ \[\d+, \d+\] +failed", ran.out)
    assert "failed: gc-vad at depth 8: the loss of gc became nan at step 3 of 8" in ran.out
    assert "nothing to train" not in ran.err
    (kept,) = (workspace / "errors").glob("*.txt")
    assert "Traceback" in kept.read_text(encoding="utf-8")
    monkeypatch.undo()
    again = synergy("pairwise", "--workspace", workspace, "--json", *SERIAL)
    assert again.json["trained"] == 1
    assert {cell["status"] for cell in again.json["table"]} == {"measured"}


def test_the_process_executor_gives_the_same_table(trained, config, tmp_path):
    _, first = trained
    arguments = ("--config", config, "--workspace", tmp_path / "ws", "--tasks", "gc,scr")
    ran = synergy("pairwise", *arguments, "--depths", 8, "--workers", 2, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["trained"] == 4
    (cell,) = ran.json["table"]
    # intervals learn from the other pairs of the first table
    alone = [{**c, "ar_low": 0, "ar_high": 0} for c in (cell, *first.json["pairwise"]["table"])]
    assert alone[0] in alone[1:]


# -- a tree from a table alone ------------------------------------------------------------


def test_a_tree_from_a_table_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = synergy("search", "--table", PAPER_TABLE, "--max-ar", "2.0", "--json")
    assert ran.code == 0
    assert ran.json["notation"] == "{{gc,ac}@8,{scr,vad}@8}@6"
    assert ran.json["encoder_params"] == pytest.approx(33_231, rel=0.01)
    assert ran.json["recursive_params"] == ran.json["exact_params"] == ran.json["encoder_params"]
    assert (ran.json["predicted_ar_pct"], ran.json["max_ar"]) == (2.7, 2.0)
    assert "params" not in ran.json
    assert list(tmp_path.iterdir()) == []


def test_a_tree_from_a_table_for_people(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = synergy("search", "--table", PAPER_TABLE, "--solver", "exact")
    assert ran.code == 0
    assert "gc, ac 8" in ran.table
    assert "├─ [blocks 7-8]" in ran.out
    assert "tree: {{gc,ac}@8,{scr,vad}@8}@6" in ran.out
    assert "solver recursive: 33,2" in ran.out
    assert "note: ac and scr share 6 blocks" in ran.out
    assert "AR table:" not in ran.out


def test_sizes_of_the_encoder_alone_are_named_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = synergy("search", "--table", PAPER_TABLE, "--frontier", "--json")
    assert ran.code == 0
    assert ran.json["decoders_counted"] is False
    for row in ran.json["frontier"]:
        assert row["encoder_params"] > 0 and row["encoder_macs"] > 0
        assert row.get("params") is None and row.get("macs") is None
    shown = synergy("search", "--table", PAPER_TABLE, "--frontier")
    assert "number tree max AR % encoder params encoder MACs/s predicted AR %" in shown.table
    assert "note: sizes are of the encoder" in shown.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("old", "new"), [(("--no-train",), ()), (("--frontier",), ("--frontier",))]
)
@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_old_spellings_say_what_they_are_now(old, new, as_json):
    arguments = ("--table", PAPER_TABLE, *as_json)
    before = synergy("synthesize", *arguments, *old)
    now = synergy("search", *arguments, *new)
    assert (before.code, before.out) == (now.code, now.out)
    note, rest = before.err.split("\n", 1)
    assert rest == now.err
    assert note == (
        f"note: `synergy synthesize {old[0]}` is `{' '.join(['synergy search', *new])}` now; the "
        "old spelling goes with 1.0"
    )


def test_parameters_are_whole_where_the_classes_are_known(config, trained):
    table = trained[0] / "ar_table.csv"
    known = config.with_name("known.yaml")
    known.write_text(
        config.read_text().replace("{column: word}}", "{column: word}}, classes: [a, b, c]")
    )
    arguments = ("search", "--table", table, "--max-ar", 60, "--json")
    assert "params" not in synergy(*arguments, "--config", config).json
    found = synergy(*arguments, "--config", known).json
    assert found["params"] == trained[1].json["synthesize"]["attempts"][0]["params"]


def test_search_writes_the_tree_only(workspace):
    before = content(workspace)
    ran = synergy("search", "--workspace", workspace, "--max-ar", 0, "--json")
    assert ran.code == 0
    told = ran.json
    assert 0 <= told.pop("certainty")["tree_share"] <= 1
    assert TreeFile.read(workspace / "tree.json").to_json() == told
    after = content(workspace)
    assert {name for name in after if after[name] != before[name]} == {"tree.json"}


def test_all_trees_of_a_workspace_write_nothing(workspace):
    before = content(workspace)
    ran = synergy("search", "--workspace", workspace, "--frontier", "--json")
    assert ran.code == 0
    assert ran.json["frontier"][-1]["max_ar_to"] is None
    assert content(workspace) == before


# -- looking --------------------------------------------------------------------------------


def test_show_needs_no_torch(trained):
    program = (
        "import sys\n"
        "from synergy.cli import main\n"
        f"assert main(['show', '--workspace', {str(trained[0])!r}]) == 0\n"
        "print(*sorted({'torch', 'pandas'} & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.split()) == (0, [])
    for text in ("trainings done: 3 of one task, 6 of a pair", "AR %", "tree: {", "independent"):
        assert text in done.stdout
    assert max(map(len, done.stdout.splitlines()[1:-1])) <= 100


def test_show_as_json(workspace):
    state = synergy("show", "--workspace", workspace, "--json").json
    assert (state["trials"]["single"], state["trials"]["pair"]) == (3, 6)
    assert (state["table"]["cells"], state["table"]["measured"]) == (6, 6)
    assert state["tree_is_trained"]
    assert state["model_is_current"]
    synergy("search", "--workspace", workspace, "--max-ar", 0)
    if (
        synergy("show", "--workspace", workspace, "--json").json["tree"]["tree"]
        != state["tree"]["tree"]
    ):
        assert "(of an earlier tree)" in synergy("show", "--workspace", workspace).out


def test_show_of_a_workspace_that_has_just_begun(tmp_path):
    (tmp_path / "trials").mkdir()
    ran = synergy("show", "--workspace", tmp_path)
    assert ran.code == 0
    assert "no AR table yet: synergy pairwise" in ran.out


def test_plan_before_and_after(trained, config, tmp_path, monkeypatch):
    monkeypatch.setattr("synergy.stages.plan.PROBE_S", 0.05)
    fresh = tmp_path / "ws"
    ran = synergy("plan", "--config", config, "--workspace", fresh, "--seeds", 2, "--json")
    assert ran.code == 0
    assert not fresh.exists()
    assert [(s["name"], s["trainings"], s["done"]) for s in ran.json["stages"]] == [
        *(("baseline", 6, 0), ("pairwise", 14, 0), ("synthesize", 4, 0))
    ]
    assert ran.json["seconds"] > 0
    assert ran.json["clips_per_s"] > 0
    assert ran.json["round_trainings"] == 2
    taught = synergy(
        *("plan", "--config", config, "--workspace", fresh, "--seeds", 2, "--distill", "--json")
    )
    assert [stage["trainings"] for stage in taught.json["stages"]] == [6, 14, 6]
    again = synergy("plan", "--workspace", trained[0])
    assert again.code == 0
    assert "finished trainings" in again.err
    assert [line.split()[-2:] for line in again.table if line.startswith("all")] == [["0", "-"]]


def test_data_check_counts(config):
    ran = synergy("data", "check", "--config", config, "--json")
    assert ran.code == 0
    splits = ran.json["tasks"]["scr"]["splits"]
    assert splits["train"] == {
        "clips": 24,
        "speakers": 12,
        "seconds": 24.0,
        "counts": {"down": 8, "flat": 8, "up": 8},
        "majority": pytest.approx(1 / 3),
    }
    assert ran.json["tasks"]["vad"]["splits"]["test"]["majority"] > 0.5
    shown = synergy("data", "check", "--config", config)
    assert "train 24 12 0.4 33 % down 8, flat 8, up 8" in shown.table


def test_predict(trained, config):
    model, clips = trained[0] / "model", config.parent / "tones"
    ran = synergy("predict", model, clips / "test-00.wav", clips / "test-01.wav", "--json")
    assert ran.code == 0
    assert [answer["file"] for answer in ran.json] == [
        *(str(clips / "test-00.wav"), str(clips / "test-01.wav"))
    ]
    tasks = ran.json[0]["tasks"]
    assert sum(tasks["gc"]["probabilities"].values()) == pytest.approx(1)
    assert isinstance(tasks["vad"]["segments"], list)
    shown = synergy("predict", model, clips / "test-00.wav").out
    assert re.search(r"  gc: (fe)?male [\d.]+ %, (fe)?male [\d.]+ %", shown)


def test_predict_answers_what_it_can(trained, config):
    good = config.parent / "tones" / "test-00.wav"
    ran = synergy("predict", trained[0] / "model", "nothing.wav", good, "--json")
    assert ran.code == 2
    assert [answer["file"] for answer in ran.json] == [str(good)]
    assert ran.err.startswith("error: nothing.wav: ")
