"""Drawings of a report: what is drawn is what the numbers say."""

from __future__ import annotations

import itertools
import re
from importlib import resources
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_reports import BLOCKS, HEADS
from small_tables import PAPER_TASKS, sharing_trees

from synergy.report.graphics.curves import Curve, curves_svg
from synergy.report.graphics.frontier_plot import frontier_svg, legend_of
from synergy.report.graphics.graph_drawing import edge_class, task_graph_svg
from synergy.report.graphics.ramp import EDGES, ar_class, class_names
from synergy.report.graphics.svg import ticks
from synergy.report.graphics.tree_drawing import tree_svg
from synergy.report.trees import DistinctTree
from synergy.rows import Row
from synergy.tree import SharingTree
from synergy.wording import REPORTED

Element = ElementTree.Element


def parse(text: str) -> Element:
    return ElementTree.fromstring(text)


def within(image: Element, kind: str) -> list[Element]:
    """Elements with a class."""
    return [e for e in image.iter() if kind in e.get("class", "").split()]


def place(element: Element, *names: str) -> tuple[float, ...]:
    return tuple(float(element.get(name, "nan")) for name in names)


# -- the tree ---------------------------------------------------------------------------------


@given(sharing_trees(), st.data())
def test_the_ink_of_a_tree_is_its_size(tree, data):
    sizes = data.draw(st.lists(st.integers(100, 1000), min_size=tree.depth, max_size=tree.depth))
    heads = {task: data.draw(st.integers(100, 1000)) for task in tree.tasks}
    image = parse(tree_svg(tree, tree.tasks, sizes, heads))
    bars = [bar for branch in within(image, "branch") for bar in branch.iter("rect")]
    decoders = [bar for decoder in within(image, "decoder") for bar in decoder.iter("rect")]
    assert len(bars) == sum(len(branch.block_numbers) for branch in tree.branches())
    assert len(decoders) == len(tree.tasks)
    widths = [place(bar, "width")[0] for bar in [*bars, *decoders]]
    total = tree.cost(sizes) + sum(heads.values())
    scale = 66 / max([*sizes, *heads.values()])
    assert sum(widths) == pytest.approx(total * scale, abs=0.06 * len(widths))
    assert len({bar.get("height") for bar in [*bars, *decoders]}) == 1


@given(sharing_trees())
def test_no_two_bars_of_a_tree_touch(tree):
    image = parse(tree_svg(tree, tree.tasks, [1] * tree.depth, dict.fromkeys(tree.tasks, 1)))
    boxes = [place(bar, "x", "y", "width", "height") for bar in image.iter("rect")]
    for (x1, y1, w1, h1), (x2, y2, w2, h2) in itertools.combinations(boxes, 2):
        apart = x1 + w1 <= x2 or x2 + w2 <= x1 or y1 + h1 <= y2 or y2 + h2 <= y1
        assert apart
    width, height = place(image, "width", "height")
    assert all(x >= 0 and x + w <= width and y + h <= height for x, y, w, h in boxes)


def test_a_tree_is_described_in_words():
    tree = SharingTree.parse("{{gc,ac}@8,{scr,vad}@8}@6", 8)
    image = parse(tree_svg(tree, PAPER_TASKS, BLOCKS, HEADS))
    words = image.get("aria-label", "")
    assert words.startswith("{{gc,ac}@8,{scr,vad}@8}@6: blocks 1-6 shared by ac, gc, scr, vad: ")
    assert f"{sum(BLOCKS[:6]):,}; blocks 7-8 shared by ac, gc: 8,064" in words
    assert [e.text for e in within(image, "task")] == list(PAPER_TASKS)


