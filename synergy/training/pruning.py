"""Weights that stay zero: where masks come from."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from synergy.strict import StrictModel

Digest = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,128}$")]


class Pruning(StrictModel):
    """Masks that are taken from finished trials.

    Attributes
    ----------
    parents : dict of task to digest
        The trial whose surviving weights a task may use. One trial for all tasks makes one mask
        for the whole network; several make a mask for each task.
    rate : float
        Share of a parent's surviving weights that is pruned on top, those of the smallest
        magnitude first, all tensors together.
    rewind_step : int
        Optimiser steps that are trained without the masks. Weights and optimiser are then where
        the unpruned training was at this step, whose seed and data are the same (Frankle et al.
        2020, rewinding).
    """

    parents: Annotated[dict[str, Digest], Field(min_length=1)]
    rate: Annotated[float, Field(ge=0, lt=1)]
    rewind_step: Annotated[int, Field(ge=0)] = 0
