from __future__ import annotations

import math

import pytest

from synergy.errors import ConfigError
from synergy.synthesis import Question


def test_a_budget_replaces_the_threshold():
    assert not Question(3.0).has_budget
    assert Question(max_params=0).has_budget
    assert Question(max_macs=10).has_budget


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
    ],
)
def test_impossible_terms(terms, words):
    with pytest.raises(ConfigError, match=words):
        Question(**terms)
