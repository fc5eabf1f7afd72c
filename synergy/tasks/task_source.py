"""Where a task finds its targets in a corpus, and which clips of the corpus it takes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import eq, ge, gt, le, lt
from typing import Any, Literal, NamedTuple, Self

from pydantic import ConfigDict, Field, model_validator

from synergy import limits
from synergy.datasets.base import Clip, Corpus
from synergy.files import StrictModel
from synergy.names import Label
from synergy.quantities import decimal_number
from synergy.wording import counted, quoted, short_list, shown

_COMPARISON = re.compile(r"\s*(>=|<=|==|>|<)\s*([^\s<>=]+)\s*")
_OPERATORS = {">=": ge, "<=": le, "==": eq, ">": gt, "<": lt}


class TaskSource(StrictModel):
    """Where one task finds its targets in one corpus: a label column, or segments."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    column: Label | None = Field(default=None, description="Label column of clip classification.")
    where: dict[Label, str] = Field(
        default={},
        max_length=limits.CONDITIONS,
        description="Column to condition: '>= 18' (also <=, >, <, ==) or 'female|male'. "
        "A clip without a value does not match.",
    )
    map: dict[str, Label] = Field(
        default={}, description="Value to class; values that are not in it are dropped."
    )
    segments: Label | None = Field(
        default=None, description="Label of the segments in which frames are active."
    )
    label_source: Label | None = Field(
        default=None, description="Only segments that were set this way count, for example hand."
    )
    unlisted: Literal["drop", "inactive"] = Field(
        default="drop", description="What clips without such a segment are."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.column is None) == (self.segments is None):
            raise ValueError("expected either column or segments")
        if self.segments is None and (self.label_source is not None or self.unlisted != "drop"):
            raise ValueError("label_source and unlisted need segments")
        if self.column is None and self.map:
            raise ValueError("map needs column")
        for column, condition in self.where.items():
            comparison = _COMPARISON.fullmatch(condition)
            if comparison and decimal_number(comparison[2]) is None:
                raise ValueError(
                    f"where {shown(column)}: expected a number after {comparison[1]}, "
                    f"found {quoted(comparison[2])}"
                )
            if not condition.strip() or (comparison is None and condition.strip()[0] in "<>="):
                raise ValueError(
                    f"where {shown(column)}: expected a condition like '>= 18' or "
                    f"'female|male', found {quoted(condition)}"
                )
        return self


@dataclass(frozen=True, slots=True)
class LabelledClip:
    """A clip that a task uses; ``target`` is the number of its class, or its active segments."""

    corpus: str
    clip: Clip
    target: Any


class Matching(NamedTuple):
    """The clips of a corpus that meet the conditions of a source."""

    source: TaskSource
    corpus: Corpus
    clips: Sequence[Clip]


@dataclass(frozen=True)
class Findings:
    """What comes up while clips are selected: sentences on what is wrong and what is left out."""

    problems: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)


def matching_clips(source: TaskSource, corpus: Corpus, findings: Findings) -> Matching:
    """Clips that meet every condition of ``where``; values must be comparable."""
    clips = list(corpus.clips)
    for column, condition in source.where.items():
        accepted = {text.strip() for text in condition.split("|")}
        if comparison := _COMPARISON.fullmatch(condition):
            compare, bound = _OPERATORS[comparison[1]], float(comparison[2])
            values = {clip.labels[column] for clip in clips if column in clip.labels}
            numbers = {value: decimal_number(value) for value in values}
            if wrong := sorted(value for value, number in numbers.items() if number is None):
                findings.problems.append(
                    f"corpus {corpus.name}, where {shown(column)} {shown(condition)}: expected "
                    f"numbers, found {short_list(map(quoted, wrong), 3)}"
                )
            accepted = {
                v for v, number in numbers.items() if number is not None and compare(number, bound)
            }
        kept = [clip for clip in clips if clip.labels.get(column) in accepted]
        if len(kept) < len(clips):
            findings.dropped.append(
                f"{counted(len(clips) - len(kept), 'clip')} of {corpus.name} do not have "
                f"{shown(column)} {shown(condition)}"
            )
        clips = kept
    return Matching(source, corpus, clips)
