"""The functions of Python: what the commands do, with typed results and errors."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas
import pytest
import typer
from small_cli import synergy as command
from small_corpora import write_tone_project
from small_tables import PAPER

import synergy
from synergy.cli.commands import app
from synergy.cli.options import Options
from synergy.config import RunConfig, load_config
from synergy.encoders import Cnn8
from synergy.errors import ConfigError, SynergyError, TableError, WorkspaceError
from synergy.synthesis import ARTable, Cell
from synergy.tree import DEFAULT_DEPTH, SharingTree

PAPER_TABLE = PAPER / "table3_pairwise_ar.csv"
DOCS = Path(__file__).resolve().parents[1] / "docs"


def in_fresh_python(program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_importing_the_package_imports_nothing_else():
    loaded = in_fresh_python(
        "import sys; before = set(sys.modules); import synergy\n"
        "new = set(sys.modules) - before\n"
        "print(*(n for n in new if n.split('.')[0] not in sys.stdlib_module_names))"
    )
    assert loaded == ["synergy"]


def test_the_functions_are_there_without_torch():
    heavy = {"torch", "torchaudio", "torchmetrics", "pandas", "jinja2"}
    assert not in_fresh_python(
        "import sys, synergy\n"
        "synergy.run, synergy.search, synergy.ARTable, synergy.SharingTree, synergy.SynergyError\n"
        f"print(*({heavy!r} & set(sys.modules)))"
    )


def test_type_checkers_are_told_that_there_are_types():
    assert Path(synergy.__file__).with_name("py.typed").is_file()


def test_every_public_name_is_there():
    assert [name for name in synergy.__all__ if not hasattr(synergy, name)] == []
    assert set(synergy.__all__) <= set(dir(synergy))
    with pytest.raises(AttributeError, match="no attribute 'sarch'"):
        _ = synergy.sarch


# -- a table alone ------------------------------------------------------------------------


def test_search_finds_what_the_command_finds():
    ran = command("search", "--table", PAPER_TABLE, "--max-ar", 2.0, "--json")
    found = synergy.search(PAPER_TABLE, max_ar=2.0)
    assert found.to_json() == ran.json
    assert found.tree.tree == SharingTree.parse("{{gc,ac}@8,{scr,vad}@8}@6")
    assert found.shortfall == ""


def test_a_table_may_come_in_any_form():
    table = ARTable.from_csv(PAPER_TABLE)
    forms = (str(PAPER_TABLE), table, table.to_pandas(), pandas.read_csv(PAPER_TABLE))
    trees = [synergy.search(form, max_ar=1.75, solver="exact").tree.tree for form in forms]
    assert trees == [trees[0]] * 4


def test_frontier_has_the_trees_of_the_command():
    ran = command("search", "--table", PAPER_TABLE, "--frontier", "--json")
    found = synergy.frontier(PAPER_TABLE)
    assert found.to_json()["frontier"] == ran.json["frontier"]
    assert list(found.to_pandas()["number"]) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert repr(found) == str(found) == "<FrontierFile: 8 trees>"


def test_no_pair_within_the_threshold_is_told_and_not_raised():
    table = pandas.DataFrame({"task_a": ["a"], "task_b": ["b"], "ar_4_pct": [9.0]})
    found = synergy.search(table, max_ar=2.0)
    assert "no pair keeps an AR of 2 %" in found.shortfall


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        ({"max_arr": 2.0}, ConfigError, "found max_arr; did you mean 'max_ar'?"),
        ({"json": True}, ConfigError, "search: expected options among confidence, .*found json"),
        ({"frontier": False, "no_train": True}, ConfigError, "found no_train"),
        ({"max_ar": "much"}, ConfigError, "--max-ar: expected a number, found 'much'"),
        ({"max_ar": float("nan")}, ConfigError, "--max-ar: expected a number, found 'nan'"),
        ({"max_params": True}, ConfigError, "--max-params: expected a whole number"),
        ({"strict": "yes"}, ConfigError, "strict: expected True or False, found 'yes'"),
        ({"solver": "exat"}, ConfigError, "did you mean 'exact'?"),
        ({"confidence": 0.2}, ConfigError, "--confidence: expected a number of 0.5 to 1"),
        ({"max_ar": 2, "max_macs": 9}, ConfigError, "found --max-ar and --max-macs"),
        ({"workspace": "runs/x"}, ConfigError, "found --table and --workspace"),
        ({"table": 3}, TableError, "expected an ARTable, a path or a data frame, found 3"),
        ({"table": "none.csv"}, TableError, "none.csv: .*found no such file"),
        ({"table": pandas.DataFrame({"a": [1]})}, TableError, "data frame: line 1: expected"),
        ({"table": None, "workspace": "nowhere"}, WorkspaceError, "expected an AR table"),
        ({"config": "none.yaml"}, ConfigError, "none.yaml: expected a configuration"),
    ],
)
def test_what_is_wrong_is_an_error_of_the_package(given, kind, said):
    with pytest.raises(SynergyError, match=said) as caught:
        synergy.search(**{"table": PAPER_TABLE, **given})
    assert type(caught.value) is kind


def test_options_are_the_commands_own():
    from synergy.api import names_of

    offered = {name: {str(p.name) for p in c.params} for name, c in _commands().items()}
    for name in ("run", "baseline", "pairwise", "synthesize", "compare", "search"):
        assert set(names_of(name)) <= offered[name]
        assert "json" not in names_of(name)


def _commands():
    return typer.main.get_command(app).commands


def test_sequences_and_truth_are_read_as_the_command_reads_words(monkeypatch):
    from synergy import api

    got: list[Options] = []
    monkeypatch.setattr(api, "all_stages", got.append)
    synergy.run(tasks=["gc", "ac"], depths=range(4, 7), distill=True, strict=False, seeds=None)
    synergy.run(tasks="gc,ac", depths="4,5,6", distill="yes")
    synergy.run(workspace=Path("elsewhere"), replace=True, width="auto")
    synergy.run(set={"training.epochs": 5, "task.classes": ["a", "b"]})
    synergy.run(set=["training.epochs=5", "seeds=2"], log="tensorboard")
    assert got[0] == got[1] == Options(tasks="gc,ac", depths="4,5,6", distill="yes")
    assert got[2] == Options(workspace=Path("elsewhere"), replace=True, width="auto")
    assert got[3].set == ["training.epochs=5", 'task.classes=["a", "b"]']
    assert (got[4].set, got[4].log) == (["training.epochs=5", "seeds=2"], ["tensorboard"])


# -- training -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tone_project(tmp_path_factory.mktemp("tones"))


@pytest.fixture(scope="module")
def ran(config: Path, tmp_path_factory: pytest.TempPathFactory):
    workspace = tmp_path_factory.mktemp("api") / "ws"
    return synergy.run(config, workspace, rounds=0, executor="serial")


def same_again(ran, config: Path, *words: object) -> dict:
    """What a command says of the workspace; it must have nothing to train."""
    place = ("--config", config, "--workspace", ran.workspace, "--executor", "serial", "--json")
    done = command(*words, *place)
    assert done.code == 0, done.err
    assert "nothing to train" in done.err
    return _without_counts(done.json)


def _without_counts(told):
    """JSON values without how many trainings ran."""
    if isinstance(told, dict):
        return {k: _without_counts(v) for k, v in told.items() if k != "trained"}
    return json.loads(json.dumps(told))


def test_run_gives_what_the_command_prints(ran, config):
    assert _without_counts(ran.to_json()) == same_again(ran, config, "run", "--rounds", 0)
    assert ran.delivery.trained
    assert (ran.delivery.model / "spec.json").is_file()


def test_each_stage_gives_what_its_command_prints(ran, config):
    place = {"config": load_config(config), "workspace": ran.workspace, "executor": "serial"}
    found = synergy.baseline(**place)
    assert found.trained == 0
    assert _without_counts(found.to_json()) == same_again(ran, config, "baseline")
    pairs = synergy.pairwise(**place)
    assert _without_counts(pairs.to_json()) == same_again(ran, config, "pairwise")
    delivery = synergy.synthesize(**place, rounds=0)
    told = same_again(ran, config, "synthesize", "--rounds", 0)
    assert _without_counts(delivery.to_json()) == told
    tree = synergy.search(workspace=ran.workspace)
    assert tree.to_json() == command("search", "--workspace", ran.workspace, "--json").json


def test_compare_gives_what_the_command_prints(ran, config):
    place = {"config": config, "workspace": ran.workspace, "executor": "serial"}
    found = synergy.compare(**place, methods=["flat"])
    told = same_again(ran, config, "compare", "--methods", "flat")
    assert _without_counts(found.to_json()) == told
    assert set(found.file.to_pandas()["method"]) == {"flat", "recursive"}


def test_the_report_is_written(ran, tmp_path):
    found = synergy.write_report(ran.workspace, tmp_path / "page.html")
    assert found.file == tmp_path / "page.html"
    assert found.file.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert repr(found) == f"<Report: {tmp_path / 'page.html'}>"


def test_results_are_short_in_words_and_whole_as_frames(ran):
    for thing in (ran, ran.pairs, ran.pairs.baselines, ran.pairs.table, ran.delivery):
        assert len(repr(thing)) < 600
        assert "<" in thing._repr_html_()
    cells = ran.pairs.table.to_pandas()
    assert list(cells["shared_depth"]) == [4, 8] * 3
    assert ARTable.from_pandas(cells) == ran.pairs.table
    losses = ran.pairs.losses_to_pandas()
    assert len(losses) == len(ran.pairs.losses) == 12
    assert list(losses["estimate"]) == [each.estimate for each in ran.pairs.losses]
    rows = ran.delivery.to_pandas()
    last = rows[(rows["name"] == "tree") & (rows["split"] == "valid")].iloc[-1]
    told = ran.delivery.summary.rows[-1]
    assert last["ar_pct"] == told.ar_pct["valid"]
    assert last["score_gc"] == told.mean_scores["valid"]["gc"]


def test_a_configuration_in_memory_means_its_folders_as_seen_from_here(config, monkeypatch):
    from synergy.cli.setup import configured

    monkeypatch.chdir(config.parent)
    loaded = load_config(config)
    settings = loaded.model_dump()
    settings["corpora"]["tones"]["folder"] = "tones"
    found = configured(Options(config=RunConfig.model_validate(settings), seeds=2))
    assert found == loaded.with_options(seeds=2)


def test_stdout_stays_empty_and_nothing_exits(config, tmp_path, capsys):
    with pytest.raises(ConfigError, match="expected tasks among gc, scr, vad, found gv"):
        synergy.run(config, tmp_path / "ws", tasks=["gv"])
    synergy.search(PAPER_TABLE)
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "ws").exists()


# -- trees and drawings -------------------------------------------------------------------


def test_a_tree_is_parsed_with_the_blocks_of_the_default_encoder():
    assert Cnn8().depth == DEFAULT_DEPTH
    tree = synergy.SharingTree.parse("{{a,b}@8,c}@0")
    assert tree == SharingTree.parse("{{a,b}@8,c}@0", 8)
    assert repr(tree) == "SharingTree.parse('{{a,b}@8,c}@0')"
    assert repr(SharingTree.parse("{a,b}@2", 3)) == "SharingTree.parse('{a,b}@2', 3)"


def test_notebooks_show_a_heat_map_and_a_drawing():
    table = synergy.ARTable.from_csv(PAPER_TABLE)
    heat, drawing = table._repr_html_(), SharingTree.parse("{a,b}@8")._repr_html_()
    assert heat is not None
    assert drawing is not None
    for shown in (heat, drawing):
        assert shown.startswith("<iframe sandbox srcdoc=")
        assert "<script" not in shown
    assert "class=&#34;heat&#34;" in heat
    assert "&lt;svg" in drawing


def test_what_a_table_says_stays_text_in_a_notebook():
    failed = Cell("a", "b", 4, None, "failed", reason="<script>alert(1)</script>")
    found = ARTable.from_cells([failed])._repr_html_()
    assert found is not None
    assert "alert(1)" in found
    page = html.unescape(re.findall(r'srcdoc="([^"]*)"', found)[0])
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_large_tree_is_drawn_as_text():
    tree = SharingTree.flat([f"t{n}" for n in range(60)], 8, 8)
    assert str(tree._repr_html_()).startswith("<pre>")


# -- the page -----------------------------------------------------------------------------


def test_the_page_runs_as_it_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "python.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, "python.md", "exec"), names)
    assert Path("runs/tones/model/spec.json").is_file()
    assert Path("runs/tones/report.html").is_file()
    assert "task_a" in capsys.readouterr().out


def test_a_notebook_has_bars_where_it_has_widgets(monkeypatch):
    from synergy.cli import setup

    class ZMQInteractiveShell: ...

    assert not setup.in_notebook()
    shell = SimpleNamespace(get_ipython=ZMQInteractiveShell)
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setattr(setup, "find_spec", lambda name: name == "ipywidgets")
    assert setup.in_notebook()
    monkeypatch.setattr(setup, "find_spec", lambda name: None)
    assert not setup.in_notebook()