# -- the task graph ---------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3, 4, 5, 8])
def test_every_edge_has_its_weight(count):
    tasks = [f"task{n}" for n in range(count)]
    edges = list(itertools.combinations(tasks, 2))
    weights = [n % 9 for n in range(len(edges))]
    image = parse(task_graph_svg(tasks, edges, weights, 8))
    labels = {e.get("data-edge"): e for e in image.iter("text") if e.get("data-edge")}
    lines = {e.get("data-edge"): e for e in image.iter("line")}
    assert {n: e.text for n, e in labels.items()} == {str(n): str(w) for n, w in enumerate(weights)}
    for number, label in labels.items():
        x1, y1, x2, y2 = place(lines[number], "x1", "y1", "x2", "y2")
        x, y = place(label, "x", "y")
        assert abs((x - x1) * (y2 - y1) - (y - 4 - y1) * (x2 - x1)) < 60  # it lies on its line
        assert lines[number].get("class") == edge_class(weights[int(number or 0)], 8)
    spots = [place(label, "x", "y") for label in labels.values()]
    if count <= 5:
        apart = itertools.combinations(spots, 2)
        assert all(abs(a - c) + abs(b - d) > 15 for (a, b), (c, d) in apart)


def test_edges_get_wider_with_their_weight():
    kinds = [edge_class(weight, 8) for weight in range(9)]
    assert kinds[0] == "none"
    assert kinds[-1] == "t5"
    assert kinds[1:] == sorted(kinds[1:])


# -- curves -----------------------------------------------------------------------------------


def test_curves_stay_inside_their_axes():
    climb = Curve("single", tuple((float(e), 90 - 60 * 0.5**e) for e in range(1, 21)), 19)
    flat = Curve("shared", tuple((float(e), 80.0 + e / 10) for e in range(1, 21)), 5)
    image = parse(curves_svg("score of gc", [climb, flat]))
    width, height = place(image, "width", "height")
    lines = list(image.iter("polyline"))
    assert [line.get("class") for line in lines] == ["single", "shared"]
    for line in lines:
        spots = [tuple(map(float, spot.split(","))) for spot in line.get("points", "").split()]
        assert all(0 <= x <= width and 0 <= y <= height for x, y in spots)
        assert [x for x, _ in spots] == sorted(x for x, _ in spots)
    assert image.get("aria-label") == "score of gc: alone kept 90.0 %; shared kept 80.6 %"


@pytest.mark.parametrize(
    "curves",
    [
        [],
        [Curve("single", ())],
        [Curve("single", ((1.0, 50.0),), 0)],
        [Curve("shared", ((1.0, 70.0), (2.0, 70.0)), None)],
    ],
)
def test_short_and_level_curves_can_be_drawn(curves):
    image = parse(curves_svg("x", curves))
    assert "nan" not in ElementTree.tostring(image, encoding="unicode")


@given(st.floats(0, 100), st.floats(0.01, 100), st.integers(2, 8))
def test_ticks_are_few_and_inside(low, span, count):
    found = ticks(low, low + span, count)
    assert len(found) <= count + 1
    assert all(low - 1e-6 <= tick <= low + span + 1e-6 for tick in found)
    assert found == sorted(found)


# -- the frontier -----------------------------------------------------------------------------


def model(name: str, ar: float, low: float | None, high: float | None, params: int) -> Row:
    ends = [{} if end is None else dict.fromkeys(REPORTED, end) for end in (low, high)]
    ar_pct = dict.fromkeys(REPORTED, ar)
    return Row(name=name, params=params, ar_pct=ar_pct, ar_low=ends[0], ar_high=ends[1])


def crowd(count: int) -> list[Row]:
    return [
        model(f"method {n}", 0.4 * n + 1, 0.3 * n, 0.6 * n + 2, 51_000 + 60 * (n % 7))
        for n in range(count)
    ]


STEPS = [
    DistinctTree(
        tree=SharingTree.flat(["a", "b"], n, 8),
        notation=f"{{a,b}}@{n}",
        low=q,
        high=None,
        params=90_000 - 8000 * n,
        macs=0,
        predicted_ar_pct=q,
        provably_optimal=False,
    )
    for n, q in enumerate((0, 0.5, 1.2, 2.0))
]


