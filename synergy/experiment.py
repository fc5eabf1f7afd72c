"""From a configuration to everything that trials need: clips, features, targets, costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial

from synergy.audio.features import FeatureConfig
from synergy.config import RunConfig
from synergy.costs import Costs
from synergy.datasets import load_corpus
from synergy.datasets.base import Corpus
from synergy.datasets.content import read_again
from synergy.datasets.feature_store import open_store
from synergy.encoders import Cnn8, Encoder, encoder_at
from synergy.errors import DataError
from synergy.executors import Executor
from synergy.export.source import check_exportable
from synergy.export.spec import CorpusEntry, check_describable
from synergy.export.torch_model import meta_network
from synergy.network import costs
from synergy.tasks import TaskSpec
from synergy.tasks.clips import FEWEST_SPEAKERS, ClipBank, TaskData, build_bank, task_data
from synergy.tasks.folds import fold_note, folded
from synergy.tasks.selection import TaskSelection, select_clips
from synergy.training.config import TrainingConfig
from synergy.training.schedule import scheduled
from synergy.tree import SharingTree
from synergy.trials.trial import Trial
from synergy.wording import NOT_FINAL, REPORTED, SPLIT_NAMES, SPLITS, Split, counted


@dataclass(frozen=True)
class Recipe:
    """How a tree becomes a trained network, beyond its shape and its seed.

    Attributes
    ----------
    training : TrainingConfig, optional
        Replaces the configured settings.
    distilled : bool
        Learn from the single-task models of all configured seeds of the same fold as well. They
        are trained as configured, whatever the recipe says.
    width : float
        By which the channels of the configured encoder are multiplied, > 0.
    """

    training: TrainingConfig | None = None
    distilled: bool = False
    width: float = 1.0


PLAIN = Recipe()
_costs = lru_cache(maxsize=64)(costs)


@dataclass(frozen=True)
class Experiment:
    """A configuration with its data, ready for trials.

    Attributes
    ----------
    config : RunConfig
    corpora : dict of str to Corpus
        By name.
    bank : ClipBank
    folds : tuple of dict of task to TaskData
        The data of the trainings that are validated on each fold; without folds there is one.
    notes : tuple of str
        What was done to the data on the way in, with counts.
    """

    config: RunConfig
    corpora: Mapping[str, Corpus]
    bank: ClipBank
    folds: tuple[Mapping[str, TaskData], ...]
    notes: tuple[str, ...]

    @property
    def tasks(self) -> tuple[str, ...]:
        """Task names in the order of the configuration."""
        return tuple(self.config.tasks)

    @cached_property
    def specs(self) -> dict[str, TaskSpec]:
        """What networks know of the tasks."""
        return {name: self.folds[0][name].spec for name in self.tasks}

    @property
    def depth(self) -> int:
        """Number of blocks of the encoder, D."""
        return self.config.encoder.depth

    @cached_property
    def costs(self) -> Costs:
        """Parameters, and MACs of one second of audio."""
        return self.costs_of(self.config.encoder)

    def costs_of(self, encoder: Encoder) -> Costs:
        """The costs of networks with another encoder."""
        frames = round(1 / self.bank.hop_s)
        return _costs(encoder, tuple(self.specs.values()), self.bank.mels, frames)

    def costs_at(self, width: float) -> Costs:
        """As `costs`, with the encoder ``width`` times as wide; a ConfigError if it cannot be."""
        return self.costs_of(encoder_at(self.config.encoder, width))

    def data_of(self, seed: int) -> Mapping[str, TaskData]:
        """The data of all trainings with a seed, by task."""
        return self.folds[self.config.fold_of(seed)]

    def speakers(self, task: str, split: Split) -> int:
        """On how many speakers of a split a task is measured; on valid, those of all folds."""
        folds = self.folds if split == "valid" else self.folds[:1]
        return sum(data[task].speakers(split) for data in folds)

    @cached_property
    def training(self) -> TrainingConfig:
        """The configured settings, with epochs and steps as the schedule has them."""
        return scheduled(self.config.training, self.config.schedule, self.most_clips)

    @cached_property
    def most_clips(self) -> int:
        """Training clips of the largest task."""
        return max(len(own.clips["train"]) for data in self.folds for own in data.values())

    def alone(self, task: str) -> SharingTree:
        """The tree of a single-task model."""
        return SharingTree.single(task, self.depth)

    def flat(self, tasks: Sequence[str], shared: int) -> SharingTree:
        """The tree in which ``tasks`` share their first ``shared`` blocks."""
        return SharingTree.flat(tasks, shared, self.depth)

    def trial(self, tree: SharingTree, seed: int, recipe: Recipe = PLAIN) -> Trial:
        """The trial that trains ``tree`` once; a ConfigError if no encoder has that width."""
        distilled, data = recipe.distilled, self.data_of(seed)
        teachers = self._teachers[self.config.fold_of(seed)] if distilled else {}
        return Trial(
            tree=tree,
            tasks=tuple(self.specs[task] for task in tree.tasks),
            data={task: data[task].digest for task in tree.tasks},
            bank=self.bank.fingerprint,
            encoder=encoder_at(self.config.encoder, recipe.width),
            training=recipe.training or self.training,
            seed=seed,
            distillation=self.config.distillation if distilled else None,
            teachers={task: teachers[task] for task in tree.tasks if distilled},
        )

    def trials(
        self, trees: Iterable[SharingTree], recipe: Recipe = PLAIN, seeds: Sequence[int] = ()
    ) -> list[Trial]:
        """All ``trees`` of one seed before the next; of the configured seeds, unless given."""
        trees = list(trees)
        chosen = seeds or self.config.all_seeds
        return [self.trial(tree, seed, recipe) for seed in chosen for tree in trees]

    @cached_property
    def _teachers(self) -> list[dict[str, tuple[str, ...]]]:
        """For each fold, digests of its single-task trials by task, trained as configured.

        Teachers of another fold have learnt from the speakers that a student is validated on.
        """
        found: list[dict[str, tuple[str, ...]]] = []
        for fold in range(len(self.folds)):
            seeds = [seed for seed in self.config.all_seeds if self.config.fold_of(seed) == fold]
            alone = {task: self.trials([self.alone(task)], seeds=seeds) for task in self.tasks}
            found.append({task: tuple(t.digest for t in own) for task, own in alone.items()})
        return found


def settings_costs(
    config: RunConfig | None,
    tasks: Sequence[str],
    width: float = 1.0,
    specs: Mapping[str, TaskSpec] | None = None,
) -> Costs:
    """What settings alone tell of the costs; no recordings.

    Decoders count when those of all ``tasks`` are known, else none does: where the configuration
    spells out the classes, or from ``specs``, such as those of finished trainings. Without a
    configuration, the encoder is the default one. Its channels are multiplied by ``width``; a
    ConfigError is raised if it cannot be that wide.
    """
    encoder = encoder_at(config.encoder if config else Cnn8(), width)
    features = config.features if config else FeatureConfig()
    known: list[TaskSpec] = []
    for name in tasks:
        task = config.tasks.get(name) if config else None
        if specs and name in specs and not (task and task.classes):
            known.append(specs[name])
        elif task:
            classes = task.classes or task.rules.default_classes(())
            known += [TaskSpec(name, task.kind, classes)] if classes else []
    every = tuple(known) if len(known) == len(set(tasks)) else ()
    return _costs(encoder, every, features.mels, round(1 / features.hop_s))


def prepare(
    config: RunConfig,
    executor: Executor | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    again: bool = False,
) -> Experiment:
    """Read the corpora, select each task's clips, compute missing features.

    Features are computed by the ``executor``, without one in this process. ``progress`` is called
    with a description, the number done and the number in total. With ``again`` every file of the
    corpora is read, whatever is known of it.

    Raises
    ------
    DataError
        With the problems of all tasks at once; with ``again`` also if the content of a file has
        changed and its size and time have not.
    ModelError
        If a network of this encoder and these tasks could not be exported once it is trained.
    """

    def tell(what: str) -> Callable[[int, int], None] | None:
        return None if progress is None else partial(progress, what)

    corpora: dict[str, Corpus] = {}
    for name, settings in config.corpora.items():
        corpora[name] = load_corpus(name, settings, tell(f"preparing {name}"))
        if again:
            read_again(corpora[name], tell(f"reading {name} again"))
    selections: list[TaskSelection] = []
    problems: list[str] = []
    folds, hop_s = config.evaluation.folds, config.features.hop_s
    splits: Sequence[Split] = SPLITS if folds == 1 else ("test",)
    for name, task in config.tasks.items():
        try:
            chosen = select_clips(
                name, task.classes, task.rules, task.corpora, corpora, hop_s, splits
            )
        except DataError as error:
            problems.append(str(error))
        else:
            selections.append(chosen)
    if problems:
        raise DataError("\n".join(problems))
    by_fold = folded(selections, folds, hop_s)
    check_describable(
        [selection.spec for selection in selections],
        [
            CorpusEntry(fingerprint=c.fingerprint, licences=c.licences, synthetic=False)
            for c in corpora.values()
        ],
    )
    stores = {
        name: open_store(corpus, config.features, executor, tell(f"features of {name}"))
        for name, corpus in corpora.items()
    }
    bank = build_bank(corpora, stores, hop_s)
    notes = [note for corpus in corpora.values() for note in corpus.notes]
    for own in zip(*by_fold, strict=True):
        notes.append(_clips_note(own[0]) if folds == 1 else fold_note(own))
        notes += [f"{own[0].spec.name}: {reason}" for reason in own[0].dropped]
        notes += filter(None, [own[0].alike])
    data = tuple({own.spec.name: task_data(own, bank) for own in fold} for fold in by_fold)
    notes += [NOT_FINAL] if config.schedule == "quick" else []
    experiment = Experiment(config, corpora, bank, data, tuple(notes))
    few = (_few_speakers(experiment, task) for task in experiment.tasks)
    experiment = replace(experiment, notes=(*notes, *filter(None, few)))
    every = experiment.flat(experiment.tasks, experiment.depth)
    specs = [experiment.specs[task] for task in every.tasks]
    network = meta_network(every, config.encoder, specs, config.features)
    check_exportable(network, config.encoder)
    return experiment


def _clips_note(selection: TaskSelection) -> str:
    """How many clips a task has, split by split."""
    counts = ", ".join(f"{len(selection.of_split(split))} {split}" for split in SPLITS)
    classes = counted(len(selection.spec.classes), "class", "classes")
    return f"{selection.spec.name}: {counts} clips, {classes}"


def _few_speakers(experiment: Experiment, task: str) -> str:
    """Says in which splits a task has too few speakers for an interval."""
    few = [
        f"{counted(speakers, 'speaker')} in {SPLIT_NAMES[split]}"
        for split in REPORTED
        if (speakers := experiment.speakers(task, split)) < FEWEST_SPEAKERS
    ]
    if not few:
        return ""
    return (
        f"{task}: {' and '.join(few)}; fewer than {FEWEST_SPEAKERS} tell nothing about "
        "others, so no interval is given there"
    )
