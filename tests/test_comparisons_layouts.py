"""All sharing trees of some tasks, and the best of them within a budget."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synergy.comparisons.layouts import (
    Best,
    Layout,
    Partition,
    best_layout,
    layouts,
    partitions,
    split_tree,
    tree_of,
)
from synergy.tree import SharingTree

TASKS = ("ac", "gc", "scr", "vad")
PARAMS = (1, 2, 3, 5, 8, 8, 8, 8)


def random_costs(seed: int, depth: int):
    """A cost of every partition at every block, by a hash-free table that fills up."""
    draw = random.Random(seed)
    known: dict[tuple[int, Partition], float] = {}

    def cost(block: int, partition: Partition) -> float:
        assert 1 <= block <= depth
        return known.setdefault((block, partition), draw.choice((0.0, 0.5, 1.0, 2.0)))

    return cost


# -- what there is ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "bell"), [(0, 1), (1, 1), (2, 2), (3, 5), (4, 15), (5, 52), (7, 877)]
)
def test_partitions(count: int, bell: int) -> None:
    tasks = [f"t{number}" for number in range(count)]
    found = list(partitions(tasks))
    assert len(found) == len(set(found)) == bell
    for partition in found:
        assert sorted(itertools.chain(*partition)) == tasks
    if count:
        assert found[0] == (tuple(tasks),)


def test_partitions_keep_the_order_of_tasks() -> None:
    assert list(partitions(["b", "a"])) == [(("b", "a"),), (("b",), ("a",))]


# Zhang et al. 2022 enumerate 51 and 561; 1,989 is what the same counting gives for eight blocks.
@pytest.mark.parametrize(
    ("tasks", "depth", "count"), [(1, 8, 1), (2, 8, 9), (3, 5, 51), (4, 5, 561), (4, 8, 1989)]
)
def test_number_of_layouts(tasks: int, depth: int, count: int) -> None:
    found = list(layouts([f"t{number}" for number in range(tasks)], depth))
    assert len(found) == count
    assert len({tree_of(layout) for layout in found}) == count


def test_groups_of_a_block_lie_inside_groups_of_the_block_before() -> None:
    for layout in layouts(TASKS[:3], 4):
        for before, after in itertools.pairwise(layout):
            assert all(any(set(g) <= set(outer) for outer in before) for g in after)


def test_a_layout_and_its_tree_share_the_same() -> None:
    for layout in layouts(TASKS, 3):
        tree = tree_of(layout)
        for a, b in itertools.combinations(TASKS, 2):
            together = [any({a, b} <= set(group) for group in partition) for partition in layout]
            assert tree.shared_depth(a, b) == sum(together)
        costs = [1.0, 10.0, 100.0]
        assert tree.cost(costs) == sum(len(p) * c for p, c in zip(layout, costs, strict=True))


@pytest.mark.parametrize(
    ("groups", "trunk", "inside", "notation"),
    [
        ([("gc", "ac"), ("scr", "vad")], 6, [8, 7], "{{ac,gc}@8,{scr,vad}@7}@6"),
        ([("gc", "ac", "scr"), ("vad",)], 0, [8, 8], "{{ac,gc,scr}@8,vad}@0"),
        ([("gc", "ac", "scr", "vad")], 0, [8], "{ac,gc,scr,vad}@8"),
        ([("gc",), ("ac",)], 4, [8, 8], "{ac,gc}@4"),
        ([("gc", "ac"), ("vad",)], 4, [4, 8], "{ac,gc,vad}@4"),
    ],
)
def test_split_tree(groups, trunk, inside, notation: str) -> None:
    assert split_tree(groups, trunk, inside, 8) == SharingTree.parse(notation, 8)


# -- the best one -----------------------------------------------------------------------------


def slow_best(tasks, params, most, cost) -> tuple[float, int] | None:
    ranked = []
    for layout in layouts(tasks, len(params)):
        total = sum(cost(block, groups) for block, groups in enumerate(layout, 1))
        size = sum(len(groups) * p for groups, p in zip(layout, params, strict=True))
        if size <= most and total < math.inf:
            ranked.append((total, size))
    return min(ranked, default=None)


@given(st.integers(2, 4), st.integers(0, 10**6), st.integers(20, 170))
def test_the_best_layout_is_the_best_of_all(count: int, seed: int, most: int) -> None:
    tasks, params = TASKS[:count], PARAMS[:4]
    cost = random_costs(seed, 4)
    best = best_layout(tasks, params, most, cost)
    expected = slow_best(tasks, params, most, cost)
    assert (best is None) == (expected is None)
    if best is not None:
        assert (best.cost, best.tree.cost(params)) == expected
        assert best.every


def test_what_does_not_fit_or_must_not_be_is_never_chosen() -> None:
    assert best_layout(TASKS, PARAMS, sum(PARAMS) - 1, lambda *_: 0.0) is None
    assert best_layout(TASKS, PARAMS, 1000, lambda *_: math.inf) is None
    best = best_layout(TASKS, PARAMS, sum(PARAMS), lambda _, groups: -float(len(groups)))
    assert best == Best(SharingTree.flat(TASKS, 8, 8), -8.0, 1989, True)


def test_of_equals_the_smallest_wins() -> None:
    best = best_layout(TASKS, PARAMS, 1000, lambda *_: 0.0)
    assert best is not None
    assert best.tree == SharingTree.flat(TASKS, 8, 8)


# -- the beam ---------------------------------------------------------------------------------


def planted(tree: SharingTree, too_deep: float):
    """Rewards every block that a pair shares in ``tree``, charges for every further one."""

    def cost(block: int, partition: Partition) -> float:
        pairs = [pair for group in partition for pair in itertools.combinations(group, 2)]
        return sum(-1.0 if block <= tree.shared_depth(*pair) else too_deep for pair in pairs)

    return cost


def test_a_beam_finds_a_planted_tree() -> None:
    tree = SharingTree.parse("{{{a,b}@8,c}@7,{d,e,f}@6}@2", 8)
    best = best_layout(tree.tasks, PARAMS, 1000, planted(tree, 1.0))
    assert best is not None
    assert best.tree == tree
    assert not best.every
    assert "of a beam" in best.extent


def test_a_beam_finds_its_way_out_of_what_is_forbidden() -> None:
    tree = SharingTree.parse("{{{a,b}@8,c}@7,{d,e,f}@6}@2", 8)
    best = best_layout(tree.tasks, PARAMS, 1000, planted(tree, math.inf))
    assert best is not None
    for pair in itertools.combinations(tree.tasks, 2):
        assert best.tree.shared_depth(*pair) <= tree.shared_depth(*pair)


@pytest.mark.parametrize("seed", range(3))
def test_a_beam_keeps_the_budget_and_never_beats_what_there_is(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks, params, most, cost = TASKS, PARAMS[:5], 45, random_costs(seed, 5)
    whole = best_layout(tasks, params, most, cost)
    monkeypatch.setattr("synergy.comparisons.layouts.MAX_ENUMERATED", 3)
    beam = best_layout(tasks, params, most, cost)
    assert whole is not None
    assert beam is not None
    assert beam.tree.cost(params) <= most
    assert beam.cost >= whole.cost
    assert beam.cost == sum(
        cost(block, groups) for block, groups in enumerate(layout_of(beam.tree), 1)
    )


def layout_of(tree: SharingTree) -> Layout:
    """By the definition: tasks are in one group of a block when they share it."""
    found = []
    for block in range(1, tree.depth + 1):
        groups: list[list[str]] = []
        for task in tree.tasks:
            home = next((g for g in groups if tree.shared_depth(g[0], task) >= block), None)
            if home is None:
                groups.append([task])
            else:
                home.append(task)
        found.append(tuple(tuple(group) for group in groups))
    return tuple(found)


def test_layout_of_is_the_inverse() -> None:
    for layout in layouts(TASKS[:3], 4):
        assert layout_of(tree_of(layout)) == layout
