"""Stage 2 on a tiny corpus: intervals, sweeps, plans, teachers."""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path

import pytest
from small_cli import Ran, content, paired_tones, synergy
from small_tables import PAPER

from synergy.synthesis import ARTable

SERIAL = ("--executor", "serial")
PAPER_TABLE = PAPER / "table3_pairwise_ar.csv"
DIFFERENCE = Path(__file__).parents[1] / "benchmarks" / "difference_of_ar.py"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Ran]:
    """A configuration, its workspace after `synergy pairwise` with two seeds, what that said."""
    return paired_tones(tmp_path_factory.mktemp("tones"))


@pytest.fixture(scope="module")
def config(project: tuple[Path, Path, Ran]) -> Path:
    """The configuration."""
    return project[0]


@pytest.fixture(scope="module")
def paired(project: tuple[Path, Path, Ran]) -> tuple[Path, Ran]:
    """The workspace and what `synergy pairwise` said."""
    return project[1:]


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


def test_scan_needs_no_more_than_full_and_leads_to_the_same_tree(workspace, paired):
    whole = ARTable.from_csv(paired[0] / "ar_table.csv")
    for digest in whole.trials:
        shutil.rmtree(workspace / "trials" / digest)
    terms = ("--max-ar", 60, "--json")
    ran = synergy("pairwise", "--workspace", workspace, "--sweep", "scan", *terms, *SERIAL)
    assert ran.code == 0, ran.err
    table = ARTable.from_csv(workspace / "ar_table.csv")
    measured = [cell for cell in table.cells if cell.status == "measured"]
    assert ran.json["trained"] == 2 * len(measured) < 2 * len(whole.cells)
    for cell in table.cells:
        if cell.status == "skipped":
            assert cell.ar_pct is None
            assert cell.reason == "not needed: the pair passes 60 % with 8 shared blocks"
        else:
            assert cell.ar_pct == whole.cell(*cell.key).ar_pct
    sizes = {
        synergy("search", "--table", folder / "ar_table.csv", *terms).json["encoder_params"]
        for folder in (workspace, paired[0])
    }
    assert len(sizes) == 1


def test_plan_tells_what_every_sweep_costs(paired):
    ran = synergy("plan", "--workspace", paired[0], "--json")
    sweeps = {row["name"]: row for row in ran.json["sweeps"]}
    assert set(sweeps) == {"full", "scan", "adaptive"}
    # the last one may ask for other seeds than are there
    assert all(row["least"] == 0 for row in sweeps.values())
    assert {name: row["most"] for name, row in sweeps.items()} == {
        **dict.fromkeys(("full", "scan"), 0),
        "adaptive": 3 + 6 - 3 * 2,
    }
    fresh = synergy("plan", "--workspace", paired[0], "--depths", "3-7", "--json").json["sweeps"]
    full, scan, adaptive = fresh
    # three tasks and 15 cells, less two seeds of each task
    assert adaptive["most"] == adaptive["expected"] == 3 + 15 - 3 * 2
    assert adaptive["least"] == 0
    assert full["least"] == full["most"] == full["expected"] == 2 * (15 - 3)  # depth 4 is there
    # and passes for each pair, which leaves depths 7, 6 and 5, in this order
    assert (scan["least"], scan["most"]) == (2 * 3, 2 * 9)
    assert scan["expected"] == 2 * 3 * (1 + 3 / 4 + 2 / 4)
    assert 0 < scan["seconds"] < full["seconds"]
    text = synergy("plan", "--workspace", paired[0], "--depths", "3-7").table
    assert "sweep expected at least at most time" in text


def test_plan_counts_the_trainings_of_cells_that_are_half_done(workspace):
    ran, cells = synergy("plan", "--workspace", workspace, "--seeds", 3, "--json"), 6
    full, scan, adaptive = ran.json["sweeps"]
    assert adaptive["most"] <= cells
    assert full["least"] == full["most"] == full["expected"] == cells  # the third seed of each
    assert (scan["least"], scan["most"]) == (cells / 2, cells)
    (pairs,) = [stage for stage in ran.json["stages"] if stage["name"] == "pairwise"]
    assert pairs["trainings"] - pairs["done"] == cells + 1  # and the null control


@pytest.mark.parametrize(
    ("models", "code", "words"),
    [
        (("{gc,vad}@4", "{gc,vad}@8"), 0, "valid: "),
        (("{gc,vad}@4", "LTH"), 2, "a line of comparisons.json (none), found 'LTH'; `synergy comp"),
        (("{gc,vad}@4", "{gc,vad}@7, width 0.5"), 2, "expected 2 trainings in "),
        (("{gc,vad}@4", "{scr,vad}@4"), 2, "expected two models of the same tasks"),
    ],
)
def test_the_difference_of_two_models_is_told_or_why_not(
    paired, models, code, words, monkeypatch, capsys
):
    monkeypatch.setattr("sys.argv", ["difference_of_ar.py", str(paired[0]), *models])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(DIFFERENCE), run_name="__main__")
    told = capsys.readouterr()
    assert ended.value.code == code
    assert words in (told.err if code else told.out)
    assert len((told.err if code else told.out).splitlines()) == 1


def test_distilled_pairs_and_tree_stand_beside_the_plain_ones(workspace):
    plain = (workspace / "ar_table.csv").read_bytes()
    ran = synergy("pairwise", "--workspace", workspace, "--distill", "--json", *SERIAL)
    assert ran.code == 0, ran.err
    assert ran.json["trained"] == 14  # 6 cells and the null control, of two seeds
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
    assert len(taught) == 14
    assert all(len(digests) == 2 for trial in taught for digests in trial["teachers"].values())
    found = synergy("synthesize", "--workspace", workspace, "--distill", "--rounds", 0, *SERIAL)
    assert found.code in (0, 1), found.err
    assert f"AR table: {workspace / 'ar_table_distilled.csv'}" in found.out
    (workspace / "ar_table.csv").unlink()
    shown = synergy("show", "--workspace", workspace)
    assert "distilled pairs:" in shown.out and "no AR table yet" not in shown.out
    state = synergy("show", "--workspace", workspace, "--json").json
    assert state["table"] is None and state["table_distilled"]["measured"] == 6
    assert state["tree_is_trained"] and state["model_is_current"]
    narrow = ("search", "--workspace", workspace, "--distill", "--width", 0.5)
    assert synergy(*narrow).code in (0, 1)
    state = synergy("show", "--workspace", workspace, "--json").json
    assert not state["tree_is_trained"]
    summary = json.loads((workspace / "summary.json").read_text())
    assert [row["name"] for row in summary["rows"]] == [
        *("independent", "null control, distilled", "flat", "tree", "tree, distilled")
    ]
    spec = json.loads((workspace / "model" / "spec.json").read_text())
    assert spec["weights"]["trial"] in summary["rows"][-1]["digests"]
