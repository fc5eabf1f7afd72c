"""What the clips of each task are like, split by split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from synergy.datasets.base import Clip
from synergy.experiment import Experiment
from synergy.tasks.clips import TaskData, clip_key
from synergy.wording import SPLITS, Split


@dataclass(frozen=True)
class SplitFacts:
    """The clips of one task in one split.

    Attributes
    ----------
    clips : int
    speakers : int
        Those that the corpora name.
    seconds : float
    counts : dict of str to int
        Clips of each class; of an activity, frames with it and frames without.
    majority : float
        Share of the largest count, in [0, 1]: the accuracy of always answering the same.
    """

    clips: int
    speakers: int
    seconds: float
    counts: Mapping[str, int]
    majority: float


@dataclass(frozen=True)
class TaskFacts:
    """One task.

    Attributes
    ----------
    kind : str
    counted : str
        Of what the counts are, clips or frames.
    splits : dict of str to SplitFacts
        With folds, train and valid are all clips that are in some fold: trainings of one fold are
        validated on them, the others learn from them.
    folds : tuple of SplitFacts
        What each fold is validated on; empty without folds.
    """

    kind: str
    counted: str
    splits: Mapping[str, SplitFacts]
    folds: tuple[SplitFacts, ...] = ()


@dataclass(frozen=True)
class DataFacts:
    """All tasks by name, and what was done to the data on the way in."""

    tasks: Mapping[str, TaskFacts]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return asdict(self)


def data_check(experiment: Experiment) -> DataFacts:
    """Count what a prepared experiment would train and test on."""
    clips = {
        clip_key(name, clip): (name, clip)
        for name, corpus in experiment.corpora.items()
        for clip in corpus.clips
    }
    by_number = [clips[key] for key in experiment.bank.keys]
    tasks: dict[str, TaskFacts] = {}
    for name, spec in experiment.specs.items():
        own = [data[name] for data in experiment.folds]
        folds = [_facts([data], "valid", by_number) for data in own if len(own) > 1]
        parts = {"train": own[:1], "valid": own, "test": own[:1]}
        splits = {split: _facts(parts[split], split, by_number) for split in SPLITS}
        if folds:
            splits["train"] = splits["valid"]
        tasks[name] = TaskFacts(spec.kind, spec.rules.counted, splits, tuple(folds))
    return DataFacts(tasks, experiment.notes)


def _facts(
    parts: Sequence[TaskData], split: Split, by_number: list[tuple[str, Clip]]
) -> SplitFacts:
    """Those of a split of one task, of all ``parts`` together."""
    chosen = [by_number[number] for data in parts for number in data.clips[split]]
    spec, targets = parts[0].spec, [target for data in parts for target in data.targets[split]]
    counts = spec.rules.counts(targets, spec.classes)
    return SplitFacts(
        clips=len(chosen),
        speakers=len({(corpus, clip.speaker) for corpus, clip in chosen if clip.speaker}),
        seconds=round(sum(clip.duration_s for _, clip in chosen), 3),
        counts=counts,
        majority=max(counts.values()) / max(1, sum(counts.values())),
    )
