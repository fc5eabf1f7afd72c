"""The training loop: the only one, for every tree.

Shapes: B batch, M mel, F frame.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from synergy.errors import TrainingError
from synergy.sparsity import Network
from synergy.tasks.clips import ClipBank, TaskData
from synergy.training.batches import Batch, BatchSource
from synergy.training.config import TrainingConfig
from synergy.training.distillation import DistillationConfig, SoftLabels
from synergy.training.evaluation import clips_of, predict, score
from synergy.training.kept_weights import kept_steps, mean_weights
from synergy.training.pruning import Masking
from synergy.wording import REPORTED, SPLIT_NAMES, Split

Logits = dict[str, list[np.ndarray]]
"""By task, arrays per clip; see `synergy.training.evaluation.predict`."""

Metrics = dict[str, dict[str, float]]
"""Scores by task and metric."""


@dataclass(frozen=True)
class Trained:
    """What training leaves behind; the network itself holds the weights that are kept.

    Attributes
    ----------
    kept_step : int
        The step of the kept weights; of a mean, the last one.
    scores : dict
        By split: validation and, where that was asked for, test.
    logits : dict
        By split.
    history : list of dict
        One row per validation: step, losses, scores.
    clips_per_s : float
        Rows that went through the loop per second of training, validations excluded.
    """

    kept_step: int
    scores: dict[Split, Metrics]
    logits: dict[Split, Logits]
    history: list[dict[str, float]]
    clips_per_s: float


def train(
    network: Network,
    bank: ClipBank,
    tasks: Sequence[TaskData],
    config: TrainingConfig,
    seed: int,
    report: Callable[[Mapping[str, Any]], None] = lambda message: None,
    soft_labels: SoftLabels | None = None,
    masking: Masking | None = None,
    test: bool = False,
) -> Trained:
    """Train ``network`` in place and measure it.

    The loss is the sum of the tasks' losses, so that a decoder gets the gradient that it gets
    when its task is trained alone. With ``soft_labels`` every row runs through every branch and
    a task's loss is the weighted mean of its loss on its own clips and of the distance from the
    teachers on all of them. ``config.weights`` says which weights are kept, see
    `synergy.training.kept_weights`; with ``masking`` only those under its masks. The test split
    is read once, at the end, if ``test`` asks for it.

    Raises
    ------
    TrainingError
        When a loss, a logit or a score is not finite; says at which step and for which task.
    """
    source = BatchSource(bank, tasks, config, seed, soft_labels)
    distillation = None if soft_labels is None else soft_labels.settings
    device = next(network.parameters()).device
    lay_out(network, config)
    network.train()
    optimizer, schedule = build_optimizer(network, config)
    snapshots: dict[int, dict[str, Tensor]] = {}
    history: list[dict[str, float]] = []
    rows, seconds = 0, 0.0
    for epoch in range(1, config.epochs + 1):
        sums = {task.task: 0.0 for task in tasks}
        started = time.perf_counter()
        for step in range((epoch - 1) * config.steps_per_epoch, epoch * config.steps_per_epoch):
            if masking is not None and step == masking.start:
                masking.begin(optimizer)
            batch = source.batch(step).to(device)
            losses = training_step(network, batch, optimizer, config, distillation)
            schedule.step()
            rows += len(batch.x)
            for task, loss in losses.items():
                sums[task] += float(loss)
                if not math.isfinite(float(loss)):
                    raise _diverged(f"the loss of {task} became {float(loss)}", step + 1, config)
        seconds += time.perf_counter() - started
        done = epoch * config.steps_per_epoch
        _, scores = measured(network, bank, tasks, "valid", done, config)
        snapshots[done] = {k: v.detach().clone() for k, v in network.state_dict().items()}
        row = {"step": float(done), "learning_rate": schedule.get_last_lr()[0]}
        for task in sums:
            row[f"{task}_loss"] = sums[task] / config.steps_per_epoch
            row[f"{task}_score"] = scores[task][network.specs[task].rules.metric]
        history.append(row)
        report({"step": done, "steps": config.steps, "clips_per_s": rows / seconds, **row})
    first = 0 if masking is None else masking.start
    counting = [row for row in history if row["step"] > first]
    kept = kept_steps(config.weights, counting, [task.task for task in tasks])
    network.load_state_dict(mean_weights([snapshots[step] for step in kept]))
    network.eval()
    found: dict[Split, tuple[Logits, Metrics]] = {
        split: measured(network, bank, tasks, split, kept[-1], config)
        for split in REPORTED
        if test or split != "test"
    }
    return Trained(
        kept_step=kept[-1],
        scores={split: scores for split, (_, scores) in found.items()},
        logits={split: logits for split, (logits, _) in found.items()},
        history=history,
        clips_per_s=rows / seconds,
    )


def measured(
    network: Network,
    bank: ClipBank,
    tasks: Sequence[TaskData],
    split: Split,
    step: int,
    config: TrainingConfig,
) -> tuple[Logits, Metrics]:
    """Logits and scores after ``step``; TrainingError if one of them could not be kept."""
    logits = predict(network, bank, clips_of(tasks, split))
    clips = f"on {SPLIT_NAMES[split]} clips"
    for task in tasks:
        kind = task.spec.rules
        largest = float(np.abs(kind.join(logits[task.task])).max())
        if not largest <= float(np.finfo(kind.kept_as).max):
            raise _diverged(f"a logit of {task.task} {clips} became {largest:g}", step, config)
    scores = score(tasks, split, logits)
    ranked = {(task.task, task.spec.rules.metric) for task in tasks}
    for task, metrics in scores.items():
        for metric, value in metrics.items():
            within = (task, metric) in ranked
            if not math.isfinite(value) or (within and not 0 <= value <= 1):
                expected = f"a {metric} in [0, 1]" if within else f"a finite {metric}"
                raise TrainingError(
                    f"expected {expected} of {task} {clips}, found {value} after step {step} of "
                    f"{config.steps}"
                )
    return logits, scores


def _diverged(what: str, step: int, config: TrainingConfig) -> TrainingError:
    return TrainingError(
        f"{what} at step {step} of {config.steps}; lower training.learning_rate (now "
        f"{config.learning_rate:g}) or training.clip_norm (now {config.clip_norm:g})"
    )


def training_step(
    network: Network,
    batch: Batch,
    optimizer: torch.optim.Optimizer,
    config: TrainingConfig,
    distillation: DistillationConfig | None = None,
) -> dict[str, Tensor]:
    """One optimiser step; returns the detached losses.

    The batch lies on the network's device; with ``distillation`` it must hold soft labels.
    """
    x, rough = batch.x, config.precision == "bfloat16"
    if rough:
        x = x.to(memory_format=torch.channels_last)
    with torch.autocast(x.device.type, torch.bfloat16, enabled=rough):
        logits = network(x, rows=None if distillation else batch.rows)
    losses: dict[str, Tensor] = {}
    for task, targets in batch.targets.items():
        kind = network.specs[task].rules
        if distillation is None:
            losses[task] = kind.loss(logits[task], targets)
            continue
        own = kind.loss(logits[task].index_select(0, batch.rows[task]), targets)
        distance = kind.distillation_loss(logits[task], batch.soft[task], distillation.temperature)
        losses[task] = (1 - distillation.weight) * own + distillation.weight * distance
    optimizer.zero_grad(set_to_none=True)
    torch.stack(list(losses.values())).sum().backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip_norm)
    optimizer.step()
    return {task: loss.detach() for task, loss in losses.items()}


def lay_out(network: Network, config: TrainingConfig) -> None:
    """Channels-last convolution weights, in place, for bfloat16; in float32 they are slower."""
    if config.precision == "bfloat16":
        for parameter in network.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def build_optimizer(
    network: Network, config: TrainingConfig
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """The optimiser of every training and the schedule of its rate, stepped after each step."""
    decayed = [p for p in network.parameters() if p.ndim > 1]  # matrices and kernels only
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: learning_rate(s, config))
    return optimizer, schedule


def learning_rate(step: int, config: TrainingConfig) -> float:
    """Share of the peak rate at ``step``: linear warm-up, then half a cosine to zero."""
    warmup = config.warmup * config.steps
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1.0, config.steps - warmup)))
