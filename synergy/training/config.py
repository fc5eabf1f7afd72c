"""Settings of training; all of them are part of a trial's digest."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from synergy import limits
from synergy.files import StrictModel


class TrainingConfig(StrictModel):
    """How every trial is trained: the same budget per task whatever the tree.

    Attributes
    ----------
    epochs, steps_per_epoch : int
        An epoch is a number of optimiser steps, since tasks have corpora of different size; it
        ends with a validation.
    weights : {"last", "average", "best"}
        Which weights are kept: those at the end of the schedule; the mean of those at the ends of
        the last quarter of the epochs (Izmailov et al. 2018, at a falling rate); or those of the
        best validation. By best, a single-task model has an epoch of its own and a tree one for
        all its tasks, which makes AR by itself where nothing is shared.
    clips_per_task : int
        Clips that each task contributes to a step.
    crop_s : float
        Length of the crops, in seconds; shorter clips are extended by their edge frames.
    learning_rate : float
        Peak rate, reached after the warm-up, then a cosine to zero.
    warmup : float
        Share of the steps in which the rate rises.
    weight_decay : float
        Of AdamW, on all weights but biases and normalisation.
    clip_norm : float
        Bound on the gradient's norm.
    gain_db, shift_s : float
        Largest random change of level and of position.
    masks : int
        Number of masks per axis (SpecAugment, Park et al. 2019, without warping; masked values
        become the mean).
    mel_mask, frame_mask : float
        Largest share of the mel bands and of the frames that a mask covers.
    precision : {"float32", "bfloat16"}
        Of the encoder in training (autocast); scores are always taken in float32.
    """

    epochs: Annotated[int, Field(ge=1, le=limits.EPOCHS)] = 40
    steps_per_epoch: Annotated[int, Field(ge=1, le=limits.STEPS)] = 100
    weights: Literal["last", "average", "best"] = "last"
    clips_per_task: Annotated[int, Field(ge=1, le=4096)] = 32
    crop_s: Annotated[float, Field(ge=0.01, le=60)] = 1.0
    learning_rate: Annotated[float, Field(ge=1e-9, le=1)] = 3.0e-3
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.02
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    clip_norm: Annotated[float, Field(ge=1e-6, le=1e6)] = 5.0
    gain_db: Annotated[float, Field(ge=0, le=40)] = 6.0
    shift_s: Annotated[float, Field(ge=0, le=10)] = 0.1
    masks: Annotated[int, Field(ge=0, le=8)] = 2
    mel_mask: Annotated[float, Field(ge=0, lt=1)] = 0.15
    frame_mask: Annotated[float, Field(ge=0, lt=1)] = 0.15
    precision: Literal["float32", "bfloat16"] = "float32"

    @property
    def steps(self) -> int:
        """Optimiser steps of a whole training."""
        return self.epochs * self.steps_per_epoch
