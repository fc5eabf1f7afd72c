"""Which weights of a training are kept: one rule for single-task models, pairs and trees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

AVERAGED = 0.25
"""Share of the epochs, the last ones, whose weights are averaged."""


def kept_steps(
    rule: Literal["last", "average", "best"],
    history: Sequence[Mapping[str, float]],
    tasks: Sequence[str],
) -> list[int]:
    """The steps whose weights are averaged; one of them, mostly.

    Parameters
    ----------
    rule
        As ``weights`` of `synergy.training.config.TrainingConfig`. Best is the validation of the
        highest mean relative score, the latest of equals: each task's score divided by the best
        that it reached in this training.
    history : sequence of dict
        A row for each validation, at least one; those of `synergy.training.loop.Trained`.
    """
    steps = [int(row["step"]) for row in history]
    if rule == "last":
        return steps[-1:]
    if rule == "average":
        return steps[-max(1, int(AVERAGED * len(steps))) :]
    tops = {task: max(row[f"{task}_score"] for row in history) or 1.0 for task in tasks}
    means = [sum(row[f"{task}_score"] / tops[task] for task in tasks) for row in history]
    return [steps[max(range(len(steps)), key=lambda i: (means[i], i))]]


def mean_weights(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of state dicts, running statistics of normalisation included; of counters the last.

    At a rate that falls to zero the states lie so close together that averaged statistics fit
    averaged weights; they are not taken again.
    """
    last = states[-1]
    return {
        name: torch.stack([state[name] for state in states]).mean(0)
        if value.is_floating_point()
        else value
        for name, value in last.items()
    }
