"""Every table of the paper on the embedded corpus, a few steps each: structure, not accuracy."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from small_cli import Ran, synergy

from synergy.comparisons import COMPARISONS
from synergy.config import DEMO_CONFIG
from synergy.synthesis import ARTable

if find_spec("espeakng_loader") is None:
    pytest.skip("the embedded corpus needs the extra demo", allow_module_level=True)

TASKS = ("gc", "ac", "scr", "vad")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chain of `make paper` with little data, few steps and two depths; pairs distilled too."""
    folder = tmp_path_factory.mktemp("paper")
    settings = yaml.safe_load(DEMO_CONFIG.read_text(encoding="utf-8"))
    settings["corpora"]["demo_speech"] |= {
        "words": ["go", "stop"],
        "clips": {"train": 24, "valid": 12, "test": 12},
        "speakers": {"train": 6, "valid": 12, "test": 12},
    }
    settings["training"] |= {"epochs": 1, "steps_per_epoch": 2, "clips_per_task": 8, "crop_s": 0.4}
    # thresholds of real use would share nothing after two steps
    settings |= {"depths": [4, 8], "seeds": 2, "max_ar": 100.0}
    (folder / "small.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder / "ws"


@pytest.fixture(scope="module")
def ran(workspace: Path) -> dict[str, Ran]:
    """Every command of the chain, up to one that fails."""
    config = ("--config", workspace.parent / "small.yaml")
    serial = ("--workspace", workspace, "--executor", "serial")
    chain = {
        "run": ("run", *config, *serial, "--json"),
        "distilled": ("run", "--distill", *serial, "--json"),
        "compare": ("compare", *serial, "--json"),
        "report": ("report", "--workspace", workspace),
    }
    found: dict[str, Ran] = {}
    for name, arguments in chain.items():
        found[name] = synergy(*arguments)
        assert found[name].code == 0, found[name].err
    return found


def test_table_3_has_intervals(ran: dict[str, Ran], workspace: Path) -> None:
    assert ran["run"].code == 0
    for name in ("ar_table.csv", "ar_table_distilled.csv"):
        table = ARTable.from_csv(workspace / name)
        assert len(table.cells) == 12
        for cell in table.cells:
            assert cell.seeds == 2
            assert cell.ar_low is not None and cell.ar_high is not None
            assert 0 <= cell.ar_low <= cell.ar_high


def test_table_4_has_every_method(ran: dict[str, Ran], workspace: Path) -> None:
    assert ran["compare"].code == 0
    found = json.loads((workspace / "comparisons.json").read_text(encoding="utf-8"))
    assert {row["method"] for row in found["rows"]} == set(COMPARISONS)
    independent = next(row for row in found["rows"] if row["name"] == "independent")
    measured = [row for row in found["rows"] if not row["error"]]
    assert len(measured) > len(COMPARISONS)
    for row in measured:
        assert set(row["mean_scores"]["test"]) == set(TASKS)
        assert row["params"] <= row["stored_params"]
        assert row["macs"] > 0 and row["trainings"] >= 2
        assert 0 <= row["ar_low"]["valid"] <= row["ar_high"]["valid"] <= 100
        if row["method"] != "independent" and not row["name"].startswith("tag, free"):
            assert row["params"] < independent["params"]


def test_masked_networks_meet_the_size_of_the_tree(ran: dict[str, Ran], workspace: Path) -> None:
    assert ran["compare"].code == 0
    found = json.loads((workspace / "comparisons.json").read_text(encoding="utf-8"))
    for method in ("lth", "lt4rec"):
        rows = [row for row in found["rows"] if row["method"] == method]
        assert [row["distilled"] for row in rows] == [False, True]
        for row in rows:
            assert row["params"] <= found["max_params"]
            assert row["stored_params"] > row["params"]


def test_the_report_holds_all_of_it(ran: dict[str, Ran], workspace: Path) -> None:
    assert ran["report"].code == 0
    page = (workspace / "report.html").read_text(encoding="utf-8")
    assert "Not in this report yet" not in page
    for name in ("LT4REC", "TreeMTL", "TAG"):
        assert name.lower() in page.lower()
