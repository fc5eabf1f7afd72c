"""What tasks lose in whole networks, by pairs and by what was trained, and what to train next."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_losses import BLOCKS, DEPTHS, SCORE, posterior_of
from small_tables import costs_of

from synergy.losses.next_tree import Choices, next_variant
from synergy.losses.outlook import Measured, Outlook, Variant
from synergy.losses.pair_losses import PairLosses
from synergy.synthesis import Question
from synergy.tree import SharingTree

TASKS = "abc"
CELLS = 3 * len(DEPTHS)
DRAWS = 1000
FLAT = SharingTree.flat(TASKS, 8, 8)
COSTS = costs_of(BLOCKS)


def pairs_that_lose(loss: float, spread: float = 0.3, seed: int = 0) -> PairLosses:
    """Every task loses as much in each pair at every depth, with a spread of the draws."""
    rng = np.random.default_rng(seed)
    losses = loss + spread * rng.standard_normal((DRAWS, 1, 2)) + np.zeros((DRAWS, CELLS, 2))
    singles = dict.fromkeys(TASKS, (SCORE,))
    return PairLosses.of(posterior_of(losses, singles=singles))


def seen(loss: float, seeds: int = 3, luck: float = 0.0) -> Measured:
    """A network in which every task loses as much; the luck of speakers is that of all networks."""
    drawn = luck * np.random.default_rng(9).standard_normal((3, DRAWS))
    return Measured(np.full(3, SCORE * (1 - loss / 100)), seeds, drawn)


def parsed(text: str) -> SharingTree:
    return SharingTree.parse(text, 8)


def mean(outlook: Outlook, tree: SharingTree, **terms) -> float:
    return float(outlook.losses(Variant(tree, **terms)).mean())


def test_what_shares_nothing_loses_nothing():
    outlook = Outlook({False: pairs_that_lose(3.0)}, {})
    assert not outlook.losses(Variant(SharingTree.flat(TASKS, 0, 8))).any()


def test_before_anything_is_trained_a_group_loses_the_sum_of_its_pairs():
    outlook = Outlook({False: pairs_that_lose(1.0)}, {})
    assert mean(outlook, FLAT) == pytest.approx(2.0, abs=0.1)
    assert mean(outlook, parsed("{{a,b}@8,c}@0")) == pytest.approx(2 / 3, abs=0.1)


def test_a_trained_network_corrects_its_own_losses_and_those_of_its_like():
    before = Outlook({False: pairs_that_lose(1.0)}, {})
    after = Outlook({False: pairs_that_lose(1.0)}, {Variant(FLAT): seen(6.0, 12)})
    like = SharingTree.flat(TASKS, 6, 8)
    assert mean(after, FLAT) == pytest.approx(6.0, abs=0.4)
    assert mean(after, like) > mean(before, like) + 1.0
    spread = [outlook.losses(Variant(FLAT)).std(axis=1).max() for outlook in (before, after)]
    assert spread[1] < spread[0] / 2


def test_more_seeds_are_believed_more():
    found = [
        mean(Outlook({False: pairs_that_lose(1.0)}, {Variant(FLAT): seen(5.0, n)}), FLAT)
        for n in (1, 3, 30)
    ]
    assert found == sorted(found)
    assert found[-1] == pytest.approx(5.0, abs=0.2)


def test_how_far_sums_err_is_learned_from_what_was_trained():
    trees = [SharingTree.flat(TASKS, depth, 8) for depth in DEPTHS]
    tables = {False: pairs_that_lose(1.0, spread=0.05)}
    exact = Outlook(tables, {Variant(tree): seen(2.0, 50) for tree in trees})
    wrong = Outlook(tables, {Variant(tree): seen(7.0, 50) for tree in trees})
    assert exact.scale < Outlook(tables, {}).scale < wrong.scale


def test_a_narrower_network_loses_more_and_how_much_is_learned():
    tables = {False: pairs_that_lose(0.5)}
    outlook = Outlook(tables, {Variant(FLAT): seen(1.0, 9)})
    wide, narrow = (mean(outlook, FLAT, width=width) for width in (1.0, 0.5))
    assert narrow > wide + 1
    trained = {Variant(FLAT): seen(1.0, 9), Variant(FLAT, 0.5): seen(1.1, 9)}
    learned = Outlook(tables, trained)
    assert mean(learned, FLAT, width=0.6) == pytest.approx(1.1, abs=0.5)


def test_teachers_are_expected_to_help_until_they_were_seen_not_to():
    tables = {False: pairs_that_lose(2.0)}
    assert mean(Outlook(tables, {}), FLAT, distilled=True) < mean(Outlook(tables, {}), FLAT)
    trained = {Variant(FLAT): seen(4.0, 9), Variant(FLAT, distilled=True): seen(6.0, 9)}
    pair = parsed("{{a,b}@8,c}@8")
    learned = Outlook(tables, trained)
    assert mean(learned, pair, distilled=True) > mean(learned, pair) + 1
    both = Outlook({False: pairs_that_lose(2.0), True: pairs_that_lose(0.0)}, {})
    assert mean(both, FLAT, distilled=True) == pytest.approx(0.0, abs=0.1)


@settings(max_examples=10, deadline=None)
@given(loss=st.floats(-1, 3), max_ar=st.floats(0.5, 4), score=st.floats(0, 6))
def test_the_same_knowledge_gives_the_same_draws_whatever_is_asked_first(loss, max_ar, score):
    def outlook() -> Outlook:
        return Outlook({False: pairs_that_lose(loss)}, {Variant(FLAT): seen(score)})

    one, other = outlook(), outlook()
    tree = Variant(parsed("{{a,b}@8,c}@4"))
    other.keeps(Variant(FLAT), max_ar)
    assert (one.losses(tree) == other.losses(tree)).all()
    assert one.keeps(tree, max_ar) == (one.losses(tree) <= max_ar).all(axis=0).mean()


def test_the_luck_of_speakers_stays_however_many_networks_share_it():
    tables = {False: pairs_that_lose(1.2, spread=3.0)}
    trees = [SharingTree.flat(TASKS, depth, 8) for depth in DEPTHS]
    one = Outlook(tables, {Variant(trees[0]): seen(1.2, 99, luck=1.5)})
    three = Outlook(tables, {Variant(tree): seen(1.2, 99, luck=1.5) for tree in trees})
    none = Outlook(tables, {Variant(tree): seen(1.2, 99) for tree in trees})
    spread = [o.losses(Variant(trees[0])).std(axis=1).mean() for o in (one, three, none)]
    assert spread[1] > 1.2 > 0.5 > spread[2]
    assert spread[1] == pytest.approx(spread[0], rel=0.2)


def test_a_task_that_scores_nothing_alone_has_nothing_to_lose_and_tells_nothing():
    singles = {**dict.fromkeys(TASKS, (SCORE,)), "c": (0.0,)}
    losses = 0.5 + np.random.default_rng(0).standard_normal((DRAWS, CELLS, 2))
    tables = {False: PairLosses.of(posterior_of(losses, singles=singles))}
    outlook = Outlook(tables, {Variant(FLAT): seen(9.0)})
    found = outlook.losses(Variant(FLAT, 0.5, True))
    assert not found[2].any()
    assert found[:2].any(axis=1).all()


def test_losses_from_ar_alone_are_relative_to_the_scores_alone():
    pairs = PairLosses.of_cells(tuple(TASKS), DEPTHS, np.full((DRAWS, CELLS), 1.0), [SCORE] * 3)
    outlook = Outlook({False: pairs}, {Variant(FLAT): seen(0.0, 30)})
    assert mean(outlook, FLAT) == pytest.approx(0.0, abs=0.3)


def test_a_tree_on_failed_cells_is_not_asked_for():
    singles = dict.fromkeys(TASKS, (SCORE,))
    failed = frozenset({("a", "b", 8)})
    found = posterior_of(np.zeros((DRAWS, CELLS, 2)), singles=singles, failed=failed)
    outlook = Outlook({False: PairLosses.of(found)}, {})
    assert not outlook.allows(Variant(FLAT))
    assert outlook.allows(Variant(SharingTree.flat(TASKS, 6, 8)))
    found = next_variant(outlook, choices_of(), [], 3 * sum(BLOCKS))
    assert found is not None
    assert found.variant.tree.shared_depth("a", "b") == 6


# -- what to train next -----------------------------------------------------------------------


def choices_of(**terms) -> Choices:
    question = Question(**terms)
    costs = {width: costs_of([round(width**2 * n) for n in BLOCKS]) for width in question.widths}
    return Choices(question, costs, question.ways)


def test_the_next_tree_is_smaller_where_losses_allow_it_and_shares_less_where_not():
    first = Variant(SharingTree.flat(TASKS, 6, 8))
    small = Outlook({False: pairs_that_lose(0.1)}, {first: seen(0.2)})
    found = next_variant(small, choices_of(), [first], COSTS.params(first.tree))
    assert found is not None
    assert found.variant.tree == FLAT
    assert found.worth == (COSTS.params(first.tree) - found.params) * found.probability
    large = Outlook({False: pairs_that_lose(1.6)}, {first: seen(5.0)})
    found = next_variant(large, choices_of(), [first], 3 * sum(BLOCKS))
    assert found is not None
    assert found.params > COSTS.params(first.tree)
    assert found.probability > 0.3


def test_where_nothing_promises_anything_there_is_no_next_tree():
    best = COSTS.params(FLAT)
    outlook = Outlook({False: pairs_that_lose(0.0)}, {Variant(FLAT): seen(0.0)})
    assert next_variant(outlook, choices_of(), [Variant(FLAT)], best) is None
    hopeless = Outlook({False: pairs_that_lose(30.0)}, {})
    assert next_variant(hopeless, choices_of(), (), 3 * sum(BLOCKS)) is None


def test_width_and_teachers_are_chosen_with_the_tree():
    trained = {Variant(FLAT): seen(0.5), Variant(FLAT, 0.9): seen(0.6)}
    outlook = Outlook({False: pairs_that_lose(0.2)}, trained)
    found = next_variant(outlook, choices_of(width="auto"), [*trained], COSTS.params(FLAT))
    assert found is not None
    assert found.variant.width < 0.9
    known = {Variant(FLAT): seen(5.0)}
    outlook = Outlook({False: pairs_that_lose(2.0), True: pairs_that_lose(0.0)}, known)
    found = next_variant(outlook, choices_of(distill="auto"), [*known], 3 * sum(BLOCKS))
    assert found is not None
    assert found.variant == Variant(FLAT, distilled=True)


def test_within_a_budget_the_next_tree_is_the_one_that_lowers_ar_the_most():
    budget = COSTS.params(parsed("{{a,c}@8,b}@0"))
    losses = np.full((DRAWS, CELLS, 2), 0.5)
    losses[:, :3] = 4.0  # a and b disturb each other
    singles = dict.fromkeys(TASKS, (SCORE,))
    outlook = Outlook({False: PairLosses.of(posterior_of(losses, singles=singles))}, {})
    choices = choices_of(max_params=budget)
    first = Variant(SharingTree.flat(TASKS, 8, 8))
    found = next_variant(outlook, choices, [first], 4.5)
    assert found is not None
    assert choices.fits(found.variant)
    assert found.variant.tree.shared_depth("a", "b") == 0
    assert next_variant(outlook, choices, [first], 0.0) is None


def test_of_two_tasks_the_tree_is_the_pair():
    singles = dict.fromkeys("ab", (SCORE,))
    losses = np.full((DRAWS, len(DEPTHS), 2), 1.0)
    tables = {False: PairLosses.of(posterior_of(losses, singles=singles))}
    tree = SharingTree.flat("ab", 8, 8)
    assert mean(Outlook(tables, {}), tree) == pytest.approx(1.0, abs=0.1)
