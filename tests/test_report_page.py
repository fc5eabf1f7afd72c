"""The page of a report, without a browser: what stands in it, and what cannot."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_files import edit, write_table
from small_pages import Elements
from small_reports import result_workspace, with_holes
from small_tables import paper_table

from synergy.errors import ConfigError
from synergy.records import ComparisonsFile, SummaryFile, TreeFile
from synergy.report import render, summarise, write_report
from synergy.synthesis import ARTable, Cell
from synergy.wording import printable
from synergy.workspace import Workspace

HOSTILE = "</script><img src=x onerror=alert(1)>&\"'{{7*7}}"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    return result_workspace(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def numbers(workspace):
    return summarise(workspace)


@pytest.fixture(scope="module")
def page(numbers) -> str:
    return render(numbers, "run")


def test_the_title_is_the_result(page):
    title = re.search("<title>(.*)</title>", page)
    assert title
    assert title[1] == "{{gc,ac}@8,{scr,vad}@8}@6 · 51,102 parameters (43 %) · AR 1.6 %"


def test_sections_come_in_order(page):
    found = [attributes["id"] for attributes in Elements(page).of("section")]
    assert found == ["pairs", "trees", "frontier", "training", "results", "provenance"]


def test_ids_are_unique_and_links_lead_to_them(page):
    elements = Elements(page)
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["href"].removeprefix("#") for a in elements.of("a")} <= set(ids)


def test_the_page_needs_nothing_else(page):
    elements = Elements(page)
    for _, attributes in elements.found:
        for name in ("src", "href", "action", "xlink:href", "data"):
            assert attributes.get(name, "#").startswith(("#", "data:,"))
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
    assert "url(" not in page
    assert "@import" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_only_the_script_and_style_of_the_page_may_run(page):
    policy = re.search('Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    rules = dict(r.split(" ", 1) for r in policy[1].replace("&#39;", "'").split("; "))
    assert rules["default-src"] == "'none'"
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        texts = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert len(texts) == 1
        digest = base64.b64encode(hashlib.sha256(texts[0].encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"


def test_tables_can_be_read_aloud(page):
    tables = re.findall("<table.*?</table>", page, re.DOTALL)
    assert len(tables) >= 6
    for table in tables:
        elements = Elements(table)
        assert len(elements.of("caption")) == 1
        assert all(head.get("scope") in ("col", "row") for head in elements.of("th"))
        rows = re.findall("<tr.*?</tr>", table, re.DOTALL)
        widths = {len(re.findall("<t[hd][ >]", row)) for row in rows}
        assert len(widths) == 1, table[:200]


def test_every_ar_stands_in_its_cell(page):
    text = " ".join(Elements(page).text)
    for cell in paper_table().cells:
        assert f"{cell.task_a} and {cell.task_b} sharing {cell.shared_depth} blocks" in text
    heat = re.findall(r'class="v">([\d.]+)<', page)
    assert heat == [f"{cell.ar_pct:.1f}" for cell in paper_table().cells]


def test_without_a_script_the_final_tree_is_shown(page, numbers):
    shown = re.search('<div class="scroll" id="tree".*?<svg.*?aria-label="([^"]+)"', page)
    assert shown
    assert shown[1].startswith(numbers.final.notation)
    assert "<noscript>" in page


def test_the_same_workspace_gives_the_same_bytes(workspace, tmp_path, monkeypatch):
    first = write_report(workspace).file.read_bytes()
    assert write_report(workspace, tmp_path / "x.html").file.read_bytes() == first
    monkeypatch.chdir(workspace.folder.parent)
    again = Workspace(Path(workspace.folder.name), create=False)
    assert write_report(again, tmp_path / "y.html").file.read_bytes() == first
    assert len(first) < 500_000


# -- hostile names ----------------------------------------------------------------------------


def named(workspace: Workspace, text: str) -> str:
    """The page of a workspace in which everything that may be any text is one."""
    summary, compared = SummaryFile.read(workspace.summary), comparisons(workspace)
    assert summary
    told = {"notes": (text,), "errors": (text,), "name": text, "notation": text}
    rows = [row.model_copy(update=told) for row in summary.rows]
    update = {"rows": tuple(rows), "notes": (text,), "shortfall": text, "versions": {text: text}}
    attempts = tuple(each.model_copy(update={"notation": text}) for each in summary.attempts)
    summary.model_copy(update={**update, "attempts": attempts}).write(workspace.summary)
    others = {"method": text, "name": text, "note": text, "error": text}
    rows = tuple(row.model_copy(update=others) for row in compared.rows)
    compared.model_copy(update={"rows": rows}).write(workspace.comparisons)
    tree = TreeFile.read(workspace.tree)
    assert tree
    tree.model_copy(update={"notes": (text,), "table": text}).write(workspace.tree)
    table = ARTable.from_csv(workspace.table_files("plain").table)
    write_table(workspace.folder, with_holes(table, text))
    whole = text.encode("utf-8", "replace").decode("utf-8")
    edit(workspace.model / "spec.json", {"versions": {whole: whole}, "notes": [whole]})
    return render(summarise(workspace), text)


def comparisons(workspace: Workspace) -> ComparisonsFile:
    found = ComparisonsFile.read(workspace.comparisons)
    assert found
    return found


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Workspace:
    """A workspace without trainings, which take time to read."""
    folder = tmp_path_factory.mktemp("bare") / "run"
    workspace = result_workspace(folder, seeds=(0,), corpus=HOSTILE.replace("/", ""), note="n")
    shutil.rmtree(workspace.trials.folder)
    workspace.trials.folder.mkdir()
    return workspace


@pytest.fixture(scope="module")
def calm_page(bare) -> str:
    return named(bare, "calm")


PARTS = (
    *(HOSTILE, "</title><base href=//x>", "<!--", "-->", "]]>", "<svg onload=x>", "{% x %}"),
    *("javascript:x", "' onclick='x", '" style="x', "`", "&lt;script&gt;", "\\", "\n", "\r", "\t"),
    *("\0", "\x1b[31m", "\x9b", "\u202e", "\u2066", "\u2028", "\ufeff", "\ud800", "é", "\udcff"),
)


# Half a character may stand anywhere; two halves become a whole one in a file.
SOME = st.characters(exclude_categories=["Cs"])


@settings(max_examples=8)
@given(st.lists(st.sampled_from(PARTS) | st.text(SOME, max_size=4), max_size=6).map("".join))
@example("".join(PARTS))
@example("x" * 64)
def test_a_name_adds_nothing_to_the_page_but_text(bare, calm_page, text):
    calm, page = Elements(calm_page), named(bare, text)
    found = Elements(page)
    assert {(tag, name) for tag, attributes in found.found for name in attributes} <= {
        (tag, name) for tag, attributes in calm.found for name in attributes
    }
    for tag in ("script", "style", "meta", "link", "a", "template", "table", "section"):
        assert len(found.of(tag)) == len(calm.of(tag))
    assert not [name for _, attributes in found.found for name in attributes if name[:2] == "on"]
    assert found.of("link") == calm.of("link")
    assert found.of("a") == calm.of("a")
    assert printable(page) == page  # nothing that reorders, hides or cannot be encoded
    assert "".join(found.text).count(printable(text)) >= 5
    assert re.findall("<script>.*?</script>", page, re.DOTALL) == re.findall(
        "<script>.*?</script>", calm_page, re.DOTALL
    )


def test_names_of_the_workspace_are_only_text(bare):
    page = named(bare, HOSTILE)
    assert "<img" not in page
    elements = Elements(page)
    text = "".join(elements.text)
    assert text.count(HOSTILE) >= 5
    assert HOSTILE.replace("/", "") in text
    assert len(elements.of("script")) == 2


def test_a_table_of_deeper_blocks_than_there_are_has_no_trees_and_says_why(tmp_path):
    workspace = Workspace(tmp_path / "run")
    with workspace.lock("a test"):
        pass
    table = ARTable.from_cells([Cell("a", "b", 9, 1.0)])
    table.to_csv(workspace.table_files("plain").table)
    numbers = summarise(workspace)
    assert numbers.trees is None
    assert "at most the 8 blocks of the encoder" in numbers.no_trees
    assert numbers.no_trees in "".join(Elements(render(numbers, "run")).text)


def test_cells_without_a_value_say_why(tmp_path):
    workspace = result_workspace(tmp_path / "run", stages=2, seeds=(0,))
    table = with_holes(ARTable.from_csv(workspace.table_files("plain").table), "loss is NaN")
    table.to_csv(workspace.table_files("plain").table)
    numbers = summarise(workspace)
    assert numbers.stability is None  # the resampled tables are those of another state
    text = " ".join("".join(Elements(render(numbers, "run")).text).split())
    assert "gc, ac at 4: failed, loss is NaN" in text
    assert "gc, scr at 5: skipped, it passes at depth 8" in text
    assert "2 cells have no value" in text
    cells = numbers.tables[0].cells
    assert not any(cell.passes for cell in cells if cell.ar_pct is None)


# -- pages of large runs ------------------------------------------------------------------------


def test_a_page_of_many_cells_shows_some_and_says_so(workspace, page, monkeypatch):
    module = sys.modules[summarise.__module__]
    monkeypatch.setattr(module, "_MOST_CELLS", 10)  # two pairs at five depths
    monkeypatch.setattr(module, "_MOST_CURVES", 3)
    numbers = summarise(workspace)
    small = render(numbers, "run")
    elements = Elements(small)
    text = "".join(elements.text)
    assert "Shown are the first 2 of 6 pairs" in text
    assert text.count("Its curves are left out") == 7
    assert sum("data-cell" in attributes for _, attributes in elements.found) == 10
    assert len(small) < len(page)
    told = {(c.task_a, c.task_b, c.shared_depth) for c in numbers.tables[0].cells if c.curves}
    assert ("gc", "ac", 8) in told  # what the tree rests on comes first


def test_drawings_that_are_too_large_are_told_in_words(numbers, monkeypatch):
    monkeypatch.setattr("synergy.report.html._MOST_BARS", 30)
    monkeypatch.setattr("synergy.report.html._MOST_NODES", 3)
    monkeypatch.setattr("synergy.report.html._MOST_POINTS", 2)
    small = render(numbers, "run")
    assert small.count('class="tree"') == 1  # that of the run
    assert small.count(": too large to be drawn here") == len(numbers.trees.distinct)
    assert 'class="graph"' not in small
    assert len(re.findall("<ol class=.numbers.*?</ol>", small, re.DOTALL)[0].split("<li>")) == 3


def test_thresholds_that_were_left_out_are_counted(workspace, monkeypatch):
    monkeypatch.setattr("synergy.report.trees._EFFORT", 0)
    monkeypatch.setattr("synergy.synthesis.effort._FEWEST", 5)
    numbers = summarise(workspace)
    assert numbers.trees.left_out > 0
    assert numbers.trees.distinct[numbers.trees.stops[numbers.trees.start].tree].notation == (
        numbers.final.notation
    )
    text = "".join(Elements(render(numbers, "run")).text)
    assert f"{numbers.trees.left_out} others were left out" in text


# -- what is replaced, and what is not ----------------------------------------------------------


@pytest.mark.parametrize("kind", ["device", "FIFO", "folder", "link", "text", "page", "no folder"])
def test_what_is_no_report_is_not_replaced(bare, tmp_path, monkeypatch, kind):
    monkeypatch.setattr("synergy.report.writing.summarise", None)  # nothing is made before
    file = tmp_path / "out.html"
    if kind == "device":
        file = Path("/dev/null")
    elif kind == "FIFO":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "link":
        (tmp_path / "report.html").write_text("")
        file.symlink_to(tmp_path / "report.html")
    elif kind == "no folder":
        file = tmp_path / "none" / "out.html"
    else:
        file.write_text("words" if kind == "text" else "<!doctype html><title>mine</title>")
    before = sorted((path.name, path.lstat().st_mode) for path in tmp_path.iterdir())
    with pytest.raises(ConfigError, match="name another file") as caught:
        write_report(bare, file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted((path.name, path.lstat().st_mode) for path in tmp_path.iterdir()) == before
    if kind in ("text", "page"):
        assert file.stat().st_size < 100


def test_a_report_and_an_empty_file_are_replaced(bare, tmp_path):
    file = tmp_path / "out.html"
    file.touch()
    first = write_report(bare, file).file.read_bytes()
    file.write_bytes(first.replace(b"AR", b"older"))
    assert write_report(bare, file).file.read_bytes() == first
    assert list(tmp_path.iterdir()) == [file]
