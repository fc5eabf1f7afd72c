"""What a comparison is: a way to come to a model of all tasks, held to the same terms as ours.

Every comparison uses the experiment's data, steps, seeds and encoder. It may train and measure
what it needs to make up its mind and then names its contenders; whoever runs the comparison
trains, measures and tabulates these, all in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from synergy.comparisons.layouts import Best, BlockCost, best_layout
from synergy.errors import ShortfallError
from synergy.experiment import PLAIN, Experiment, Recipe
from synergy.measuring.bench import Bench
from synergy.measuring.pairs import PairTrainer
from synergy.running.session import Session
from synergy.synthesis import ARTable
from synergy.tree import SharingTree
from synergy.trials.record import TrialResult
from synergy.trials.trial import Trial


@dataclass(frozen=True)
class Field:
    """What all comparisons share.

    Attributes
    ----------
    session : Session
    table : ARTable
        Of the plain pairs, from the validation split.
    tree : SharingTree
        The synthesised tree: other methods get at most its parameters.
    bench : Bench
        Has the single-task models of the table's tasks, trained.
    """

    session: Session
    table: ARTable
    tree: SharingTree
    bench: Bench

    @property
    def experiment(self) -> Experiment:
        """That of the session."""
        return self.session.experiment

    @property
    def tasks(self) -> tuple[str, ...]:
        """Those of the table, in the order of the configuration."""
        return self.bench.tasks

    @property
    def max_params(self) -> int:
        """Parameters of the synthesised tree, decoders included."""
        return self.experiment.costs.params(self.tree)

    @property
    def max_block_params(self) -> int:
        """Parameters of the synthesised tree without the decoders, which every model has."""
        return int(self.tree.cost(self.experiment.costs.block_params))

    def best_layout(self, cost: BlockCost) -> Best | None:
        """The layout of least cost that has at most the parameters of the synthesised tree."""
        blocks = self.experiment.costs.block_params
        return best_layout(self.tasks, blocks, self.max_block_params, cost)

    def singles(self, recipe: Recipe = PLAIN) -> tuple[tuple[Trial, ...], ...]:
        """For each seed, the trials of the single-task models of all tasks."""
        experiment = self.experiment
        trees = [experiment.alone(task) for task in self.tasks]
        seeds = experiment.config.all_seeds
        return tuple(tuple(experiment.trials(trees, recipe, [seed])) for seed in seeds)

    def teachers(self, recipe: Recipe) -> frozenset[str]:
        """Digests of the trainings that one of such a recipe learns from."""
        return self.baseline_digests if recipe.distilled else frozenset()

    @cached_property
    def baseline_digests(self) -> frozenset[str]:
        """Of the single-task models of all seeds."""
        return frozenset(trial.digest for of_seed in self.singles() for trial in of_seed)

    @cached_property
    def table_digests(self) -> frozenset[str]:
        """Of all that had to be trained for the table, single-task models included.

        Also where the table came without these trainings; skipped cells count as nothing.
        """
        pairs = PairTrainer(self.session, self.bench.singles, "plain")
        trained = [cell for cell in self.table.cells if cell.status != "skipped"]
        return self.baseline_digests.union(
            *(cell.trials or [t.digest for t in pairs.trials(cell.key)] for cell in trained)
        )

    def train(self, title: str, trials: Sequence[Trial]) -> Mapping[str, TrialResult]:
        """Train what is missing of some trials that a decision needs.

        Raises
        ------
        ShortfallError
            When one cannot be trained.
        """
        results = self.session.train(title, trials)
        if results.errors:
            reasons = "; ".join(dict.fromkeys(results.errors.values()))
            raise ShortfallError(f"{title}: {reasons}")
        return results.done


@dataclass(frozen=True)
class Contender:
    """One line of the comparison, ready to be trained and measured.

    Attributes
    ----------
    name : str
        Unique within all comparisons, such as ``flat, 6 shared``.
    trials : tuple of tuple of Trial
        One entry for each seed: the trials that together are the model of that seed. Mostly one
        trial of all tasks; independent models have one for each task.
    params : int
        Trainable parameters that are not zero by a mask.
    macs : int
        Multiply-accumulates on dense hardware of one second of audio for all tasks.
    search : frozenset of str
        Digests of the trials that had to be trained to come to this contender, and of the probes
        that trained; its own trials are not included.
    search_seconds : float
        Time that was spent on top of trials, on probes.
    note : str
        What a reader should know, one sentence.
    masked : int
        Weights that masks cover, those of several masks added up.
    """

    name: str
    trials: tuple[tuple[Trial, ...], ...]
    params: int
    macs: int
    search: frozenset[str] = frozenset()
    search_seconds: float = 0.0
    note: str = ""
    masked: int = 0

    @property
    def stored_params(self) -> int:
        """Its parameters, and what masks take to store, in parameters of 32 bit."""
        return self.params + math.ceil(self.masked / 32)


Comparison = Callable[[Field], Sequence[Contender]]
"""A way to come to a model of all tasks: decides what to enter, and trains what that needs.

One file each, registered in ``COMPARISONS``. Raises a `SynergyError` with the reason if there is
nothing to enter.
"""


RECIPES: Mapping[str, Recipe] = {"": PLAIN, ", distilled": Recipe(distilled=True)}
"""How each model is trained, by what its line's name ends with: on labels alone, and taught by the
single-task models as well, so that what distillation gives is never taken for a method's merit."""


def tree_contenders(
    field: Field,
    name: str,
    tree: SharingTree,
    *,
    search: frozenset[str] = frozenset(),
    search_seconds: float = 0.0,
    width: float = 1.0,
    note: str = "",
) -> list[Contender]:
    """A sharing tree by each of `RECIPES`, trained like any other.

    Those that teach it join the ``search`` of the distilled one. ``width`` is that of the encoder.
    """
    experiment, costs = field.experiment, field.experiment.costs_at(width)
    return [
        Contender(
            name=name + ending,
            trials=tuple((t,) for t in experiment.trials([tree], replace(recipe, width=width))),
            params=costs.params(tree),
            macs=costs.macs(tree),
            search=search | field.teachers(recipe),
            search_seconds=search_seconds,
            note=note,
        )
        for ending, recipe in RECIPES.items()
    ]
