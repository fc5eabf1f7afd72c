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
from synergy.losses.promise import GROUP_SD, Promise, group_error
from synergy.synthesis import Question
from synergy.tree import SharingTree

COSTS = costs_of(BLOCKS)
QUESTION = Question(2.0)


def draws_of(tasks: int, seed: int, spread: float, draws: int = 200) -> np.ndarray:
    rng = np.random.default_rng(seed)
    losses = additive(tasks, rng)
    return losses + spread * rng.standard_normal((draws, *losses.shape))


def promise_of(tasks=3, seed=0, spread=0.5, rule="pairs", **terms) -> Promise:
    return Promise.of(posterior_of(draws_of(tasks, seed, spread)), QUESTION, rule, **terms)


def parsed(text: str) -> SharingTree:
    return SharingTree.parse(text, 8)


@pytest.mark.parametrize("rule", ["pairs", "sum"])
def test_sharing_nothing_keeps_every_threshold(rule):
    promise = Promise.of(posterior_of(draws_of(4, 0, 9.0)), Question(0.0), rule)
    assert promise.probability(parsed("{a,b,c,d}@0")) == 1.0


def test_a_tree_keeps_what_every_pair_keeps_at_its_depth():
    promise = promise_of()
    losses = promise.losses  # pairs ab, ac, bc
    kept = (losses[0, 3] <= 2).all(axis=0)
    kept &= (losses[1:, 1] <= 2).all(axis=(0, 1))
    assert promise.probability(parsed("{{a,b}@8,c}@4")) == pytest.approx(kept.mean())


def test_by_the_rule_of_sums_the_losses_of_a_task_add_up():
    promise = promise_of(rule="sum", group_sd=0.0)
    ab, ac, bc = promise.losses[0, 3], promise.losses[1, 1], promise.losses[2, 1]
    total = np.array([ab[0] + ac[0], ab[1] + bc[0], ac[1] + bc[1]])
    tree = parsed("{{a,b}@8,c}@4")
    assert promise.task_losses(tree) == pytest.approx(total)
    assert promise.probability(tree) == pytest.approx((total <= 2).all(axis=0).mean())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), rise=st.floats(0.01, 2))
def test_probability_falls_with_depth_where_losses_rise(seed, rise):
    first = draws_of(3, seed, 1.0)[:, :: len(DEPTHS)]
    losses = first[:, :, None] + rise * np.arange(len(DEPTHS))[:, None]
    promise = Promise.of(posterior_of(losses.reshape(len(first), -1, 2)), QUESTION)
    chances = [promise.probability(SharingTree.flat("abc", depth, 8)) for depth in (0, *DEPTHS)]
    assert chances == sorted(chances, reverse=True)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    spread=st.floats(0, 2),
    rule=st.sampled_from(["pairs", "sum"]),
    confidence=st.sampled_from([0.5, 0.9]),
)
def test_choice_is_the_smallest_of_all_trees_of_three_tasks(seed, spread, rule, confidence):
    promise = promise_of(3, seed, spread, rule)
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
    found = choose(Promise.of(posterior_of(losses), QUESTION), COSTS)
    assert found.chosen.cost == 2 * sum(BLOCKS)
    assert found.smaller == ()


def test_where_nothing_keeps_the_threshold_nothing_is_shared():
    found = choose(Promise.of(posterior_of(np.full((5, 9, 2), 3.0)), QUESTION), COSTS)
    assert found == Choice(found.chosen, ())
    assert found.chosen.tree == parsed("{a,b,c}@0")


@pytest.mark.parametrize("rule", ["pairs", "sum"])
def test_caps_and_failed_cells_are_out_of_reach(rule):
    losses = np.full((1, 9, 2), -1.0)
    failed = frozenset({("b", "c", 8)})
    question = Question(2.0, caps={frozenset("ab"): 4})
    promise = Promise.of(posterior_of(losses, failed=failed), question, rule, 0.0)
    tree = choose(promise, COSTS).chosen.tree
    assert shape_of(tree, "abc") in {(4, 8, 4), (4, 4, 6)}
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


def test_the_error_of_sums_is_learnt_from_trees():
    promise = promise_of(4, spread=0.1, rule="sum")
    assert group_error(promise, []) == GROUP_SD
    rng, tree = np.random.default_rng(0), parsed("{a,b,c,d}@8")
    predicted = dict(zip("abcd", promise.task_losses(tree).mean(axis=1).tolist(), strict=True))
    exact = [(tree, predicted)] * 30
    assert group_error(promise, exact) < 0.25
    wrong = [
        (tree, {t: x + 3 * rng.standard_normal() for t, x in losses.items()}) for _, losses in exact
    ]
    assert group_error(promise, wrong) == pytest.approx(3.0, rel=0.2)


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
