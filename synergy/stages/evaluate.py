"""An exported model on labelled clips: scores, confusions, the worst clips, the time of a clip."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import torch

from synergy.audio.reading import SAMPLE_RATE_HZ, read_waveform
from synergy.config import RunConfig
from synergy.datasets import load_corpus
from synergy.datasets.base import Corpus
from synergy.errors import ConfigError, DataError, SynergyError
from synergy.model import LONGEST_S, Model
from synergy.tasks.selection import select_clips
from synergy.tasks.task_source import LabelledClip
from synergy.wording import SPLITS, Split, short_list, shown

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ClassFacts:
    """How one class fares.

    Attributes
    ----------
    count : int
        Clips of the class, or frames.
    recall, precision : float, or None
        In [0, 1]; None where there is no such clip, or no such answer.
    answers : dict of str to int
        How often which class was the answer, the most frequent first; no zeros.
    """

    count: int
    recall: float | None
    precision: float | None
    answers: Mapping[str, int]


@dataclass(frozen=True)
class WorstClip:
    """A clip with a large loss; of an activity there is no single right answer."""

    file: str
    right: str | None
    answer: str | None
    wrong: float
    log_loss: float


@dataclass(frozen=True)
class SplitScores:
    """One task on one split.

    Attributes
    ----------
    clips : int
        Those that could be used.
    metrics : dict of str to float
        Of the kind of task; None for what these clips do not define.
    """

    clips: int
    metrics: Mapping[str, float | None]
    classes: Mapping[str, ClassFacts]
    worst: tuple[WorstClip, ...]


@dataclass(frozen=True)
class TaskScores:
    """One task; ``metric`` is the score that AR is taken of, ``counted`` is clips or frames."""

    kind: str
    metric: str
    counted: str
    splits: Mapping[Split, SplitScores]


@dataclass(frozen=True)
class Latency:
    """Time of one clip from the waveform to the logits of all tasks.

    Attributes
    ----------
    device : str
    threads : int
        Of torch, on a CPU.
    median_ms, p95_ms : float
    share_of_audio : float
        Time of all clips by their duration.
    """

    device: str
    threads: int
    median_ms: float
    p95_ms: float
    share_of_audio: float


@dataclass(frozen=True)
class Evaluation:
    """All tasks by name; ``notes`` tell what was left out, ``problems`` which clips failed."""

    tasks: Mapping[str, TaskScores]
    latency: Latency
    notes: tuple[str, ...]
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class _Heard:
    """What the model says of one clip, by task."""

    file: str
    logits: Mapping[str, np.ndarray]
    seconds: float
    audio_s: float


def evaluate(
    model: Model,
    config: RunConfig,
    tasks: Sequence[str] = (),
    splits: Sequence[Split] = SPLITS,
    worst: int = 5,
    tell: Tell = lambda what, done, total: None,
) -> Evaluation:
    """Measure a model on the clips that a configuration selects; clips are run whole, one by one.

    Parameters
    ----------
    tasks : sequence of str
        By default those that both have.
    worst : int
        Clips to name of each task and split.
    tell : callable
        Called with what is done, the number done and the number in total.

    Raises
    ------
    ConfigError
        If model and configuration have no task in common, or other kinds or classes.
    DataError
        If a corpus cannot be used, or no clip is there or can be read.
    """
    chosen = _tasks(model, config, tasks)
    used = dict.fromkeys(corpus for task in chosen for corpus in config.tasks[task].corpora)
    corpora = {
        name: load_corpus(name, config.corpora[name], partial(tell, f"preparing {name}"))
        for name in used
    }
    notes: list[str] = []
    clips: dict[str, dict[Split, tuple[LabelledClip, ...]]] = {}
    for name in chosen:
        task, hop_s = config.tasks[name], model.spec.features.hop_s
        found = select_clips(
            name, model.classes[name], task.rules, task.corpora, corpora, hop_s, splits=()
        )
        clips[name] = {split: own for split in splits if (own := found.of_split(split))}
        missing = [split for split in splits if split not in clips[name]]
        notes += [f"{name}: {reason}" for reason in found.dropped]
        notes += [f"{name}: there is no {split} clip" for split in missing]
    if not any(clips.values()):
        raise DataError(f"expected clips of the splits {short_list(splits)}, found none")
    heard, problems = _listen(model, corpora, clips, tell)
    if not heard:
        raise DataError("\n".join(["no clip could be used", *problems]))
    if left_out := [task for task in model.tasks if task not in chosen]:
        notes.append(f"not measured: {short_list(left_out)}, which the model has as well")
    measured: dict[str, TaskScores] = {}
    for name in chosen:
        rules = config.tasks[name].rules
        by_split: dict[Split, SplitScores] = {}
        for split, own in clips[name].items():
            said = [(each.target, heard[_key(each)]) for each in own if _key(each) in heard]
            if said:
                by_split[split] = _measured(model, name, said, worst)
        measured[name] = TaskScores(rules.name, rules.metric, rules.counted, by_split)
    return Evaluation(measured, _latency(model, [*heard.values()]), tuple(notes), tuple(problems))


def _tasks(model: Model, config: RunConfig, asked: Sequence[str]) -> list[str]:
    """Tasks to be measured, in the order of the model."""
    unknown = [task for task in asked if task not in model.tasks]
    common = [task for task in model.tasks if task in config.tasks and (task in asked or not asked)]
    if unknown or not common:
        raise ConfigError(
            f"expected tasks that the model has ({short_list(model.tasks)}), found "
            f"{short_list(unknown or config.tasks)}; the configuration has to call them as the "
            "model does"
        )
    for task in model.spec.tasks:
        if task.name not in common:
            continue
        other = config.tasks[task.name]
        if other.rules.name != task.kind:
            raise ConfigError(
                f"tasks.{task.name}.kind: expected {shown(task.kind)} as the model has it, found "
                f"{shown(other.kind)}"
            )
        if other.classes is not None and set(other.classes) != set(task.classes):
            raise ConfigError(
                f"tasks.{task.name}.classes: expected those of the model "
                f"({short_list(task.classes)}), found {short_list(other.classes)}"
            )
    return common


def _key(labelled: LabelledClip) -> tuple[str, str]:
    return labelled.corpus, labelled.clip.path


def _listen(
    model: Model,
    corpora: Mapping[str, Corpus],
    clips: Mapping[str, Mapping[Split, Sequence[LabelledClip]]],
    tell: Tell,
) -> tuple[dict[tuple[str, str], _Heard], list[str]]:
    """What the model says of each clip, once for all tasks; and why some have no answer."""
    every = {_key(each): each for own in clips.values() for each in chain(*own.values())}
    heard: dict[tuple[str, str], _Heard] = {}
    problems: list[str] = []
    for done, (key, labelled) in enumerate(every.items(), 1):
        file = str(corpora[labelled.corpus].audio_path(labelled.clip))
        try:
            waveform = read_waveform(file, LONGEST_S)
            if not heard:
                model(waveform)  # the first call takes longer
            started = time.perf_counter()
            logits = {task: value.cpu().numpy() for task, value in model(waveform).items()}
            seconds = time.perf_counter() - started
        except SynergyError as error:
            text = str(error)
            problems.append(text if text.startswith(file) else f"{file}: {text}")
        else:
            heard[key] = _Heard(file, logits, seconds, len(waveform) / SAMPLE_RATE_HZ)
        tell("clips", done, len(every))
    return heard, problems


def _measured(
    model: Model, task: str, said: Sequence[tuple[Any, _Heard]], worst: int
) -> SplitScores:
    """The scores of a task, from the labels of clips and what the model says of them."""
    spec = next(each for each in model.spec.task_specs() if each.name == task)
    rules, hop_s = spec.rules, model.spec.features.hop_s
    logits = [heard.logits[task] for _, heard in said]
    labels = [label for label, _ in said]
    targets = [rules.target(a, len(b), hop_s) for a, b in zip(labels, logits, strict=True)]
    rows, right = rules.answers(logits, targets)
    names, single, threshold = [*spec.classes], rules.threshold is None, 0.5
    if not single:
        names, threshold = [f"no {names[0]}", names[0]], model.thresholds[task]
    bar = np.zeros(len(names))
    bar[-1] += np.log(threshold / (1 - threshold))
    decided = [(row - bar).argmax(axis=1) for row in rows]
    losses = [_log_loss(row, own) for row, own in zip(rows, right, strict=True)]

    def told(n: int) -> WorstClip:
        ends = (names[right[n][0]], names[decided[n][0]]) if single else (None, None)
        wrong = float((decided[n] != right[n]).mean())
        return WorstClip(said[n][1].file, *ends, wrong, losses[n])

    order = sorted(range(len(said)), key=lambda n: (-losses[n], said[n][1].file))[:worst]
    every_right = np.concatenate(right)
    metrics: Mapping[str, float | None] = {rules.metric: None}
    if single or len(np.unique(every_right)) > 1:  # a ranking needs both
        metrics = rules.scores(logits, targets)
    facts = _classes(names, every_right, np.concatenate(decided))
    return SplitScores(len(said), metrics, facts, tuple(map(told, order)))


def _log_loss(logits: np.ndarray, right: np.ndarray) -> float:
    """Mean negative log probability of the right classes; logits [A, K], right [A]."""
    values = torch.from_numpy(logits.astype(np.float64))
    return float(torch.nn.functional.cross_entropy(values, torch.from_numpy(right)))


def _classes(names: Sequence[str], right: np.ndarray, decided: np.ndarray) -> dict[str, ClassFacts]:
    pairs, counts = np.unique(np.stack([right, decided]), axis=1, return_counts=True)
    answers: dict[int, dict[int, int]] = {number: {} for number in range(len(names))}
    for (one, other), count in zip(pairs.T.tolist(), counts.tolist(), strict=True):
        answers[one][other] = count
    given = np.bincount(decided, minlength=len(names))
    found: dict[str, ClassFacts] = {}
    for number, name in enumerate(names):
        own = answers[number]
        count, hits = sum(own.values()), own.get(number, 0)
        ranked = sorted(own.items(), key=lambda pair: (-pair[1], pair[0]))
        found[name] = ClassFacts(
            count=count,
            recall=hits / count if count else None,
            precision=hits / int(given[number]) if given[number] else None,
            answers={names[other]: times for other, times in ranked},
        )
    return found


def _latency(model: Model, heard: Sequence[_Heard]) -> Latency:
    times = np.array([each.seconds for each in heard])
    return Latency(
        device=str(model.device),
        threads=torch.get_num_threads(),
        median_ms=1000 * float(np.median(times)),
        p95_ms=1000 * float(np.quantile(times, 0.95)),
        share_of_audio=float(times.sum() / sum(each.audio_s for each in heard)),
    )
