"""Rounds of stage 3: which tree is trained next, and which one is delivered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from synergy.errors import ShortfallError
from synergy.experiment import Experiment, Recipe
from synergy.losses.next_tree import Choices, Prospect, next_variant
from synergy.losses.outlook import Measured, Outlook, Variant
from synergy.measuring.bench import Bench, Planned
from synergy.measuring.known_losses import known_pairs, measured, trained_before
from synergy.rows import Attempt, Row, TaskLoss
from synergy.synthesis import Question
from synergy.wording import message, scaled
from synergy.workspace import PairTable


@dataclass(frozen=True)
class Round:
    """A tree that was trained, and what was known of it before.

    Attributes
    ----------
    variant : Variant
    why : str
        Why it was trained, for people.
    row : Row
        On validation, with the configured seeds.
    predicted : dict of task to TaskLoss
        Before it was trained.
    fresh : Row, or None
        On validation, with seeds that had no part in its choice; only where it was chosen.
    """

    variant: Variant
    why: str
    row: Row
    predicted: dict[str, TaskLoss]
    fresh: Row | None = None

    @property
    def ar_pct(self) -> float:
        """AR on validation: of fresh seeds where there are any."""
        return (self.fresh or self.row).ar_pct["valid"]


class Rounds:
    """Trees that are trained one after the other, the first one that of the table.

    After each, all is predicted anew, and the tree that is worth the most is next: whether it
    shares more, less, otherwise, or has another width or teachers. The smallest one that keeps
    the threshold is confirmed with as many fresh seeds as are configured; where it does not keep
    it with these, it is the turn of the next smallest. With budgets, wanted is the lowest AR.

    What it rests on are the pairs, and the trees of ``frontier.json`` and ``comparisons.json``
    with all tasks of the table.

    Attributes
    ----------
    tried : list of Round
    choices : Choices
    """

    def __init__(self, bench: Bench, found: PairTable, question: Question) -> None:
        experiment = bench.session.experiment
        self.tried: list[Round] = []
        self._bench, self._question = bench, question
        costs = {width: experiment.costs_at(width) for width in question.widths}
        self.choices = Choices(question, costs, question.ways)
        self._pairs = known_pairs(bench, found, question.ways)
        self._before: dict[Variant, Measured] = {}
        if question.final_epochs is None:  # else they were trained otherwise
            self._before = trained_before(bench, found.table, self._pairs.trials)
        self._failed: list[Variant] = []
        self._unconfirmed: list[Variant] = []
        self._outlook: Outlook | None = None

    def run(self, first: Variant) -> Round:
        """Train the first tree, then what is worth it; the one to deliver.

        Raises
        ------
        ShortfallError
            If a tree could not be trained with any seed.
        """
        question = self._question
        self._train(first, "the tree of the table")
        while True:
            best = self.winner()
            done = len(self.tried) + len(self._failed)
            if done <= question.rounds and (asked := self._next(best)) is not None:
                try:
                    self._train(asked.variant, self._why(asked, best))
                except ShortfallError as error:
                    self._failed.append(asked.variant)
                    self._bench.session.progress.note(f"that tree is left out: {error}")
            elif best is None or best.fresh is not None or not self._is_choice(best):
                return best or min(self.tried, key=lambda each: each.ar_pct)
            else:
                self._confirm(best)

    def winner(self) -> Round | None:
        """The smallest tree so far that keeps the threshold; with budgets, of the lowest AR."""
        if self._question.has_budget:
            return min(self.tried, key=lambda each: each.ar_pct)
        keeping = [each for each in self.tried if self.keeps(each)]
        return min(keeping, key=lambda each: self.choices.params(each.variant), default=None)

    def keeps(self, tried: Round) -> bool:
        """Whether a tree keeps the threshold: as probably as was asked, or as it was measured."""
        question = self._question
        if question.has_budget:
            return True
        if question.confidence is not None:
            return self.probability(tried.variant) >= question.confidence
        return tried.ar_pct <= question.max_ar

    def probability(self, variant: Variant) -> float:
        """That no task loses more than the threshold, by all that was measured."""
        return self.outlook().keeps(variant, self._question.max_ar)

    def outlook(self, without: Variant | None = None) -> Outlook:
        """What tasks lose in any tree, by all that was measured so far.

        With a variant that earlier commands trained, as it would be ``without`` that.
        """
        if without in self._before:
            rest = {each: known for each, known in self._before.items() if each != without}
            return Outlook(self._pairs.tables, {**rest, **self._trained()})
        if self._outlook is None:
            self._outlook = Outlook(self._pairs.tables, {**self._before, **self._trained()})
        return self._outlook

    def _trained(self) -> dict[Variant, Measured]:
        found: dict[Variant, Measured] = {}
        for each in self.tried:
            rows = [each.row, *([each.fresh] if each.fresh else [])]
            known = measured(self._bench, rows, self._pairs.trials)
            if known is not None:
                found[each.variant] = known
        return found

    def attempts(self) -> tuple[Attempt, ...]:
        """All trees, as they are kept in ``summary.json``."""
        tasks = self._bench.tasks
        return tuple(
            Attempt(
                notation=each.variant.tree.notation(tasks),
                width=each.variant.width,
                distilled=each.variant.distilled,
                why=each.why,
                params=each.row.params,
                ar_pct=each.row.ar_pct,
                fresh_ar_pct=each.fresh.ar_pct if each.fresh else {},
                mean_scores=each.row.mean_scores,
                predicted=each.predicted,
                loss_pct=each.row.loss_pct["valid"],
                probability=None if self._question.has_budget else self.probability(each.variant),
                keeps=self.keeps(each),
            )
            for each in self.tried
        )

    def recipe(self, variant: Variant) -> Recipe:
        """How a variant is trained."""
        return recipe_of(self.experiment, self._question, variant.width, variant.distilled)

    @property
    def experiment(self) -> Experiment:
        """That of the session."""
        return self._bench.session.experiment

    def _is_choice(self, best: Round) -> bool:
        """Whether there is anything to confirm."""
        shares = any(
            branch.blocks and len(branch.tasks) > 1 for branch in best.variant.tree.branches()
        )
        possible = best.variant not in self._unconfirmed
        return self._question.rounds > 0 and shares and possible

    def _next(self, best: Round | None) -> Prospect | None:
        trained = [*(each.variant for each in self.tried), *self._failed]
        if self._question.has_budget:
            assert best is not None
            lost = self.outlook().losses(best.variant).max(axis=0)
            expected = float(np.maximum(lost, 0.0).mean())
            return next_variant(self.outlook(), self.choices, trained, expected)
        nothing = self.experiment.flat(self._bench.tasks, 0)
        base = self.experiment.costs.params(nothing)
        if best is not None:
            base = min(base, self.choices.params(best.variant))
        return next_variant(self.outlook(), self.choices, trained, base)

    def _train(self, variant: Variant, why: str) -> None:
        losses = self.outlook(without=variant).losses(variant)
        low, high = np.quantile(losses, (0.025, 0.975), axis=1)
        tasks = self.outlook().pairs.tasks
        predicted = {
            task: TaskLoss(
                loss_pct=round(float(losses[n].mean()), 4),
                low=round(float(low[n]), 4),
                high=round(float(high[n]), 4),
            )
            for n, task in enumerate(tasks)
        }
        plan = Planned("tree", variant.tree, self.recipe(variant))
        title = f"round {len(self.tried)}" if self.tried else "the tree"
        (row,) = self._bench.measure(title, [plan], test=False)
        self.tried.append(Round(variant, why, row, predicted))
        self._outlook = None
        self._tell(self.tried[-1])

    def _confirm(self, best: Round) -> None:
        plan = Planned(
            "tree", best.variant.tree, self.recipe(best.variant), self.experiment.config.fresh_seeds
        )
        progress, name = self._bench.session.progress, _named(best.variant, self._bench.tasks)
        try:
            (row,) = self._bench.measure("the tree on fresh seeds", [plan], test=False)
        except ShortfallError as error:
            self._unconfirmed.append(best.variant)
            progress.note(f"fresh seeds cannot confirm the tree: {error}")
            return
        place = self.tried.index(best)
        self.tried[place] = found = replace(best, fresh=row)
        self._outlook = None
        if not self._question.has_budget:
            held = "keeps" if self.keeps(found) else "does not keep"
            progress.note(
                message(
                    f"with fresh seeds {name} {held} {self._question.max_ar:g} %: AR "
                    f"{row.ar_pct['valid']:.1f} % on validation"
                )
            )

    def _tell(self, tried: Round) -> None:
        question, row = self._question, tried.row
        if question.has_budget or not question.rounds:
            return
        held = "keeps" if self.keeps(tried) else "misses"
        self._bench.session.progress.note(
            message(
                f"{_named(tried.variant, self._bench.tasks)} {held} {question.max_ar:g} %: AR "
                f"{row.ar_pct['valid']:.1f} % on validation, probability "
                f"{100 * self.probability(tried.variant):.0f} %"
            )
        )

    def _why(self, asked: Prospect, best: Round | None) -> str:
        if self._question.has_budget:
            return f"expected to lower AR by {asked.worth:.1f} points"
        whole = self.experiment.costs.params(self.experiment.flat(self._bench.tasks, 0))
        base = whole if best is None else self.choices.params(best.variant)
        saved = 100 * (base - asked.params) / whole
        return f"would save {saved:.0f} % of independent, P {100 * asked.probability:.0f} %"


def recipe_of(experiment: Experiment, question: Question, width: float, distilled: bool) -> Recipe:
    """How a tree is trained, for as long as was asked for in the end."""
    training = None
    if question.final_epochs is not None:
        epochs = {"epochs": question.final_epochs}
        training = experiment.training.model_copy(update=epochs)
    return Recipe(training, distilled, width)


def _named(variant: Variant, tasks: Iterable[str]) -> str:
    taught = ", distilled" if variant.distilled else ""
    return f"{variant.tree.notation(tuple(tasks))}{scaled(variant.width)}{taught}"
