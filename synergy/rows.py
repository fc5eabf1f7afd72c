"""Trained models as lines of tables, and the trees that were tried on the way to one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from synergy.files import StrictModel
from synergy.names import TaskName
from synergy.quantities import Count, Percent, Points, Score, Share, Text, Width

if TYPE_CHECKING:
    import pandas

Reported = Annotated[str, Field(pattern="^(valid|test)$")]
BySplit = dict[Reported, Percent]
MeanScores = dict[Reported, dict[TaskName, Score]]
Scores = dict[Reported, dict[TaskName, tuple[Score, ...]]]
"""``scores[split][task]``: one score for each seed that finished, in [0, 1]."""


class Row(StrictModel):
    """A trained model held against the single-task models: one line of a table.

    Attributes
    ----------
    name : str
        What kind of model it is.
    notation : str, or None
        Its tree; None for several networks.
    params, macs : int, or None
        Trainable parameters; multiply-accumulates of one second of audio for all tasks.
    epochs : int, or None
        Length of its training.
    distilled : bool
        Whether it learned from the single-task models too.
    width : float
        How wide its encoder is, as a multiple of the configured one.
    digests : tuple of str
        Its trials.
    scores : dict
        See `Scores`; ``mean_scores[split][task]`` are their means.
    errors : tuple of str
        Why seeds are missing.
    ar_pct, ar_low, ar_high : dict of split to float
        AR against the single-task models and its bootstrap interval, in percent.
    loss_pct : dict of split to dict of task to float
        Signed losses against the single-task models, in percent.
    """

    name: Text
    notation: Text | None = None
    params: Count | None = None
    macs: Count | None = None
    epochs: Count | None = None
    distilled: bool = False
    width: Width = 1.0
    digests: tuple[Text, ...] = ()
    scores: Scores = Field(default={})
    mean_scores: MeanScores = Field(default={})
    errors: tuple[Text, ...] = ()
    ar_pct: BySplit = Field(default={})
    ar_low: BySplit = Field(default={})
    ar_high: BySplit = Field(default={})
    loss_pct: dict[Reported, dict[TaskName, Points]] = Field(default={})

    @property
    def seeds(self) -> int:
        """Number of seeds that finished."""
        return max((len(values) for values in self.scores.get("valid", {}).values()), default=0)


def frame_of(rows: Iterable[Row], further: Sequence[str] = ()) -> pandas.DataFrame:
    """Rows as a data frame: a line for each row and split, or one where nothing was measured.

    ``score_TASK`` are means over the seeds, in [0, 1]; ``loss_TASK`` are in percent. ``further``
    names attributes that these rows have beside the usual ones.
    """
    import pandas

    lines: list[dict[str, Any]] = []
    for row in rows:
        named = {name: getattr(row, name) for name in (*_NAMED, *further)}
        for split in row.mean_scores or row.scores or [None]:
            line = {**named, "split": split, "seeds": row.seeds}
            if split is not None:
                for name in ("ar_pct", "ar_low", "ar_high"):
                    line[name] = getattr(row, name).get(split)
                means = {task: fmean(found) for task, found in row.scores.get(split, {}).items()}
                means |= row.mean_scores.get(split, {})
                line |= {f"score_{task}": score for task, score in means.items()}
                losses = row.loss_pct.get(split, {})
                line |= {f"loss_{task}": loss for task, loss in losses.items()}
            lines.append(line)
    return pandas.DataFrame(lines)


_NAMED = ("name", "notation", "params", "macs", "epochs", "distilled", "width")


class TaskLoss(StrictModel):
    """Signed relative loss of a task on validation, in percent, with its 95 % interval if any."""

    loss_pct: Points
    low: Points | None = None
    high: Points | None = None


class Attempt(StrictModel):
    """A tree that was trained and measured on the way to the delivered one.

    Attributes
    ----------
    why : str
        Why it was trained.
    ar_pct, fresh_ar_pct : dict of split to float
        AR of the configured seeds, and of those that had no part in its choice.
    predicted, loss_pct : dict of task
        Signed losses on validation, predicted before it was trained, and measured.
    probability : float, or None
        That it keeps the threshold, by all that was measured.
    """

    notation: Text
    width: Width = 1.0
    distilled: bool = False
    why: Text = ""
    params: Count | None = None
    ar_pct: BySplit = Field(default={})
    fresh_ar_pct: BySplit = Field(default={})
    mean_scores: MeanScores = Field(default={})
    predicted: dict[TaskName, TaskLoss] = Field(default={})
    loss_pct: dict[TaskName, Points] = Field(default={})
    probability: Share | None = None
    keeps: bool = False

    @model_validator(mode="before")
    @classmethod
    def _of_before(cls, data: Any) -> Any:
        """Earlier versions repaired trees pair by pair."""
        if isinstance(data, Mapping):
            return {k: v for k, v in data.items() if k not in ("lowered", "predicted_ar_pct")}
        return data


class PromiseOfTree(StrictModel):
    """What is promised of the delivered tree, on validation.

    Attributes
    ----------
    probability : float, or None
        That no task loses more than ``max_ar`` percent; None where no trees were compared.
    confirmed : bool
        Whether AR keeps ``max_ar`` with seeds that had no part in the choice of the tree.
    ar_pct, ar_low, ar_high : float, or None
        That AR and its interval.
    """

    probability: Share | None
    max_ar: Percent
    confirmed: bool = False
    ar_pct: Percent | None = None
    ar_low: Percent | None = None
    ar_high: Percent | None = None
