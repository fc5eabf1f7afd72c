"""The commands that make a result reliable and cheap, on a tiny corpus."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from small_cli import Ran, content, synergy
from small_corpora import write_tone_project
from small_tables import PAPER

from synergy.config import load_config
from synergy.encoders import Cnn8
from synergy.errors import TrainingError
from synergy.network import Costs
from synergy.stages import synthesize as stage
from synergy.stages.search import Wanted, costs_from_settings, nothing_shared, search
from synergy.synthesis import ARTable, synthesize
from synergy.synthesis.cells import Cell
from synergy.tree import SharingTree
from synergy.trials.store import TrialStore

SERIAL = ("--executor", "serial")
PAPER_TABLE = PAPER / "table3_pairwise_ar.csv"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of a few steps beside its corpus."""
    return write_tone_project(tmp_path_factory.mktemp("tones"))


@pytest.fixture(scope="module")
def paired(config: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A workspace after `synergy pairwise` with two seeds."""
    workspace = tmp_path_factory.mktemp("workspace") / "ws"
    ran = synergy(
        *("pairwise", "--config", config, "--workspace", workspace, "--seeds", 2, "--json"), *SERIAL
    )
    assert ran.code == 0, ran.err
    return workspace, ran


@pytest.fixture
def workspace(paired: tuple[Path, Ran], tmp_path: Path) -> Path:
    """A copy of the workspace."""
    return Path(shutil.copytree(paired[0], tmp_path / "ws"))


def test_every_measured_cell_has_an_interval_and_its_seeds(paired):
    workspace, ran = paired
    table = ARTable.from_csv(workspace / "ar_table.csv")
    assert all(cell.seeds == 2 for cell in table.cells)
    for cell in table.cells:
        assert cell.ar_low is not None and cell.ar_high is not None
        assert 0 <= cell.ar_low <= cell.ar_high <= 100
    assert any(cell.ar_low < cell.ar_high for cell in table.cells)  # pyright: ignore[reportOptionalOperand]
    assert [row["ar_low"] for row in ran.json["table"]] == [cell.ar_low for cell in table.cells]
    header = (workspace / "ar_samples.csv").read_text().splitlines()[0].split(",")
    assert header[:4] == ["task_a", "task_b", "shared_depth", "r0"]


def test_intervals_are_the_same_bits_again(workspace):
    before = content(workspace)
    ran = synergy("pairwise", "--workspace", workspace, *SERIAL)
    assert ran.code == 0
    assert "95 % interval" in ran.out
    assert content(workspace) == before


def test_refine_spends_its_trainings_one_seed_at_a_time(workspace):
    # thresholds inside intervals are the ones that leave something to find out
    table = ARTable.from_csv(workspace / "ar_table.csv")
    trials = len(list((workspace / "trials").glob("*/result.json")))
    at = max(cell.ar_pct or 0.0 for cell in table.cells) / 2
    ran = synergy(
        *("pairwise", "--workspace", workspace, "--refine", 2, "--max-ar", at, "--json"), *SERIAL
    )
    assert ran.code == 0, ran.err
    refined = ARTable.from_csv(workspace / "ar_table.csv")
    extra = sum(cell.seeds - 2 for cell in refined.cells)
    stopped = any("no cell is left" in text for text in ran.json["refined"])
    assert len(ran.json["refined"]) >= 1
    assert extra == 2 or (stopped and extra < 2)
    if extra:
        assert len(list((workspace / "trials").glob("*/result.json"))) > trials
        kept = json.loads((workspace / "refinements.json").read_text())["plain"]
        assert sum(row["seeds"] for row in kept) == extra
        # what was refined stays refined
        again = synergy("pairwise", "--workspace", workspace, "--json", *SERIAL)
        assert again.json["trained"] == 0
        assert sum(row["seeds"] - 2 for row in again.json["table"]) == extra


@pytest.mark.parametrize("shape", ["single", "pair"])
def test_a_refinement_that_fails_leaves_the_cell_as_it_was(workspace, monkeypatch, shape):
    from synergy.stages import sweep

    before = ARTable.from_csv(workspace / "ar_table.csv")
    at = max(cell.ar_pct or 0.0 for cell in before.cells) / 2
    real = sweep.run_trial
    failed = []

    def fails(trial, *rest):
        if trial.seed >= 2 and (len(trial.tree.tasks) == 1) == (shape == "single"):
            failed.append(trial.digest)
            raise TrainingError("the loss became nan at step 3 of 8")
        return real(trial, *rest)

    monkeypatch.setattr(sweep, "run_trial", fails)
    arguments = ("pairwise", "--workspace", workspace, "--max-ar", at, "--json", *SERIAL)
    ran = synergy(*arguments, "--refine", 1)
    assert ran.code == 0, ran.err
    assert failed
    assert "a training failed, so the cell keeps its 2 seeds" in ran.json["refined"][0]
    assert ARTable.from_csv(workspace / "ar_table.csv").cells == before.cells
    monkeypatch.undo()
    again = synergy(*arguments)
    assert again.code == 0, again.err
    assert again.json["trained"] == len(set(failed))
    assert sum(row["seeds"] - 2 for row in again.json["table"]) == 1


def test_sweeps_need_no_more_than_full_and_lead_to_the_same_tree(config, tmp_path, paired):
    whole = ARTable.from_csv(paired[0] / "ar_table.csv")
    for name in ("scan", "lazy"):
        workspace = tmp_path / name
        workspace.mkdir()
        shutil.copytree(paired[0] / "trials", workspace / "trials")
        shutil.copy(paired[0] / "config.yaml", workspace)
        for result in (workspace / "trials").glob("*/result.json"):
            if len(json.loads(result.read_text())["scores"]["valid"]) == 2:
                shutil.rmtree(result.parent)
        ran = synergy(
            *("pairwise", "--workspace", workspace, "--sweep", name, "--max-ar", 60, "--json"),
            *SERIAL,
        )
        assert ran.code == 0, ran.err
        table = ARTable.from_csv(workspace / "ar_table.csv")
        measured = [cell for cell in table.cells if cell.status == "measured"]
        assert ran.json["trained"] == 2 * len(measured) <= 2 * len(whole.cells)
        for cell in table.cells:
            if cell.status == "skipped":
                assert cell.ar_pct is None
                assert cell.reason.startswith("not needed")
            else:
                assert cell.ar_pct == whole.cell(*cell.key).ar_pct
        sizes = {
            synergy(
                *("synthesize", "--table", file, "--max-ar", 60, "--no-train"),
                *("--solver", "exact", "--json"),
            ).json["encoder_params"]
            for file in (workspace / "ar_table.csv", paired[0] / "ar_table.csv")
        }
        assert len(sizes) == 1


def test_plan_tells_what_every_sweep_costs(paired):
    ran = synergy("plan", "--workspace", paired[0], "--json")
    sweeps = {row["name"]: row for row in ran.json["sweeps"]}
    assert set(sweeps) == {"full", "scan", "lazy"}
    assert all(row["least"] == row["most"] == 0 for row in sweeps.values())
    fresh = synergy("plan", "--workspace", paired[0], "--depths", "3-7", "--json").json["sweeps"]
    full, scan, lazy = fresh
    assert full["least"] == full["most"] == 2 * (15 - 3)  # depth 4 is there
    assert 0 < scan["least"] < scan["most"] <= full["most"]
    assert 0 < lazy["least"] <= lazy["expected"] <= lazy["most"] <= full["most"]
    text = synergy("plan", "--workspace", paired[0], "--depths", "3-7").table
    assert "sweep expected at least at most time" in text


def test_plan_counts_the_trainings_of_cells_that_are_half_done(workspace):
    ran, cells = synergy("plan", "--workspace", workspace, "--seeds", 3, "--json"), 6
    full, scan, lazy = ran.json["sweeps"]
    assert full["least"] == full["most"] == full["expected"] == cells  # the third seed of each
    assert scan["most"] <= cells and lazy["most"] <= cells
    (pairs,) = [stage for stage in ran.json["stages"] if stage["name"] == "pairwise"]
    assert pairs["trainings"] - pairs["done"] == cells


def test_plan_trains_nothing_for_a_refined_cell_that_lacks_a_model(workspace):
    at = max(c.ar_pct or 0.0 for c in ARTable.from_csv(workspace / "ar_table.csv").cells) / 2
    ran = synergy("pairwise", "--workspace", workspace, "--refine", 1, "--max-ar", at, *SERIAL)
    assert ran.code == 0, ran.err
    store = TrialStore(workspace / "trials")
    (lost, *_) = [
        digest
        for digest in store.done()
        if store.trial(digest)["seed"] == 2 and len(store.trial(digest)["tasks"]) == 1
    ]
    shutil.rmtree(store.path(lost))
    before = content(workspace)
    assert synergy("plan", "--workspace", workspace).code == 0
    assert content(workspace) == before


def test_refining_what_a_sweep_left_trains_no_skipped_cell(workspace):
    table = ARTable.from_csv(workspace / "ar_table.csv")
    at = max(cell.ar_pct or 0.0 for cell in table.cells) / 2
    shallow = min(table.depths)
    cells = [
        Cell.skipped(*cell.key, "not needed: a deeper cell passes")
        if cell.shared_depth == shallow
        else cell
        for cell in table.cells
    ]
    ARTable.from_cells(cells).to_csv(workspace / "ar_table.csv")
    ran = synergy(
        *("pairwise", "--workspace", workspace, "--refine", 1, "--max-ar", at, "--json"), *SERIAL
    )
    assert ran.code == 0, ran.err
    status = {(c["shared_depth"] == shallow, c["status"]) for c in ran.json["table"]}
    assert status == {(True, "skipped"), (False, "measured")}
    assert ran.json["trained"] <= 3  # a pair and its two models of a third seed
    full = synergy(
        *("pairwise", "--workspace", workspace, "--refine", 1, "--sweep", "full", "--json"), *SERIAL
    )
    assert {cell["status"] for cell in full.json["table"]} == {"measured"}


def test_stability_needs_the_samples_of_this_table(workspace):
    arguments = ("synthesize", "--workspace", workspace, "--no-train", "--json")
    assert synergy(*arguments).json["certainty"]["samples"] == 1000
    table = ARTable.from_csv(workspace / "ar_table.csv")
    first, *rest = table.cells
    moved = replace(first, ar_high=(first.ar_high or 0.0) + 1)
    ARTable.from_cells([moved, *rest]).to_csv(workspace / "ar_table.csv")
    assert synergy(*arguments).json["certainty"] is None


def test_a_budget_counts_the_tasks_of_the_table_only():
    table = ARTable.from_cells([Cell("a", "b", 4, 1.0), Cell("a", "b", 8, 3.0)])
    blocks = (100,) * 8
    heads = {"a": 10, "b": 20, "c": 1000}
    size = Costs(blocks, blocks, heads, heads)
    found = search(size, table, 2.0, Wanted(max_params=1230))
    assert found.tree == SharingTree.parse("{a,b}@4", 8)
    assert search(size, table, 2.0, Wanted(max_macs=1230)).tree == found.tree


def test_a_repair_that_takes_all_sharing_away_did_not_miss_the_threshold():
    table = ARTable.from_cells([Cell("a", "b", 4, 0.5), Cell("a", "b", 8, 3.0)])
    capped = synthesize(table, 2.0, (1,) * 8, caps={frozenset(("a", "b")): 0})
    assert not any(blocks for _, _, blocks in capped.weights)
    assert nothing_shared(table, capped) == ""
    assert "no pair keeps an AR of 0.1 %" in nothing_shared(table, synthesize(table, 0.1, (1,) * 8))


def test_a_budget_that_needs_no_sharing_is_no_failure(tmp_path):
    config = tmp_path / "synergy.yaml"
    settings = yaml.safe_load(load_config(None).to_yaml())
    for task in settings["tasks"].values():
        if task["kind"] == "clip_classification":
            task["classes"] = ["one", "other"]
    config.write_text(yaml.safe_dump(settings))
    file = tmp_path / "table.csv"
    ARTable.from_cells([Cell("gc", "vad", 8, 5.0)]).to_csv(file)
    table = ("--table", file, "--config", config, "--no-train", "--json")
    ran = synergy("synthesize", *table, "--max-params", 10**7)
    assert ran.code == 0, ran.err
    assert ran.json["notation"] == "{gc,vad}@0"


def test_costs_from_settings_follow_the_hop():
    config = load_config(None)
    features = config.features.model_copy(update={"hop_ms": 2 * config.features.hop_ms})
    slower = config.model_copy(update={"features": features})
    macs = [sum(costs_from_settings(c, ["gc"]).size.block_macs) for c in (config, slower)]
    assert 1.9 < macs[0] / macs[1] < 2.1


def test_distilled_pairs_and_tree_stand_beside_the_plain_ones(workspace):
    plain = (workspace / "ar_table.csv").read_bytes()
    ran = synergy("pairwise", "--workspace", workspace, "--distill", "--json", *SERIAL)
    assert ran.code == 0, ran.err
    assert ran.json["trained"] == 12
    assert (workspace / "ar_table.csv").read_bytes() == plain
    distilled = ARTable.from_csv(workspace / "ar_table_distilled.csv")
    table = ARTable.from_csv(workspace / "ar_table.csv")
    assert [c.single_a for c in distilled.cells] == [c.single_a for c in table.cells]
    taught = [
        trial
        for file in (workspace / "trials").glob("*/trial.json")
        for trial in [json.loads(file.read_text())]
        if trial["distillation"]
    ]
    assert len(taught) == 12
    assert all(len(digests) == 2 for trial in taught for digests in trial["teachers"].values())
    found = synergy("synthesize", "--workspace", workspace, "--distill", "--repair", 0, *SERIAL)
    assert found.code in (0, 1), found.err
    assert f"AR table: {workspace / 'ar_table_distilled.csv'}" in found.out
    (workspace / "ar_table.csv").unlink()
    shown = synergy("show", "--workspace", workspace)
    assert "distilled pairs:" in shown.out and "no AR table yet" not in shown.out
    state = synergy("show", "--workspace", workspace, "--json").json
    assert state["table"] is None and state["table_distilled"]["measured"] == 6
    assert state["tree_is_trained"] and state["model_is_current"]
    narrow = ("synthesize", "--workspace", workspace, "--no-train", "--distill", "--width", 0.5)
    assert synergy(*narrow).code in (0, 1)
    state = synergy("show", "--workspace", workspace, "--json").json
    assert not state["tree_is_trained"]
    summary = json.loads((workspace / "summary.json").read_text())
    assert [row["name"] for row in summary["rows"]] == [
        *("independent", "flat", "tree", "tree, distilled")
    ]
    spec = json.loads((workspace / "model" / "spec.json").read_text())
    assert spec["weights"]["trial"] in summary["rows"][-1]["digests"]


def test_a_tree_that_misses_the_threshold_is_repaired(workspace, monkeypatch):
    """The flat tree is made to miss: its worst task must then share less."""
    real, tries = stage.Bench.measure, []

    def measure(self, title, planned):
        rows, trained = real(self, title, planned)
        tries.append(planned[0][0].notation())
        if len(tries) == 1:
            rows = [replace(row, ar_pct={"valid": 61.0, "test": 61.0}) for row in rows]
        return rows, trained

    monkeypatch.setattr(stage.Bench, "measure", measure)
    ran = synergy("synthesize", "--workspace", workspace, "--max-ar", 60, "--json", *SERIAL)
    assert ran.code == 0, ran.err
    first, second = ran.json["attempts"]
    assert (first["keeps"], second["keeps"]) == (False, True)
    one, other, depth = first["lowered"]
    assert SharingTree.parse(first["notation"], 8).shared_depth(one, other) > depth
    assert SharingTree.parse(second["notation"], 8).shared_depth(one, other) <= depth
    assert f"{one} and {other} may now share at most {depth} blocks" in ran.err
    assert ran.json["notation"] == second["notation"]

    # the stability is that of the repaired tree, under its caps
    (cap,) = ran.json["caps"]
    assert ({cap["task_a"], cap["task_b"]}, cap["blocks"]) == ({one, other}, depth)
    sure = ran.json["certainty"]
    shares = {entry["notation"]: entry["share"] for entry in sure["trees"]}
    assert sure["tree_share"] == shares.get(second["notation"], 0.0)
    assert first["notation"] not in shares
    page = synergy("report", "--workspace", workspace)
    assert page.code == 0, page.err
    words = f"{min(one, other)} and {max(one, other)} sharing at most {depth} blocks"
    assert words in (workspace / "report.html").read_text()

    text = synergy("synthesize", "--workspace", workspace, "--max-ar", 60, *SERIAL).out
    assert "Attempts" not in text  # nothing missed this time


def test_a_repair_measures_what_the_sweep_skipped(workspace, monkeypatch):
    file = workspace / "ar_table.csv"
    whole = ARTable.from_csv(file)
    cells = [
        Cell.skipped(*cell.key, "not needed: a deeper cell passes")
        if cell.shared_depth < 8
        else cell
        for cell in whole.cells
    ]
    replace(whole, cells=tuple(cells)).to_csv(file)
    (workspace / "ar_samples.csv").unlink()
    real, first = stage.Bench.measure, []

    def measure(self, title, planned):
        rows, trained = real(self, title, planned)
        if not first:
            first.append(title)
            rows = [replace(row, ar_pct={"valid": 101.0, "test": 101.0}) for row in rows]
        return rows, trained

    monkeypatch.setattr(stage.Bench, "measure", measure)
    ran = synergy("synthesize", "--workspace", workspace, "--max-ar", 100, "--json", *SERIAL)
    assert ran.code == 0, ran.err
    one, other, depth = ran.json["attempts"][0]["lowered"]
    assert depth == 4
    now = ARTable.from_csv(file)
    assert now.cell(one, other, 4) == whole.cell(one, other, 4)
    assert sum(cell.status == "skipped" for cell in now.cells) == 2
    assert (workspace / "ar_samples.csv").is_file()
    # so the pair still shares what it may
    assert SharingTree.parse(ran.json["notation"], 8).shared_depth(one, other) == 4


def test_no_repair_leaves_the_nearest_miss(workspace):
    ran = synergy("synthesize", "--workspace", workspace, "--max-ar", 0, "--json", *SERIAL)
    attempts = ran.json["attempts"]
    if ran.code == 1:
        least = min(attempt["ar_pct"]["valid"] for attempt in attempts)
        assert ran.json["rows"][-1]["ar_pct"]["valid"] == least
        assert "more than the threshold of 0 %" in ran.err or "nothing is shared" in ran.err
    else:
        assert ran.json["rows"][-1]["ar_pct"]["valid"] == 0


def test_budgets_and_frontier(workspace):
    ran = synergy("synthesize", "--workspace", workspace, "--frontier", "--json")
    rows = ran.json["frontier"]
    assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
    assert rows[-1]["max_ar_to"] is None
    assert (
        "number tree max AR %"
        in synergy("synthesize", "--workspace", workspace, "--frontier").table[-len(rows) - 2]
    )
    assert ran.json["decoders_counted"] is False  # the classes of scr stand in the corpus only
    trained = synergy(
        *("synthesize", "--workspace", workspace, "--train-frontier", len(rows), "--json"), *SERIAL
    )
    assert trained.code == 0, trained.err
    last = trained.json["frontier"][-1]
    assert last["measured"]["params"] == last["params"] > rows[-1]["params"]
    assert (workspace / "frontier.json").is_file()
    budget = ("--max-params", last["params"], "--max-macs", last["macs"])
    found = synergy("synthesize", "--workspace", workspace, *budget, "--json", *SERIAL)
    assert found.code == 0, found.err
    assert found.json["params"] <= last["params"]
    assert len(found.json["attempts"]) == 1


def test_a_narrower_tree_is_smaller_and_has_teachers_of_full_width(workspace):
    ran = synergy(
        *("synthesize", "--workspace", workspace, "--max-ar", 100, "--distill", "--repair", 0),
        *("--width", 0.5, "--json", *SERIAL),
    )
    assert ran.code == 0, ran.err
    independent, flat, tree, distilled = ran.json["rows"]
    names = [row["name"] for row in ran.json["rows"]]
    assert names == [
        *("independent", "flat, width 0.5"),
        *("tree, width 0.5", "tree, width 0.5, distilled"),
    ]
    assert [row["width"] for row in ran.json["rows"]] == [1.0, 0.5, 0.5, 0.5]
    assert ran.json["params"] == distilled["params"] == tree["params"] <= flat["params"]
    found = json.loads((workspace / "tree.json").read_text())
    assert (found["width"], found["params"]) == (0.5, tree["params"])

    store = TrialStore(workspace / "trials")
    trial = store.trial(distilled["digests"][0])
    full = store.trial(independent["digests"][0])["encoder"]["channels"]
    assert trial["encoder"]["channels"] == list(Cnn8(channels=full).widened(0.5).channels)
    teachers = [digest for known in trial["teachers"].values() for digest in known]
    assert sorted(teachers) == sorted(independent["digests"])
    spec = json.loads((workspace / "model" / "spec.json").read_text())
    assert spec["encoder"]["channels"] == trial["encoder"]["channels"]

    wide = synergy("synthesize", "--workspace", workspace, "--frontier", "--json")
    narrow = synergy("synthesize", "--workspace", workspace, "--frontier", "--width", 0.5, "--json")
    sizes = [[row["params"] for row in ran.json["frontier"]] for ran in (wide, narrow)]
    assert all(2.5 < more / less < 4 for more, less in zip(*sizes, strict=True))


def test_the_certainty_of_the_tree_is_printed(workspace):
    ran = synergy("synthesize", "--workspace", workspace, "--no-train")
    assert "stability: the same tree comes out of " in ran.out
    assert "gc, scr (shares up to " in ran.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("pairwise", "--seeds", 0), r"--seeds: .*greater than or equal to 1"),
        (("pairwise", "--refine", 2, "--distill"), "expected an AR table to refine"),
        (("pairwise", "--sweep", "lasy"), "found 'lasy'; did you mean 'lazy'"),
        (("synthesize", "--max-params", 100), "expected .*found 100"),
        (("synthesize", "--max-params", 100, "--max-ar", 2), "expected a threshold or a budget"),
        (("synthesize", "--width", 0), "expected a width .*, found 0 times its channels"),
        (("synthesize", "--width", "nan"), "found nan times"),
        (("synthesize", "--width", "1e308"), "found 1e\\+308 times"),
        (("run", "--width", 1e6), r"found 1e\+06 times"),
        (("synthesize", "--train-frontier", "99"), "expected numbers of 1 to"),
        (("synthesize", "--train-frontier", "first"), "--train-frontier: expected numbers"),
    ],
)
def test_bad_input_is_one_sentence(workspace, arguments, words):
    import re

    command, *rest = arguments
    ran = synergy(command, "--workspace", workspace, *rest)
    assert ran.code == 2
    assert re.search(words, ran.err), ran.err
    assert "Traceback" not in ran.err


def test_the_papers_table_with_budget_needs_known_decoders():
    ran = synergy("synthesize", "--table", PAPER_TABLE, "--no-train", "--max-params", 52600)
    assert ran.code == 2
    assert "the sizes of the decoders are not known" in ran.err


def test_a_threshold_below_every_cell_shares_nothing_and_says_so(tmp_path):
    text = (PAPER / "table3_pairwise_ar.csv").read_text(encoding="utf-8")
    file = tmp_path / "table.csv"
    file.write_text(text.replace(",0.0", ",0.1"), encoding="utf-8")
    ran = synergy("synthesize", "--table", file, "--no-train", "--max-ar", 0.05)
    assert ran.code == 1
    assert "no pair keeps an AR of 0.05 % at any depth" in ran.err
    assert "the lowest AR of the table is 0.10 % (gc-vad at depth 4)" in ran.err
    assert "tree: {gc,ac,scr,vad}@0" in ran.out


def test_the_papers_frontier_shrinks_with_the_threshold():
    rows = synergy("synthesize", "--table", PAPER_TABLE, "--frontier", "--json").json["frontier"]
    at_two = [r for r in rows if r["max_ar_from"] <= 2 and (r["max_ar_to"] or 99) > 2]
    assert [row["notation"] for row in at_two] == ["{{gc,ac}@8,{scr,vad}@8}@6"]
    assert rows[-1]["notation"] == "{gc,ac,scr,vad}@8"
