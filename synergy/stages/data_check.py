"""What the clips of each task are like, split by split."""

from __future__ import annotations

from collections.abc import Mapping
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
    """One task; ``counted`` says of what the counts are, clips or frames."""

    kind: str
    counted: str
    splits: Mapping[str, SplitFacts]


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
    for name, data in experiment.data.items():
        splits = {split: _facts(data, split, by_number) for split in SPLITS}
        tasks[name] = TaskFacts(data.spec.kind, data.spec.rules.counted, splits)
    return DataFacts(tasks, experiment.notes)


def _facts(data: TaskData, split: Split, by_number: list[tuple[str, Clip]]) -> SplitFacts:
    chosen = [by_number[number] for number in data.clips[split]]
    counts = data.spec.rules.counts(data.targets[split], data.spec.classes)
    return SplitFacts(
        clips=len(chosen),
        speakers=len({(corpus, clip.speaker) for corpus, clip in chosen if clip.speaker}),
        seconds=round(sum(clip.duration_s for _, clip in chosen), 3),
        counts=counts,
        majority=max(counts.values()) / max(1, sum(counts.values())),
    )
