"""What a tree promises, and the choice of the smallest one that promises enough."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_losses import BLOCKS, DEPTHS, additive, posterior_of
from small_tables import costs_of
from small_trees import all_shapes, shape_of

from synergy.errors import ConfigError, TableError
from synergy.losses.choice import Choice, choose
from synergy.losses.groups import from_tree, neighbours, saving, to_tree
from synergy.losses.pair_losses import PairLosses
from synergy.losses.promise import Promise
from synergy.tree import SharingTree

COSTS = costs_of(BLOCKS)


def draws_of(tasks: int, seed: int, spread: float, draws: int = 200) -> np.ndarray:
    rng = np.random.default_rng(seed)
    losses = additive(tasks, rng)
    return losses + spread * rng.standard_normal((draws, *losses.shape))


def promised(losses: np.ndarray, max_ar: float = 2.0, **terms) -> Promise:
    return Promise(PairLosses.of(posterior_of(losses, **terms)), max_ar)


def promise_of(tasks=3, seed=0, spread=0.5) -> Promise:
    return promised(draws_of(tasks, seed, spread))


def parsed(text: str) -> SharingTree:
    return SharingTree.parse(text, 8)


def test_sharing_nothing_keeps_every_threshold():
    promise = promised(draws_of(4, 0, 9.0), 0.0)
    assert promise.probability(parsed("{a,b,c,d}@0")) == 1.0


def test_a_tree_keeps_what_every_pair_keeps_at_its_depth():
    promise = promise_of()
    losses = promise.pairs.draws  # pairs ab, ac, bc
    kept = (losses[0, 3] <= 2).all(axis=0)
    kept &= (losses[1:, 1] <= 2).all(axis=(0, 1))
    assert promise.probability(parsed("{{a,b}@8,c}@4")) == pytest.approx(kept.mean())


def test_the_losses_of_a_task_in_its_pairs_add_up():
    pairs = promise_of().pairs
    ab, ac, bc = pairs.draws[0, 3], pairs.draws[1, 1], pairs.draws[2, 1]
    total = np.array([ab[0] + ac[0], ab[1] + bc[0], ac[1] + bc[1]])
    assert pairs.by_task(pairs.levels(parsed("{{a,b}@8,c}@4"))) == pytest.approx(total)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), rise=st.floats(0.01, 2))
def test_probability_falls_with_depth_where_losses_rise(seed, rise):
    first = draws_of(3, seed, 1.0)[:, :: len(DEPTHS)]
    losses = first[:, :, None] + rise * np.arange(len(DEPTHS))[:, None]
    promise = promised(losses.reshape(len(first), -1, 2))
    chances = [promise.probability(SharingTree.flat("abc", depth, 8)) for depth in (0, *DEPTHS)]
    assert chances == sorted(chances, reverse=True)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    spread=st.floats(0, 2),
    confidence=st.sampled_from([0.5, 0.9]),
)
def test_choice_is_the_smallest_of_all_trees_of_three_tasks(seed, spread, confidence):
    promise = promise_of(3, seed, spread)
    chosen = choose(promise, COSTS, confidence).chosen
    shapes = {
        shape.shared: shape.cost(BLOCKS)
        for shape in all_shapes(3)
        if set(shape.shared) <= {0, *DEPTHS}
    }
    # a flat tree, and those with one pair deeper
    trees = [SharingTree.flat("abc", depth, 8) for depth in (0, *DEPTHS)]
    trees += [
        parsed(f"{{{{{one},{two}}}@{deep},{three}}}@{depth}")
        for one, two, three in ("abc", "acb", "bca")
        for depth, deep in itertools.combinations((0, *DEPTHS), 2)
    ]
    assert {shape_of(tree, "abc") for tree in trees} == set(shapes)
    fitting = [tree.cost(BLOCKS) for tree in trees if promise.probability(tree) >= confidence]
    assert chosen.cost == min(fitting)
    assert chosen.cost == shapes[shape_of(chosen.tree, "abc")]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), spread=st.floats(0, 3), tasks=st.integers(2, 6))
def test_choice_promises_what_was_asked_and_names_smaller_trees_that_do_not(seed, spread, tasks):
    promise = promise_of(tasks, seed, spread)
    found = choose(promise, COSTS)
    assert found.chosen.probability == promise.probability(found.chosen.tree) >= 0.9
    for tree in found.smaller:
        assert tree.cost < found.chosen.cost
        assert 0 < tree.probability < 0.9
    gains = [(found.chosen.cost - c.cost) * c.probability for c in found.smaller]
    assert gains == sorted(gains, reverse=True)


def test_with_certain_losses_the_choice_is_the_tree_of_the_exact_solver():
    losses = np.full((1, 18, 2), 1.0)
    losses[0, :3] = 3.0  # a and b share nothing
    found = choose(promised(losses), COSTS)
    assert found.chosen.cost == 2 * sum(BLOCKS)
    assert found.smaller == ()


def test_where_nothing_keeps_the_threshold_nothing_is_shared():
    found = choose(promised(np.full((5, 9, 2), 3.0)), COSTS)
    assert found == Choice(found.chosen, ())
    assert found.chosen.tree == parsed("{a,b,c}@0")


def test_failed_cells_are_out_of_reach():
    losses = np.full((1, 9, 2), -1.0)
    failed = frozenset({("b", "c", 8)})
    promise = promised(losses, failed=failed)
    tree = choose(promise, COSTS).chosen.tree
    assert shape_of(tree, "abc") in {(8, 6, 6), (6, 8, 6)}
    assert promise.probability(parsed("{a,{b,c}@8}@0")) == 0


def test_every_tree_can_be_reached_step_by_step():
    seen, left = {(0, (0, 1, 2, 3))}, [(0, (0, 1, 2, 3))]
    while left:
        new = set(neighbours(left.pop(), 2)) - seen
        seen |= new
        left += new
    shapes = {s.shared for s in all_shapes(4) if set(s.shared) <= {0, 4, 8}}
    trees = {to_tree(group, "abcd", (4, 8), 8): group for group in seen}
    assert {shape_of(tree, "abcd") for tree in trees} == shapes
    assert len(trees) == len(seen)
    sums = np.concatenate([[0], np.cumsum(BLOCKS)])
    for tree, group in trees.items():
        assert from_tree(tree, "abcd", (4, 8)) == group
        saved = 4 * sum(BLOCKS) - saving(group, sums[[0, 4, 8]].tolist())
        assert saved == pytest.approx(tree.cost(BLOCKS))


def test_impossible_questions_are_refused():
    promise = promise_of()
    with pytest.raises(TableError, match="the tasks a, b, c"):
        promise.probability(parsed("{a,b}@4"))
    with pytest.raises(TableError, match="found 5 of a, b"):
        promise.probability(parsed("{{a,b}@5,c}@0"))
    with pytest.raises(ConfigError, match="confidence above 0"):
        choose(promise, COSTS, 1.0)
    with pytest.raises(ConfigError, match="at least 8 blocks, found 6"):
        choose(promise, costs_of(BLOCKS[:6]))
