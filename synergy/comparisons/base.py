"""What a comparison is: a way to come to a model of all tasks, held to the same terms as ours.

Every comparison uses the experiment's data, steps, seeds and encoder. It may train and measure
what it needs to make up its mind and then names its contenders; whoever runs the comparison
trains, measures and tabulates these, all in the same way.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from synergy.experiment import Experiment, Recipe
from synergy.seeding import digest
from synergy.synthesis import ARTable
from synergy.tree import SharingTree
from synergy.trials.record import TrialResult
from synergy.trials.trial import Trial
from synergy.trials.trial_store import TrialStore

Train = Callable[[str, Sequence[Trial]], Mapping[str, TrialResult]]
"""Train what is missing of some trials, under a title: ``result.json`` of each by its digest.

Raises ShortfallError when one cannot be trained.
"""

ProbeWork = Callable[["Probe", Experiment, TrialStore, Callable[[int], None]], dict[str, Any]]
"""A function at the top level of a module that measures a probe; it runs in a worker.

Its last argument takes the number of units that are done. Returns JSON values.
"""


@dataclass(frozen=True)
class Probe:
    """Something to be measured that is no trial, such as affinities of tasks.

    Attributes
    ----------
    name : str
        Of the comparison that asks.
    trials : tuple of Trial
        What is measured on: finished trials, or settings of a training that the probe runs.
    settings : dict of str to number
        With the trials, everything that decides the result.
    work : ProbeWork
    units : int
        How much there is to do, as `work` counts it.
    trains : bool
        Whether the probe is a training.
    """

    name: str
    trials: tuple[Trial, ...]
    settings: Mapping[str, float]
    work: ProbeWork
    units: int
    trains: bool = False

    @cached_property
    def digest(self) -> str:
        """Identity: a hash of the name, the trials and the settings."""
        return digest([self.name, [t.digest for t in self.trials], dict(self.settings)])


@dataclass(frozen=True)
class Probed:
    """What a probe gave: JSON values, and the seconds that it took."""

    result: Mapping[str, Any]
    seconds: float


Measure = Callable[[str, Sequence[Probe]], Sequence[Probed]]
"""Measure what is missing of some probes, under a title; in their order.

Results are kept, so that a stopped command goes on where it was. Raises ShortfallError when a
probe cannot be measured.
"""


@dataclass(frozen=True)
class Repaired:
    """The tree that stage 3 delivered after others had missed the threshold.

    Attributes
    ----------
    tree : SharingTree
    distilled : bool
        Whether it was verified, and is delivered, with teachers.
    tried : tuple of SharingTree
        All trees that were trained on the way, this one included.
    """

    tree: SharingTree
    distilled: bool
    tried: tuple[SharingTree, ...]


@dataclass(frozen=True)
class Field:
    """What all comparisons share.

    Attributes
    ----------
    experiment : Experiment
    tasks : tuple of str
        Those of the table, in the order of the configuration.
    table : ARTable
        Of the pairs, from the validation split.
    tree : SharingTree
        The synthesised tree: other methods get at most its parameters.
    baselines : dict of task to tuple of Trial
        The single-task models, trained, one for each seed.
    pairs : dict of (str, str, int) to tuple of Trial
        What the table rests on, one for each seed, also where the table came without them;
        skipped cells are absent.
    further : tuple of Trial
        Single-task models of the seeds that refined cells have beyond the configured ones.
    repaired : Repaired, or None
        What stage 3 delivered instead of ``tree``, where that missed the threshold.
    store : TrialStore
        Weights and predictions of everything that is trained.
    train : Train
    measure : Measure
    """

    experiment: Experiment
    tasks: tuple[str, ...]
    table: ARTable
    tree: SharingTree
    baselines: Mapping[str, tuple[Trial, ...]]
    pairs: Mapping[tuple[str, str, int], tuple[Trial, ...]]
    further: tuple[Trial, ...]
    repaired: Repaired | None
    store: TrialStore
    train: Train
    measure: Measure

    @property
    def max_params(self) -> int:
        """Parameters of the synthesised tree, decoders included."""
        return self.experiment.costs.params(self.tree)

    @property
    def baseline_digests(self) -> frozenset[str]:
        """Of the single-task models of all seeds."""
        return frozenset(t.digest for trials in self.baselines.values() for t in trials)

    @property
    def table_digests(self) -> frozenset[str]:
        """Of all that had to be trained for the table, single-task models included."""
        trials = itertools.chain(*self.pairs.values(), self.further)
        return self.baseline_digests.union(trial.digest for trial in trials)


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
    stored_params : int
        The same, and what masks take to store, in parameters of 32 bit.
    macs : int
        Multiply-accumulates on dense hardware of one second of audio for all tasks.
    search : frozenset of str
        Digests of the trials that had to be trained to come to this contender, and of the probes
        that trained; its own trials are not included.
    search_seconds : float
        Time that was spent on top of trials, on probes.
    note : str
        What a reader should know, one sentence.
    """

    name: str
    trials: tuple[tuple[Trial, ...], ...]
    params: int
    stored_params: int
    macs: int
    search: frozenset[str] = frozenset()
    search_seconds: float = 0.0
    note: str = ""


class Comparison(Protocol):
    """A way to come to a model of all tasks; one file each, registered in ``COMPARISONS``."""

    @property
    def name(self) -> str:
        """Key in ``COMPARISONS``."""
        ...

    @property
    def summary(self) -> str:
        """What it does, one line, with its source."""
        ...

    @property
    def keeps_budget(self) -> bool:
        """Whether no contender has more parameters than the synthesised tree."""
        ...

    def contenders(self, field: Field) -> Sequence[Contender]:
        """Decide what to enter; trains and measures what the decision needs.

        Raises
        ------
        SynergyError
            If there is nothing to enter, with the reason.
        """
        ...


def tree_contender(
    field: Field,
    name: str,
    tree: SharingTree,
    *,
    search: frozenset[str] = frozenset(),
    search_seconds: float = 0.0,
    distilled: bool = False,
    note: str = "",
) -> Contender:
    """A contender that is a sharing tree, trained like any other.

    With ``distilled`` the single-task models teach it; their trainings join ``search``.
    """
    experiment = field.experiment
    params = experiment.costs.params(tree)
    return Contender(
        name=name,
        trials=tuple(
            (experiment.trial(tree, seed, Recipe(distilled=distilled)),)
            for seed in experiment.config.all_seeds
        ),
        params=params,
        stored_params=params,
        macs=experiment.costs.macs(tree),
        search=search | field.baseline_digests if distilled else search,
        search_seconds=search_seconds,
        note=note,
    )
