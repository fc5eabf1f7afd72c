"""Stage 3 on a tiny corpus: certainty, repair, budgets, the frontier, widths."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from small_cli import paired_tones, synergy
from small_files import write_table
from small_tables import PAPER

from synergy.encoders import Cnn8
from synergy.measuring.bench import Bench
from synergy.synthesis import ARTable, Cell
from synergy.tree import SharingTree
from synergy.trials.trial_store import TrialStore

SERIAL = ("--executor", "serial")
PAPER_TABLE = PAPER / "table3_pairwise_ar.csv"


@pytest.fixture(scope="module")
def paired(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace after `synergy pairwise` with two seeds."""
    return paired_tones(tmp_path_factory.mktemp("tones"))[1]


@pytest.fixture
def workspace(paired: Path, tmp_path: Path) -> Path:
    """A copy of the workspace."""
    return Path(shutil.copytree(paired, tmp_path / "ws"))


def test_stability_needs_the_samples_of_this_table(workspace):
    arguments = ("search", "--workspace", workspace, "--json")
    assert synergy(*arguments).json["certainty"]["samples"] == 1000
    table = ARTable.from_csv(workspace / "ar_table.csv")
    first, *rest = table.cells
    moved = replace(first, ar_high=(first.ar_high or 0.0) + 1)
    write_table(workspace, ARTable.from_cells([moved, *rest]))
    assert synergy(*arguments).json["certainty"] is None


def test_a_tree_that_misses_the_threshold_is_repaired(workspace, monkeypatch):
    """The flat tree is made to miss: its worst task must then share less."""
    real, tries = Bench.measure, []

    def measure(self, title, planned, test=True):
        rows = real(self, title, planned, test)
        tries.append(planned[0].tree.notation())
        missed = {"ar_pct": {"valid": 61.0, "test": 61.0}}
        return rows if len(tries) > 1 else [row.model_copy(update=missed) for row in rows]

    monkeypatch.setattr(Bench, "measure", measure)
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
    (workspace / "ar_samples.csv").unlink()
    write_table(workspace, replace(whole, cells=tuple(cells)))
    real, first = Bench.measure, []

    def measure(self, title, planned, test=True):
        rows = real(self, title, planned, test)
        missed = {"ar_pct": {"valid": 101.0, "test": 101.0}}
        if not first:
            first.append(title)
            rows = [row.model_copy(update=missed) for row in rows]
        return rows

    monkeypatch.setattr(Bench, "measure", measure)
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
    ran = synergy("search", "--workspace", workspace, "--frontier", "--json")
    rows = ran.json["frontier"]
    assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
    assert rows[-1]["max_ar_to"] is None
    assert (
        "number tree max AR %"
        in synergy("search", "--workspace", workspace, "--frontier").table[-len(rows) - 2]
    )
    assert ran.json["decoders_counted"]  # the classes of scr stand in its trainings
    trained = synergy(
        *("synthesize", "--workspace", workspace, "--train-frontier", len(rows), "--json"), *SERIAL
    )
    assert trained.code == 0, trained.err
    last = trained.json["frontier"][-1]
    assert last["measured"]["params"] == last["params"] == rows[-1]["params"]
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
    full = store.trial(independent["digests"][0]).encoder["channels"]
    assert trial.encoder["channels"] == list(Cnn8(channels=full).widened(0.5).channels)
    teachers = [digest for known in trial.teachers.values() for digest in known]
    assert sorted(teachers) == sorted(independent["digests"])
    spec = json.loads((workspace / "model" / "spec.json").read_text())
    assert spec["encoder"]["channels"] == trial.encoder["channels"]

    arguments = ("search", "--table", workspace / "ar_table.csv", "--frontier", "--json")
    wide, narrow = synergy(*arguments), synergy(*arguments, "--width", 0.5)
    sizes = [[row["encoder_params"] for row in ran.json["frontier"]] for ran in (wide, narrow)]
    assert all(2.5 < more / less < 4 for more, less in zip(*sizes, strict=True))


def test_the_certainty_of_the_tree_is_printed(workspace):
    ran = synergy("search", "--workspace", workspace)
    assert "stability: the same tree comes out of " in ran.out
    assert "gc, scr (shares up to " in ran.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("pairwise", "--seeds", 0), r"--seeds: .*greater than or equal to 1"),
        (("pairwise", "--budget", 9), "--budget: expected --sweep adaptive beside it, found none"),
        (("run", "--confidence", 0.5), "above 0.5 and below 1, found 0.5"),
        (("run", "--sweep", "adaptive", "--confidence", 1), "above 0.5 and below 1, found 1.0"),
        (("pairwise", "--sweep", "adaptive", "--strict"), "expected the tree that is probable"),
        (("pairwise", "--sweep", "lasy"), "found 'lasy'; did you mean 'lazy'"),
        (("synthesize", "--max-params", 100), "expected .*found 100"),
        (("synthesize", "--max-params", 100, "--max-ar", 2), "expected a threshold or a budget"),
        (("synthesize", "--width", 0), "--width: expected a number of .*, found '0'"),
        (("synthesize", "--width", "nan"), "--width: .*, found 'nan'"),
        (("synthesize", "--width", "1e308"), "--width: .*, found '1e308'"),
        (("run", "--width", 900), "expected a width that .*, found 900 times its channels"),
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
