"""The report in a browser: it opens, moves, and asks for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_browser import Browser, Page, chromium, open_browser
from small_reports import result_workspace, with_holes

from synergy.report import Report, write_report
from synergy.synthesis import ARTable

pytestmark = pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine")

HOSTILE = "</script><script>document.title = 'taken'</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    with open_browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Report:
    folder = tmp_path_factory.mktemp("runs") / "run"
    corpus = "<img src=x onerror=\"document.title='taken'\">"
    return write_report(result_workspace(folder, corpus=corpus, note=HOSTILE))


@pytest.fixture(scope="module")
def numbers(report):
    return report.numbers


@pytest.fixture(scope="module")
def file(report) -> Path:
    return report.file


@pytest.fixture(scope="module")
def tab(browser) -> Page:
    return browser.page()


@pytest.fixture
def page(tab, file) -> Page:
    """The report as it opens, in one tab for all tests."""
    tab.open(file.as_uri())
    return tab


def notation(page: Page) -> str:
    return page.run("document.querySelector('#tree-text .notation').textContent")


def test_it_opens_without_complaint_and_asks_for_nothing(page, file, numbers):
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith("data:")] == [file.as_uri()]
    assert page.run("document.title").startswith(numbers.final.notation)
    assert page.run("document.images.length") == 0
    assert page.run("document.scripts.length") == 2


def test_what_a_page_must_not_do_is_refused(page):
    page.run("document.body.append(Object.assign(new Image(), {src: 'file:///x.png'}))")
    page.run("fetch('file:///x').catch(() => 0)")
    assert any("Content Security Policy" in complaint for complaint in page.complaints)


def test_the_slider_moves_graph_and_tree_by_keyboard(page, numbers):
    trees, pairs = numbers.trees, numbers.tables[0].pairs
    assert notation(page) == numbers.final.notation
    page.run("document.getElementById('threshold').focus()")
    page.press("Home")
    seen = []
    for number, stop in enumerate(trees.stops):
        if number:
            page.press("ArrowRight")
        name = trees.distinct[stop.tree].notation
        assert notation(page) == name
        label = page.run("document.querySelector('#tree svg').getAttribute('aria-label')")
        assert label.startswith(f"{name}: ")
        told = page.run("document.getElementById('threshold').getAttribute('aria-valuetext')")
        assert told.endswith(name)
        assert told.startswith(f"{stop.low:.2f} %")
        shown = page.run(
            "[...document.querySelectorAll('.graph .weights text')].map((e) => +e.textContent)"
        )
        assert shown == list(stop.weights)
        assert len(shown) == len(pairs)
        lit = page.run("document.querySelector('.frontier .step.now').dataset.tree")
        assert int(lit) == stop.tree
        seen.append(name)
    assert len(set(seen)) == len(trees.distinct) > 3
    page.press("ArrowLeft")
    assert notation(page) == seen[-2]
    assert page.complaints == []


def test_buttons_go_from_tree_to_tree_and_home(page, numbers):
    names = [entry.notation for entry in numbers.trees.distinct]
    at = names.index(numbers.final.notation)
    page.run("document.getElementById('next').click()")
    assert notation(page) == names[at + 1]
    for name in reversed(names[: at + 1]):
        page.run("document.getElementById('previous').click()")
        assert notation(page) == name
    assert page.run("document.getElementById('previous').disabled")
    page.run("document.getElementById('home').click()")
    assert page.run("document.getElementById('tree-text').textContent").startswith(
        "Tree of this run"
    )


def test_cells_show_their_training_by_keyboard(page):
    title = "document.querySelector('#cell h3').textContent"
    page.run("document.querySelector('[data-cell=\"0-0\"]').focus()")
    assert page.run(title) == "gc and ac sharing 4 blocks"
    assert page.run("document.querySelectorAll('#cell svg').length") == 2
    assert page.run("document.querySelectorAll('#cell polyline').length") == 12
    page.press("ArrowRight")
    assert page.run(title) == "gc and ac sharing 5 blocks"
    page.press("ArrowDown")
    assert page.run(title) == "gc and scr sharing 5 blocks"
    page.press("Tab")
    assert page.run(title) == "gc and scr sharing 6 blocks"
    page.run("document.querySelector('[data-cell=\"0-29\"]').click()")
    assert page.run(title) == "scr and vad sharing 8 blocks"
    assert page.run("document.querySelectorAll('[aria-pressed=true]').length") == 1


def test_focus_can_be_seen(page):
    page.run("document.querySelector('[data-cell]').focus()")
    page.press("ArrowRight")
    style = "getComputedStyle(document.activeElement)"
    assert page.run(f"{style}.outlineStyle") == "solid"
    assert page.run(f"parseFloat({style}.outlineWidth)") >= 2


def test_tables_are_sorted_by_keyboard(page):
    page.run("window.table = document.querySelector('#results table.wide')")
    page.run("window.head = table.tHead.rows[0].cells[2]; head.querySelector('button').focus()")
    column = "[...table.tBodies[0].rows].map((row) => row.cells[2].dataset.value)"
    for direction, reverse in (("ascending", False), ("descending", True)):
        page.press("Enter")
        assert page.run("head.getAttribute('aria-sort')") == direction
        values = page.run(column)
        known = [float(value) for value in values if value]
        assert known == sorted(known, reverse=reverse)
        assert values[-1] == ""  # what has no value stays last
    page.run("table.tHead.rows[0].cells[0].querySelector('button').click()")
    assert page.run("document.querySelectorAll('[aria-sort]').length") == 1


def test_the_frontier_shows_one_split_at_a_time(page):
    def shown(split: str) -> bool:
        return page.run(f"!!document.querySelector('.wide .{split} .mark').getClientRects().length")

    assert shown("valid")
    assert not shown("test")
    page.run("document.getElementById('on-valid').focus()")
    page.press("ArrowRight")
    assert shown("test")
    assert not shown("valid")


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_the_page_never_scrolls_sideways(page, file, width):
    page.open(file.as_uri(), width=width, height=740)
    page.run("document.querySelectorAll('details').forEach((e) => (e.open = true))")
    assert page.run("document.documentElement.scrollWidth") <= width
    assert page.run("document.body.getBoundingClientRect().width") <= width
    assert page.complaints == []


def test_the_dark_scheme_has_other_colours(page, file):
    found = {}
    for dark in (False, True):
        page.open(file.as_uri(), dark=dark)
        found[dark] = page.run(
            "['body', '.heat .a1', '#tree rect'].map((name) => {"
            " const style = getComputedStyle(document.querySelector(name));"
            " return name.includes('rect') ? style.fill : style.backgroundColor; })"
        )
    assert all(light != dark for light, dark in zip(found[False], found[True], strict=True))


def test_colours_of_cells_are_those_of_their_class(page):
    wrong = page.run(
        "[...document.querySelectorAll('.heat .ar[class*=\" a\"]')].filter((cell) => {"
        " const button = cell.querySelector('button');"
        " return getComputedStyle(button).color !== getComputedStyle(cell).color;"
        "}).length"
    )
    assert wrong == 0


def test_a_run_that_has_only_begun_opens_too(page, tmp_path):
    for stages in (1, 2):
        workspace = result_workspace(tmp_path / f"run{stages}", stages=stages, seeds=(0,))
        if stages == 2:
            with_holes(ARTable.from_csv(workspace.table_files("plain").table), "NaN").to_csv(
                workspace.table_files("plain").table
            )
        page.open(write_report(workspace).file.as_uri(), width=360)
        assert page.complaints == []
        assert page.run("document.documentElement.scrollWidth") <= 360
    assert page.run("document.querySelectorAll('#tree svg').length") == 1
    page.run("document.querySelector('.heat .off button').click()")
    assert page.run("document.querySelector('#cell p').textContent") == "failed: NaN"


def test_without_a_script_the_tree_of_the_run_stays(browser, file, numbers):
    page = browser.page()
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.open(file.as_uri())
    assert notation(page) == numbers.final.notation
    for name in ("#controls", "#cell"):
        assert page.run(f"document.querySelector('{name}').getClientRects().length") == 0
    assert page.run("document.querySelector('#tree svg').getBoundingClientRect().height") > 200
    assert page.run("document.querySelectorAll('.heat button').length") == 30
