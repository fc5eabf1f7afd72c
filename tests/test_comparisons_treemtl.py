"""The estimate of TreeMTL, by hand and against all trees."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from small_tables import PAPER_BLOCKS

from synergy.comparisons.layouts import best_layout, layouts, tree_of
from synergy.comparisons.treemtl import layout_cost, relative_gains, svd_entropy, task_weights
from synergy.errors import TableError
from synergy.synthesis import ARTable, Cell
from synergy.tree import SharingTree


def scored(a: str, b: str, depth: int, multi_a: float, multi_b: float) -> Cell:
    return Cell(a, b, depth, 1.0, single_a=0.5, single_b=0.8, multi_a=multi_a, multi_b=multi_b)


def small_table() -> ARTable:
    """Gains of a: +10, -20 beside b; +2, 0 beside c. Of b: 0, -50; +5, +5. Of c: half, none."""
    cells = [
        *(scored("a", "b", 4, 0.55, 0.8), scored("a", "b", 8, 0.40, 0.4)),
        *(scored("a", "c", 4, 0.51, 0.84), scored("a", "c", 8, 0.50, 0.80)),
        *(scored("b", "c", 4, 0.525, 0.72), scored("b", "c", 8, 0.525, 0.88)),
    ]
    return ARTable.from_cells(cells)


def test_gains_of_swept_depths_are_relative_and_others_interpolated() -> None:
    gains = relative_gains(small_table(), 8)
    np.testing.assert_allclose(gains["a", "b"], [0, 2.5, 5, 7.5, 10, 2.5, -5, -12.5, -20])
    np.testing.assert_allclose(gains["b", "a"], [0, 0, 0, 0, 0, -12.5, -25, -37.5, -50])
    np.testing.assert_allclose(gains["c", "a"], [0, 1.25, 2.5, 3.75, 5, 3.75, 2.5, 1.25, 0])
    np.testing.assert_allclose(gains["b", "c"][4:], 5)


def test_gains_below_the_deepest_measured_depth_only() -> None:
    cells = {cell.key: cell for cell in small_table().cells}
    cells["a", "b", 8] = Cell("a", "b", 8, None, "failed")
    cells["a", "c", 4] = Cell.skipped("a", "c", 4, "not needed")
    gains = relative_gains(ARTable.from_cells(cells.values()), 8)
    np.testing.assert_allclose(gains["a", "b"], [0, 2.5, 5, 7.5, 10, *[math.nan] * 4])
    np.testing.assert_allclose(gains["a", "c"], 0)


def test_a_table_without_scores_is_refused() -> None:
    table = ARTable.from_cells([Cell("a", "b", 4, 1.0)])
    with pytest.raises(TableError, match="expected the scores of a-b at depth 4"):
        relative_gains(table, 8)


def test_entropy_of_a_series() -> None:
    assert svd_entropy(np.zeros(8)) == 0
    assert svd_entropy(np.array([1.0, 2.0])) == 0
    assert svd_entropy(np.full(8, 3.0)) == pytest.approx(0, abs=1e-9)  # rank 1
    # windows 100, 010, 001 have three equal singular values
    assert svd_entropy(np.array([0.0, 0.0, 1.0, 0.0, 0.0])) == pytest.approx(1)
    # windows (1, 0, 0) and (0, 0, 2): singular values 1 and 2
    shares = np.array([1, 2]) / 3
    expected = -(shares * np.log2(shares)).sum() / math.log2(3)
    assert svd_entropy(np.array([1.0, 0.0, 0.0, 2.0])) == pytest.approx(expected)


def test_weights_prefer_simple_gains() -> None:
    peak = np.array([0, 0, 0, 1, 0, 0, 0, 0, 0.0])
    gains = {
        **{pair: np.linspace(0, 8, 9) for pair in itertools.permutations("abc", 2)},
        ("a", "b"): peak,
        ("a", "c"): peak,
    }
    weights = task_weights("abc", gains)
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["a"] < weights["b"] == weights["c"]
    entropies = [svd_entropy(np.arange(1.0, 9.0)), svd_entropy(peak[1:])]
    assert weights["a"] / weights["b"] == pytest.approx((1 - entropies[1]) / (1 - entropies[0]))


def slow_score(tree: SharingTree, gains: Any, weights: Mapping[str, float]) -> float:
    total = 0.0
    for task in tree.tasks:
        others = [other for other in tree.tasks if other != task]
        total += weights[task] * np.mean(
            [gains[task, o][tree.shared_depth(task, o)] for o in others]
        )
    return total


def test_the_estimate_by_hand() -> None:
    gains = relative_gains(small_table(), 8)
    weights = {"a": 0.5, "b": 0.3, "c": 0.2}
    # {{a,c}@8,b}@4: a has 10 beside b and 0 beside c, b has 0 and 5, c has 0 and -10
    tree = SharingTree.parse("{{a,c}@8,b}@4", 8)
    by_hand = 0.5 * (10 + 0) / 2 + 0.3 * (0 + 5) / 2 + 0.2 * (0 - 10) / 2
    assert slow_score(tree, gains, weights) == pytest.approx(by_hand)
    cost = layout_cost(gains, weights)
    for layout in layouts("abc", 8):
        found = sum(cost(block, groups) for block, groups in enumerate(layout, 1))
        assert -found == pytest.approx(slow_score(tree_of(layout), gains, weights))


@pytest.mark.parametrize("most", [25_161, 40_000, 52_000])
def test_the_best_estimate_within_the_budget(most: int) -> None:
    gains = relative_gains(small_table(), 8)
    weights = task_weights("abc", gains)
    best = best_layout("abc", PAPER_BLOCKS[0], most, layout_cost(gains, weights))
    assert best is not None
    trees = [tree_of(layout) for layout in layouts("abc", 8)]
    fitting = [tree for tree in trees if tree.cost(PAPER_BLOCKS[0]) <= most]
    assert -best.cost == pytest.approx(max(slow_score(t, gains, weights) for t in fitting))
    assert best.tree in fitting


def test_depths_that_nobody_measured_are_never_shared() -> None:
    cells = {cell.key: cell for cell in small_table().cells}
    cells["b", "c", 8] = Cell("b", "c", 8, None, "failed")
    gains = relative_gains(ARTable.from_cells(cells.values()), 8)
    best = best_layout(
        "abc", PAPER_BLOCKS[0], 10**6, layout_cost(gains, dict.fromkeys("abc", 1 / 3))
    )
    assert best is not None
    assert best.tree.shared_depth("b", "c") <= 4
