"""Trees and sizes from tables and settings alone."""

from __future__ import annotations

import sys

import yaml
from small_cli import synergy
from small_tables import PAPER

from synergy.config import load_config
from synergy.costs import Costs
from synergy.experiment import settings_costs
from synergy.synthesis import ARTable, Cell, Question, frontier, search
from synergy.tree import SharingTree

SERIAL = ("--executor", "serial")
PAPER_TABLE = PAPER / "table3_pairwise_ar.csv"


def test_a_budget_counts_the_tasks_of_the_table_only():
    table = ARTable.from_cells([Cell("a", "b", 4, 1.0), Cell("a", "b", 8, 3.0)])
    blocks = (100,) * 8
    heads = {"a": 10, "b": 20, "c": 1000}
    size = Costs(blocks, blocks, heads, heads)
    found = search(Question(max_params=1230), table, size)
    assert found.tree == SharingTree.parse("{a,b}@4", 8)
    assert search(Question(max_macs=1230), table, size).tree == found.tree


def test_a_budget_that_needs_no_sharing_is_no_failure(tmp_path):
    config = tmp_path / "synergy.yaml"
    settings = yaml.safe_load(load_config(None).to_yaml())
    for task in settings["tasks"].values():
        if task["kind"] == "clip_classification":
            task["classes"] = ["one", "other"]
    config.write_text(yaml.safe_dump(settings))
    file = tmp_path / "table.csv"
    ARTable.from_cells([Cell("gc", "vad", 8, 5.0)]).to_csv(file)
    table = ("--table", file, "--config", config, "--json")
    ran = synergy("search", *table, "--max-params", 10**7)
    assert ran.code == 0, ran.err
    assert ran.json["notation"] == "{gc,vad}@0"


def test_costs_from_settings_follow_the_hop():
    config = load_config(None)
    features = config.features.model_copy(update={"hop_ms": 2 * config.features.hop_ms})
    slower = config.model_copy(update={"features": features})
    macs = [sum(settings_costs(c, ["gc"]).block_macs) for c in (config, slower)]
    assert 1.9 < macs[0] / macs[1] < 2.1


def test_the_papers_table_with_budget_needs_known_decoders():
    ran = synergy("search", "--table", PAPER_TABLE, "--max-params", 52600)
    assert ran.code == 2
    assert "the sizes of the decoders are not known" in ran.err


def test_a_threshold_below_every_cell_shares_nothing_and_says_so(tmp_path):
    text = (PAPER / "table3_pairwise_ar.csv").read_text(encoding="utf-8")
    file = tmp_path / "table.csv"
    file.write_text(text.replace(",0.0", ",0.1"), encoding="utf-8")
    ran = synergy("search", "--table", file, "--max-ar", 0.05)
    assert ran.code == 1
    assert "no pair keeps an AR of 0.05 % at any depth" in ran.err
    assert "the lowest AR of the table is 0.10 % (gc-vad at depth 4)" in ran.err
    assert "tree: {gc,ac,scr,vad}@0" in ran.out


def test_the_papers_frontier_shrinks_with_the_threshold():
    rows = synergy("search", "--table", PAPER_TABLE, "--frontier", "--json").json["frontier"]
    at_two = [r for r in rows if r["max_ar_from"] <= 2 and (r["max_ar_to"] or 99) > 2]
    assert [row["notation"] for row in at_two] == ["{{gc,ac}@8,{scr,vad}@8}@6"]
    assert rows[-1]["notation"] == "{gc,ac,scr,vad}@8"


def test_thresholds_that_are_left_out_are_told(monkeypatch):
    module = sys.modules[frontier.__module__]
    monkeypatch.setattr(module, "trees_within", lambda effort, tasks: 5)
    table = ("--table", PAPER_TABLE)
    told = synergy("search", *table, "--frontier", "--json").json
    assert told["left_out"] > 0
    assert len(told["frontier"]) <= 6
    ran = synergy("search", *table, "--frontier")
    assert f"note: {told['left_out']} thresholds were left out to save time" in ran.err