def test_every_model_is_a_labelled_point():
    ours = model("ours", 1.6, 0.8, 2.6, 51_102)
    rows = [*crowd(14), ours]
    image = parse(frontier_svg(STEPS, rows, ours, 118_521, 2.0))
    valid = next(iter(within(image, "valid")))
    assert len(within(valid, "mark")) == 15
    assert len(within(valid, "final")) == 3  # mark, interval and label
    labels = list(valid.iter("text"))
    assert sorted(e.text or "" for e in labels) == sorted(row.name for row in rows)
    boxes = [(*place(e, "x", "y"), 6 * len(e.text or "")) for e in labels]
    for (x1, y1, w1), (x2, y2, w2) in itertools.combinations(boxes, 2):
        assert x1 + w1 <= x2 or x2 + w2 <= x1 or abs(y1 - y2) >= 10


def test_a_narrow_drawing_has_numbers_instead_of_names():
    rows = crowd(6)
    image = parse(frontier_svg(STEPS, rows, None, 0, None, 340, 380))
    test = next(iter(within(image, "test")))
    assert sorted(e.text or "" for e in test.iter("text")) == list("123456")
    assert legend_of(rows) == tuple(f"method {n}" for n in range(6))


def test_equal_models_are_one_point_with_all_names():
    rows = [model(name, 1.0, None, None, 50_000) for name in ("tree", "recursive")]
    image = next(iter(within(parse(frontier_svg([], rows, None, 0, None)), "valid")))
    assert len(within(image, "mark")) == 1
    assert [e.text for e in within(image, "label")] == ["tree, recursive"]


def test_steps_go_down_to_the_right():
    image = parse(frontier_svg(STEPS, [], None, 118_521, 2.0))
    dots = [place(e, "cx", "cy") for e in within(image, "step")]
    assert [e.get("data-tree") for e in within(image, "step")] == list("0123")
    assert dots == sorted(dots)
    assert [y for _, y in dots] == sorted(y for _, y in dots)
    titles = [e.text for e in image.iter("title")]
    assert titles[1] == "{a,b}@1: 82,000 parameters, predicted AR 0.5 %"


# -- text and colours -------------------------------------------------------------------------


def test_text_is_escaped():
    name = "<b>&\"'\x00\x1b"
    text = task_graph_svg([name, "b"], [(name, "b")], [3], 8)
    assert "<b>" not in text
    assert parse(text).find("./g[@class='nodes']/text").text == "<b>&\"'\\x00\\x1b"  # pyright: ignore[reportOptionalMemberAccess]


@given(st.floats(0, 200))
def test_classes_of_ar_are_in_order(ar):
    number = ar_class(ar)
    assert number == len(EDGES) or ar <= EDGES[number]
    assert number == 0 or ar > EDGES[number - 1]
    assert len(class_names()) == len(EDGES) + 1


def colours() -> dict[str, dict[str, str]]:
    """Custom properties of the style sheet, for each scheme."""
    style = resources.files("synergy.report").joinpath("templates", "report.css")
    blocks = re.findall(r":root \{(.*?)\}", style.read_text(encoding="utf-8"), re.DOTALL)
    light, dark = (dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in blocks[:2])
    return {"light": light, "dark": {**light, **dark}}


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2, definition of the same name)."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_every_colour(scheme):
    known = colours()[scheme]
    pairs = [(f"ar-{n}", f"on-ar-{n}") for n in range(9)] + [
        (f"by{n}", f"on{n}") for n in range(1, 6)
    ]
    pairs += itertools.product(("page", "card"), ("ink", "quiet", "accent", "good", "bad", "focus"))
    pairs.append(("soft", "ink"))
    poor = {pair: round(contrast(known[pair[0]], known[pair[1]]), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in poor.items() if ratio < 4.5} == {}


def test_the_ramp_is_a_ramp_of_lightness():
    for scheme, sign in (("light", -1), ("dark", 1)):
        steps = [sign * luminance(colours()[scheme][f"ar-{n}"]) for n in range(9)]
        assert steps == sorted(steps)
        assert min(b - a for a, b in itertools.pairwise(steps)) > 0.005
