from __future__ import annotations

import math

import pytest

from synergy.errors import ConfigError
from synergy.synthesis import Question


def test_a_budget_replaces_the_threshold():
    assert not Question(3.0).has_budget
    assert Question(max_params=0).has_budget
    assert Question(max_macs=10).has_budget


def test_caps_are_kept_by_pair_whatever_the_order_and_cannot_be_changed_from_outside():
    caps = {("b", "a"): 3}
    question = Question(caps=caps)  # type: ignore[arg-type]
    caps["a", "c"] = 1
    assert question.caps == {frozenset("ab"): 3}
    assert question == Question(caps={frozenset("ab"): 3})


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (
            {"max_ar": -0.1},
            "largest AR of 0 to 1,000,000 percent, found -0.1; correct the threshold",
        ),
        ({"max_ar": math.nan}, "found nan"),
        ({"max_ar": math.inf}, "found inf"),
        ({"max_ar": 1e300}, r"found 1e\+300"),
        ({"max_params": 10**400}, r"found 1000+\.\.\."),
        ({"max_macs": 10**5000}, "found int that is too long to be shown"),
        ({"solver": "best"}, "the solver recursive or exact, found 'best'"),
        ({"max_params": -1}, "parameters: expected a budget of 0 to .*, found -1"),
        ({"max_macs": math.inf}, "MACs: expected a budget of 0 to .*, found inf"),
        (
            {"caps": {frozenset("ab"): -1}},
            "pair a-b: expected a cap of at least 0 blocks, found -1",
        ),
    ],
)
def test_impossible_terms(terms, words):
    with pytest.raises(ConfigError, match=words):
        Question(**terms)
