"""The numbers of a report, of whole workspaces and of parts, and the command."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from small_cli import synergy
from small_files import edit, values
from small_pages import Elements
from small_reports import MAX_AR, SEEDS, WHOLE, result_workspace
from small_tables import PAPER_TASKS, paper_table

from synergy.errors import ConfigError, TableError, WorkspaceError
from synergy.records import Chance, SummaryFile, TreeFile
from synergy.report import phrases, render, summarise, write_report
from synergy.synthesis import ARTable
from synergy.tree import SharingTree
from synergy.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    return result_workspace(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def numbers(workspace):
    return summarise(workspace)


@pytest.fixture(scope="module")
def page(numbers) -> str:
    return render(numbers, "run")


# -- numbers ----------------------------------------------------------------------------------


def test_the_final_tree_is_told_with_what_it_costs_and_keeps(numbers):
    final = numbers.final
    assert final.notation == "{{gc,ac}@8,{scr,vad}@8}@6"
    assert final.is_trained
    assert final.params == 51_102
    assert final.share_pct == pytest.approx(100 * 51_102 / WHOLE)
    assert final.row.ar_pct["valid"] == 1.6
    ends = (final.row.ar_low["valid"], final.row.ar_high["valid"])
    assert ends == pytest.approx((0.8, 2.56))
    assert numbers.max_ar == MAX_AR
    assert numbers.missing == ()


def test_cells_know_what_passes_and_what_the_tree_uses(numbers):
    (table,) = numbers.tables
    cells = {(c.task_a, c.task_b, c.shared_depth): c for c in table.cells}
    for cell in paper_table().cells:
        assert cells[cell.key].ar_pct == cell.ar_pct
        assert cells[cell.key].passes == (cell.ar_pct <= MAX_AR)
        assert cells[cell.key].ar_low <= cells[cell.key].ar_high
    used = {key for key, cell in cells.items() if cell.in_tree}
    across = {(a, b, 6) for a in ("gc", "ac") for b in ("scr", "vad")}
    assert used == {("gc", "ac", 8), ("scr", "vad", 8)} | across
    assert {key for key, cell in cells.items() if cell.is_weight} >= {("ac", "scr", 7)}


def test_every_cell_has_the_curves_of_its_own_seeds(numbers):
    for cell in numbers.tables[0].cells:
        for task in (cell.task_a, cell.task_b):
            kinds = [curve.kind for curve in cell.curves[task]]
            assert kinds == ["single"] * len(SEEDS) + ["shared"] * len(SEEDS)
            kept = [c.places[c.best][1] for c in cell.curves[task]]
            alone, shared = kept[: len(SEEDS)], kept[len(SEEDS) :]
            assert sum(alone) / 3 == pytest.approx(100 * cell.single[task], abs=1e-2)
            assert sum(shared) / 3 == pytest.approx(100 * cell.multi[task], abs=1e-2)


def test_stops_have_the_weights_that_the_table_allows(numbers):
    table, trees = paper_table(), numbers.trees
    for stop in trees.stops:
        for (a, b), weight in zip(table.pairs(), stop.weights, strict=True):
            allowed = [d for d in table.depths if table.cell(a, b, d).passes(stop.low)]
            assert weight == max(allowed, default=0)
    lows = [stop.low for stop in trees.stops]
    assert lows == sorted(set(lows))
    assert [stop.high for stop in trees.stops] == [*lows[1:], None]
    start = trees.stops[trees.start]
    assert start.low <= MAX_AR < start.high
    assert trees.distinct[start.tree].notation == numbers.final.notation
    assert sorted({stop.tree for stop in trees.stops}) == list(range(len(trees.distinct)))


def test_trainings_of_other_settings_are_left_out(tmp_path):
    workspace = result_workspace(tmp_path / "run", stages=2)
    before = summarise(workspace)
    for name in ("gc-0", "ac_gc_4-0"):
        old, new = (workspace.trials.folder / n for n in (name, f"another-{name}"))
        new.mkdir()
        for file in old.iterdir():
            (new / file.name).write_bytes(file.read_bytes())
        trial = values(new / "trial.json")
        edit(new / "trial.json", {"training": {**trial["training"], "epochs": 99}})
    after = summarise(workspace)
    assert after.tables == before.tables
    assert after.baselines == before.baselines
    assert sum(after.provenance.trainings.values()) == 2 + sum(before.provenance.trainings.values())


def test_trainings_on_other_data_are_left_out(tmp_path):
    workspace = result_workspace(tmp_path / "run", stages=2)
    before = summarise(workspace)
    for seed in range(5):
        old, new = (workspace.trials.folder / name for name in ("gc-0", f"another-{seed}"))
        new.mkdir()
        for file in old.iterdir():
            (new / file.name).write_bytes(file.read_bytes())
        edit(new / "trial.json", {"seed": seed, "data": {"gc": "of another corpus"}})
    after = summarise(workspace)
    assert after.tables == before.tables
    assert after.baselines == before.baselines
    assert sum(after.provenance.trainings.values()) == 5 + sum(before.provenance.trainings.values())


def test_cells_of_a_table_that_names_no_trainings_have_no_curves(tmp_path):
    workspace = result_workspace(tmp_path / "run", stages=2, seeds=(0,))
    file = workspace.table_files("plain").table
    ARTable.from_cells(replace(c, trials=()) for c in ARTable.from_csv(file).cells).to_csv(file)
    numbers = summarise(workspace)
    assert all(cell.curves == {} for cell in numbers.tables[0].cells)
    assert set(numbers.curves) == set(PAPER_TASKS)
    text = " ".join(Elements(render(numbers, "run")).text)
    assert "The table names no training of this cell that is in the workspace." in text


def test_provenance_has_what_is_needed_to_repeat_the_run(numbers):
    origin = numbers.provenance
    assert origin.seeds == SEEDS
    assert origin.versions["torch"] == "2.11.0"
    (corpus,) = origin.corpora
    assert corpus.fingerprint == "0123456789abcdef" * 2
    assert corpus.licences == ("CC-BY-4.0",)
    assert corpus.tasks == PAPER_TASKS
    assert origin.trainings == {"one task": 12, "a pair": 90, "more tasks": 6}
    assert origin.training_s == pytest.approx(108 * 100)


def test_a_method_that_failed_says_so_in_its_row(numbers):
    failed = numbers.comparisons[-1]
    assert failed.error == "the loss became NaN"
    assert numbers.to_json()["comparisons"][-1]["note"] == "the loss became NaN"
    assert failed.params is None
    assert failed.ar_pct == {}
    assert failed.above == {}


def test_chance_stands_below_the_comparison(numbers, page):
    assert numbers.chance["test"] == Chance(median=1.9, high=3.4)
    text = " ".join(Elements(page).text)
    assert "Chance, validation: as plain trainings scatter over seeds, a tree" in text
    assert "an AR of 1.9 % at the median and of at most 3.4 % in 95 % of cases" in text


def test_a_difference_has_its_sign_and_its_interval(numbers):
    by_name = {row.name: row for row in numbers.comparisons}
    assert phrases.above(by_name["LTH"], "test") == "+7.8 [+7.3,\N{NO-BREAK SPACE}+8.5]"
    distilled = phrases.above(by_name["recursive, distilled"], "valid")
    assert distilled.replace("\N{MINUS SIGN}", "-") == "-1.0 [-1.5,\N{NO-BREAK SPACE}-0.3]"
    assert phrases.above(by_name["rsa, failed"], "test") == "\N{EN DASH}"


# -- what is there ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stages", "sections", "commands"),
    [
        (1, ["training", "results", "provenance"], ["pairwise", "synthesize", "compare"]),
        (
            2,
            ["pairs", "trees", "frontier", "training", "results", "provenance"],
            ["synthesize", "compare"],
        ),
        (
            3,
            ["pairs", "trees", "frontier", "training", "results", "provenance"],
            ["compare"],
        ),
    ],
)
def test_a_run_that_has_only_begun_is_reported(tmp_path, stages, sections, commands):
    workspace = result_workspace(tmp_path / "run", stages=stages, seeds=(0,))
    numbers = summarise(workspace)
    assert [part.command for part in numbers.missing] == [f"synergy {c}" for c in commands]
    page = render(numbers, "run")
    elements = Elements(page)
    assert [attributes["id"] for attributes in elements.of("section")] == sections
    assert all(f"synergy {command}" in page for command in commands)


@pytest.mark.parametrize(
    "gone",
    [
        ["trials/*"],
        ["ar_table.csv"],
        ["ar_samples.csv", "model"],
        ["tree.json"],
        ["summary.json"],
        ["config.yaml"],
        ["trials/*", "config.yaml", "model"],
        ["trials/*", "ar_table.csv", "config.yaml", "summary.json"],
        ["trials/*", "ar_table.csv", "tree.json", "summary.json"],
    ],
    ids=lambda gone: " ".join(gone),
)
def test_any_part_may_be_missing(tmp_path, gone):
    workspace = result_workspace(tmp_path / "run", seeds=(0,))
    with workspace.lock("a test"):  # what makes the folder a workspace without a config.yaml
        pass
    for pattern in gone:
        for path in workspace.folder.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    page = render(summarise(Workspace(workspace.folder, create=False)), "run")
    Elements(page)
    assert not re.search(r'="[^"]*\bnan\b', page)
    assert ">None<" not in page


def test_a_tree_that_is_not_trained_has_no_scores(tmp_path):
    workspace = result_workspace(tmp_path / "run", stages=3, seeds=(0,))
    told, summary = TreeFile.read(workspace.tree), SummaryFile.read(workspace.summary)
    assert told
    assert summary
    other = told.model_copy(update={"tree": SharingTree.flat(PAPER_TASKS, 2, 8)})
    summary.model_copy(update={"synthesis": other}).write(workspace.summary)
    final = summarise(workspace).final
    assert not final.is_trained
    assert final.row is None
    assert final.params == told.params
    assert "not trained yet" in render(summarise(workspace), "run")


def test_an_empty_workspace_has_nothing_to_report(tmp_path):
    Workspace(tmp_path / "run")
    ran = synergy("report", "--workspace", tmp_path / "run")
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith("error: expected finished trainings or an AR table in ")
    assert not (tmp_path / "run" / "report.html").exists()


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("tree.json", "{}", WorkspaceError),
        ("tree.json", "[]", WorkspaceError),
        ("summary.json", '{"rows": [{"params": 1}]}', WorkspaceError),
        ("summary.json", '{"rows": 3}', WorkspaceError),
        ("comparisons.json", '{"rows": [7]}', WorkspaceError),
        ("comparisons.json", "{", WorkspaceError),
        ("comparisons.json", '{"version": 2}', WorkspaceError),
        ("comparisons.json", '{"version": 3}', WorkspaceError),
        ("frontier.json", '{"frontier": [{"number": 1}]}', WorkspaceError),
        ("config.yaml", "a: [", WorkspaceError),
        ("config.yaml", "encoder: {name: cnn9}", WorkspaceError),
        ("ar_table.csv", "x\n1\n", TableError),
        ("model/spec.json", '{"corpora": [1]}', WorkspaceError),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, content, error):
    workspace = result_workspace(tmp_path / "run", seeds=(0,))
    (workspace.folder / name).write_text(content)
    with pytest.raises(error, match=re.escape(name)):
        summarise(workspace)


# -- the command ------------------------------------------------------------------------------


def test_the_command_writes_into_the_workspace(tmp_path):
    workspace = result_workspace(tmp_path / "run", stages=1, seeds=(0,))
    ran = synergy("report", "--workspace", workspace.folder)
    assert ran.code == 0
    assert ran.out == f"{workspace.report}\n"
    assert f"synergy pairwise --workspace {workspace.folder})" in ran.err
    ran = synergy("report", "--workspace", workspace.folder, "--output", tmp_path / "a.html")
    assert (tmp_path / "a.html").read_bytes() == workspace.report.read_bytes()
    assert synergy("report", "--workspace", workspace.folder, "--output", tmp_path).code == 2
    with pytest.raises(ConfigError, match="cannot be written"):
        write_report(workspace, tmp_path / "no" / "a.html")


def test_the_command_prints_the_numbers(workspace, numbers):
    ran = synergy("report", "--workspace", workspace.folder, "--json")
    assert ran.code == 0
    assert ran.json["report"] == str(workspace.report)
    assert ran.json["final"] == numbers.to_json()["final"]
    assert "curves" not in ran.out


def test_torch_is_not_imported_before_it_is_needed():
    program = "import sys, synergy.report; print(*{'torch', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == [], done.stderr
