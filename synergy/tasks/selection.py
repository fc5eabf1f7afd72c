"""From the labels of corpora to the clips of one task, with a count of what is left out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synergy.datasets.base import Corpus
from synergy.errors import DataError
from synergy.tasks import TaskKind, TaskSpec
from synergy.tasks.task_source import Findings, LabelledClip, Matching, TaskSource, matching_clips
from synergy.wording import SPLITS, Split, did_you_mean, problem_message, quoted, short_list


@dataclass(frozen=True)
class TaskSelection:
    """All clips of one task, by corpus in the order of the sources, then by path.

    ``dropped`` says what was left out and why, with counts, one sentence each; ``alike`` which
    classes may be one, and how they become one.
    """

    spec: TaskSpec
    clips: tuple[LabelledClip, ...]
    dropped: tuple[str, ...]
    alike: str = ""

    def of_split(self, split: Split) -> tuple[LabelledClip, ...]:
        """The clips of one split, in order."""
        return tuple(labelled for labelled in self.clips if labelled.clip.split == split)

    def split_problems(self, split: Split, hop_s: float) -> list[str]:
        """What makes a split unusable, with frames ``hop_s`` seconds apart."""
        own, spec = self.of_split(split), self.spec
        if not own:
            return [f"no {split} clip is left"]
        return spec.rules.split_problems(split, own, spec.classes, hop_s)


def select_clips(
    task_name: str,
    classes: tuple[str, ...] | None,
    kind: TaskKind,
    sources: Mapping[str, TaskSource],
    corpora: Mapping[str, Corpus],
    hop_s: float = 0.01,
    splits: Sequence[Split] = SPLITS,
) -> TaskSelection:
    """Find every clip that carries a target of a task.

    Parameters
    ----------
    classes : tuple of str, or None
        Classes in the order of the targets; None takes those of the data.
    sources, corpora : mapping of str to TaskSource and to Corpus
        By name of the corpus.
    hop_s : float
        Seconds between frames of the features.
    splits : sequence of str
        Those that must have what the task needs; the others may lack it.

    Raises
    ------
    DataError
        If a corpus, column, class or segment label does not exist, or a split is empty or has
        one class (or only active or only inactive frames); names all problems together.
    """
    findings = Findings()
    problems, dropped = findings.problems, findings.dropped
    if not sources:
        problems.append("expected at least one corpus, found none")
    matching: list[Matching] = []
    for name, source in sources.items():
        if name not in corpora:
            problems.append(
                f"there is no corpus {quoted(name)}{did_you_mean(name, corpora)}; "
                f"there are {short_list(corpora)}"
            )
        elif problem := kind.source_problem(source):
            problems.append(f"corpus {name}: {problem}")
        elif unknown := _unknown_columns(source, corpora[name]):
            problems.extend(unknown)
        else:
            matching.append(matching_clips(source, corpora[name], findings))
    classes = classes or kind.default_classes(matching)
    clips: tuple[LabelledClip, ...] = ()
    if classes and (problem := kind.classes_problem(classes)):
        problems.append(f"classes: {problem}")
    else:
        clips = tuple(each for found in matching for each in kind.label(found, classes, findings))
    found = TaskSelection(
        TaskSpec(task_name, kind.name, classes),
        clips,
        tuple(dropped),
        _alike(task_name, classes, clips) if kind.threshold is None else "",
    )
    if not problems:
        for split in splits:
            problems += found.split_problems(split, hop_s)
        if problems:
            problems += dropped
    if problems:
        raise DataError(problem_message(f"task {task_name}", problems))
    return found


def _alike(task: str, classes: Sequence[str], clips: Sequence[LabelledClip]) -> str:
    """Which classes differ only in case or spaces, and what merges them; empty if none do."""
    groups: dict[str, list[str]] = {}
    for name in classes:
        groups.setdefault("".join(name.split()).casefold(), []).append(name)
    if not (similar := [names for names in groups.values() if len(names) > 1]):
        return ""
    counts = Counter(classes[int(each.target)] for each in clips)
    told: list[str] = []
    into: dict[str, str] = {}
    for names in similar:
        ordered = sorted(names, key=lambda name: -counts[name])
        told.append(" and ".join(f"{quoted(n)} ({counts[n]})" for n in ordered))
        into |= dict.fromkeys(ordered[1:], ordered[0])
    left = ", ".join(json.dumps(n, ensure_ascii=False) for n in classes if n not in into)
    merged = json.dumps(into, ensure_ascii=False)
    return (
        f"{task}: classes differ only in case or spaces: {'; '.join(told)} clips; if they are the "
        f"same, write `classes: [{left}]` under the task and `map: {merged}` beside its column"
    )


def _unknown_columns(source: TaskSource, corpus: Corpus) -> list[str]:
    return [
        f"corpus {corpus.name} has no column {quoted(column)}"
        f"{did_you_mean(column, corpus.columns)}; it has {short_list(corpus.columns, 20)}"
        for column in dict.fromkeys((source.column, *source.where))
        if column and column not in corpus.columns
    ]
