"""What a comparison is: a way to come to a model of all tasks, held to the same terms as ours.

Every comparison uses the experiment's data, steps, seeds and encoder. It may train what it needs
to make up its mind and then names its contenders; whoever runs the comparison trains, measures
and tabulates these, all in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from synergy.experiment import Experiment
from synergy.synthesis import ARTable
from synergy.tree import SharingTree
from synergy.trials.store import TrialStore
from synergy.trials.trial import Trial

Train = Callable[[str, Sequence[Trial]], Mapping[str, Mapping[str, Any]]]
"""Train what is missing of some trials, under a title: ``result.json`` of each by its digest.

Raises ShortfallError when one cannot be trained.
"""


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
        What the table rests on, trained, one for each seed; skipped cells are absent.
    store : TrialStore
        Weights and predictions of everything that is trained.
    folder : Path
        Where a comparison may keep what it measured.
    train : Train
    """

    experiment: Experiment
    tasks: tuple[str, ...]
    table: ARTable
    tree: SharingTree
    baselines: Mapping[str, tuple[Trial, ...]]
    pairs: Mapping[tuple[str, str, int], tuple[Trial, ...]]
    store: TrialStore
    folder: Path
    train: Train

    @property
    def max_params(self) -> int:
        """Parameters of the synthesised tree, decoders included."""
        return self.experiment.costs.params(self.tree)


@dataclass(frozen=True)
class Contender:
    """One line of the comparison, ready to be trained and measured.

    Attributes
    ----------
    name : str
        Unique within the comparison, such as ``flat, 6 shared``.
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
        Digests of the trials that had to be trained to come to this contender, its own ones not
        included.
    search_seconds : float
        Time that was spent on top of trainings, such as on measuring affinities.
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

    def contenders(self, field: Field) -> Sequence[Contender]:
        """Decide what to enter; trains what the decision needs with ``field.train``."""
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
    """A contender that is a sharing tree, trained like any other."""
    experiment = field.experiment
    return Contender(
        name=name,
        trials=tuple(
            (experiment.trial(tree, seed, distilled=distilled),)
            for seed in experiment.config.all_seeds
        ),
        params=experiment.costs.params(tree),
        stored_params=experiment.costs.params(tree),
        macs=experiment.costs.macs(tree),
        search=search,
        search_seconds=search_seconds,
        note=note,
    )
