"""Which network is worth training next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from synergy.costs import Costs
from synergy.losses.choice import explore, starts
from synergy.losses.groups import Group, from_tree, neighbours, to_tree
from synergy.losses.outlook import Outlook, Variant
from synergy.losses.promise import Promise
from synergy.synthesis.question import Question

_LEAST_SAVING = 0.02  # expected, of the size of the best network so far
_LEAST_GAIN = 0.1  # expected, in points of AR
_PATIENCE = 25
_EFFORT = 20_000  # trees of one task that are looked at; of 16 tasks 1,250, which takes seconds


@dataclass(frozen=True)
class Prospect:
    """A network that is worth training.

    Attributes
    ----------
    variant : Variant
    params : int
    probability : float
        That no task loses more than the threshold; with budgets, that AR falls.
    worth : float
        What is expected of it: parameters saved times the probability, or points of AR.
    """

    variant: Variant
    params: int
    probability: float
    worth: float


@dataclass(frozen=True)
class Choices:
    """Among which networks there is a choice.

    Attributes
    ----------
    question : Question
        Its threshold or budgets.
    costs : mapping of float to Costs
        By width, of networks with all decoders.
    distilled : tuple of bool
        Which trainings.
    """

    question: Question
    costs: Mapping[float, Costs]
    distilled: Sequence[bool]

    def fits(self, variant: Variant) -> bool:
        """Whether a network is within the budgets."""
        costs, question = self.costs[variant.width], self.question
        macs = question.max_macs is None or costs.macs(variant.tree) <= question.max_macs
        most = question.max_params
        return macs and (most is None or costs.params(variant.tree) <= most)

    def params(self, variant: Variant) -> int:
        """Trainable parameters."""
        return self.costs[variant.width].params(variant.tree)


def next_variant(
    outlook: Outlook, choices: Choices, trained: Sequence[Variant], best: float
) -> Prospect | None:
    """The network of the largest expected gain over the best one so far.

    With a threshold that is what it saves times the probability that it keeps the threshold; with
    budgets, by how much AR is expected to be lower. It is searched for by merging, splitting,
    deepening and making shallower, for every width, plain and distilled.

    Parameters
    ----------
    outlook : Outlook
    choices : Choices
    trained : sequence of Variant
        These are not asked for again; the search begins around them.
    best : float
        Parameters of the smallest network so far that keeps the threshold; with budgets, the
        lowest AR so far, in percent.

    Returns
    -------
    Prospect or None
        None where nothing promises 2 % of the parameters, or 0.1 points.
    """
    found = list(_prospects(outlook, choices, trained, best))
    least = _LEAST_GAIN if choices.question.has_budget else _LEAST_SAVING * best
    top = max(found, key=lambda each: (each.worth, -each.params), default=None)
    return top if top is not None and top.worth >= least else None


def _prospects(
    outlook: Outlook, choices: Choices, trained: Sequence[Variant], best: float
) -> Iterator[Prospect]:
    """The best network of every width and training."""
    pairs, question = outlook.pairs, choices.question
    levels = len(pairs.depths)
    around = [from_tree(variant.tree, pairs.tasks, pairs.depths) for variant in trained]
    around += [near for group in tuple(around) for near in neighbours(group, levels)]
    for width, costs in choices.costs.items():
        begin = list(around)
        if not question.has_budget:
            begin += starts(Promise(pairs, question.max_ar), costs)
        for distilled in choices.distilled:
            top: Prospect | None = None

            def look_at(
                group: Group, width: float = width, costs: Costs = costs, taught: bool = distilled
            ) -> tuple[float, bool]:
                nonlocal top
                tree = to_tree(group, pairs.tasks, pairs.depths, costs.depth)
                prospect = _prospect(outlook, choices, Variant(tree, width, taught), best)
                better = prospect.variant not in trained and (
                    top is None or prospect.worth > top.worth
                )
                top = prospect if better else top
                return prospect.worth, better

            explore(begin, look_at, levels, _PATIENCE, _EFFORT // len(pairs.tasks))
            if top is not None:
                yield top


def _prospect(outlook: Outlook, choices: Choices, variant: Variant, best: float) -> Prospect:
    params, question = choices.params(variant), choices.question
    if not question.has_budget:
        probability = 0.0
        if params < best and outlook.allows(variant):
            probability = outlook.keeps(variant, question.max_ar)
        return Prospect(variant, params, probability, (best - params) * probability)
    if not (choices.fits(variant) and outlook.allows(variant)):
        return Prospect(variant, params, 0.0, -1.0)
    gain = best - np.maximum(outlook.losses(variant).max(axis=0), 0.0)
    return Prospect(variant, params, float((gain > 0).mean()), float(gain.clip(0).mean()))
