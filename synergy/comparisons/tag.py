"""Task affinity grouping: what a step for one task does to the loss of another."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from synergy.comparisons.base import Contender, Field, tree_contenders
from synergy.comparisons.layouts import Partition, partitions, split_tree
from synergy.errors import TrainingError
from synergy.network import TreeNetwork, build_network, head_name
from synergy.running.jobs import Inputs
from synergy.running.probes import Probe
from synergy.training.batches import Batch, BatchSource
from synergy.training.loop import build_optimizer, lay_out, training_step

EVERY = 10
"""Steps from one look-ahead to the next."""

MAX_ENUMERATED = 9
"""Up to so many tasks every division is looked at; there are 21,147 of nine."""


def contenders(field: Field) -> list[Contender]:
    """Flat models of groups of tasks that help each other in one joint training.

    Source: Fifty et al., "Efficiently identifying task groupings for multi-task learning",
    NeurIPS 2021. The flat model that shares all blocks is trained once with each seed. On every
    10th batch, for each task i, the shared blocks take a plain gradient step on the loss of i
    alone; the affinity of i onto j is ``1 - L_j after / L_j before``. The step is taken back.
    Affinities are averaged over the training and the seeds. A group gives each of its tasks the
    mean affinity of the others onto it; the division with the largest mean over all tasks wins,
    and each of its groups shares all blocks. It wins once among those whose groups have at most
    the parameters of the synthesised tree, and once, as ``tag, free``, among all.

    What differs: the published groups may overlap and a task is never alone; here they divide
    the tasks, so that the result is a network, and a task alone has an affinity of 0. The
    published number of groups is given; here the parameters of the synthesised tree or, free,
    the affinities themselves decide it. The losses before and after are of
    the same mixed batch, so that both tasks are seen on clips of their own corpora; running
    statistics of normalisation are put back after a look, the published code lets them drift.
    The step has the learning rate and weight decay of the moment, without momentum, as the
    published code comes to do. Above nine tasks, groups are merged greedily.
    """
    experiment = field.experiment
    depth, steps = experiment.depth, experiment.training.steps
    joint = experiment.flat(field.tasks, depth)
    probes = [
        Probe("tag", (trial,), {"every": EVERY}, measure_affinities, steps, trains=True)
        for trial in experiment.trials([joint])
    ]
    measured = field.session.measure("affinities of tasks", probes)
    affinity = np.mean([probed.result["affinity"] for probed in measured], axis=0)
    most = field.max_block_params // sum(experiment.costs.block_params)
    score = division_score(joint.tasks, affinity)
    found: list[Contender] = []
    for name, groups_at_most, field_of in (
        ("tag", most, "the divisions that fit"),
        ("tag, free", len(joint.tasks), "all divisions"),
    ):
        groups = best_division(joint.tasks, affinity, groups_at_most)
        found += tree_contenders(
            field,
            name,
            split_tree(groups, 0, [depth] * len(groups), depth),
            search=frozenset(probe.digest for probe in probes),
            search_seconds=sum(probed.seconds for probed in measured),
            note=f"mean affinity {score(groups):.2e}, the largest of {field_of}",
        )
    return found


def measure_affinities(
    probe: Probe, inputs: Inputs, report: Callable[[int], None]
) -> dict[str, Any]:
    """Train a flat model and look ahead: ``affinity[i][j]`` of task i onto j, by the tree's tasks.

    Raises
    ------
    TrainingError
        When a loss is not finite.
    """
    (trial,), experiment = probe.trials, inputs.experiment
    config, every = trial.training, int(probe.settings["every"])
    tasks = [experiment.data_of(trial.seed)[spec.name] for spec in trial.tasks]
    device = torch.device(inputs.device)
    mels = experiment.bank.mels
    network = build_network(trial.tree, trial.encoder, trial.tasks, mels, trial.seed)
    network.to(device).train()
    lay_out(network, config)
    optimizer, schedule = build_optimizer(network, config)
    source = BatchSource(experiment.bank, tasks, config, trial.seed)
    found: list[np.ndarray] = []
    for step in range(config.steps):
        batch = source.batch(step).to(device)
        if step % every == 0:
            found.append(look_ahead(network, batch, optimizer))
        losses = training_step(network, batch, optimizer, config)
        for task, loss in losses.items():
            if not math.isfinite(loss.item()):
                raise TrainingError(
                    f"the loss of {task} became {loss.item()} at step {step + 1} of "
                    f"{config.steps}; lower training.learning_rate (now {config.learning_rate:g})"
                )
        schedule.step()
        report(step + 1)
    return {"affinity": np.mean(found, axis=0).tolist(), "looks": len(found)}


def look_ahead(network: TreeNetwork, batch: Batch, optimizer: torch.optim.Optimizer) -> np.ndarray:
    """`affinities` on one batch, of the tasks of the network's tree.

    Everything outside the decoders is shared. The network, with its running statistics, is
    afterwards what it was; the rate and the weight decay are those that the optimiser has.
    """

    def losses() -> dict[str, Tensor]:
        logits = network(batch.x, rows=batch.rows)
        kinds = {task: network.specs[task].rules for task in network.tree.tasks}
        return {task: kind.loss(logits[task], batch.targets[task]) for task, kind in kinds.items()}

    heads = tuple(f"{head_name(task)}." for task in network.tree.tasks)
    shared = [p for name, p in network.named_parameters() if not name.startswith(heads)]
    groups = optimizer.param_groups
    decay = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    statistics = [(buffer, buffer.clone()) for buffer in network.buffers()]
    found = affinities(losses, shared, groups[0]["lr"], [decay[id(p)] for p in shared])
    for buffer, before in statistics:
        buffer.copy_(before)
    return found


def affinities(
    losses: Callable[[], Mapping[str, Tensor]],
    shared: Sequence[nn.Parameter],
    rate: float,
    decays: Sequence[float],
) -> np.ndarray:
    """What a gradient step for each task does to the losses of all; float64 [T, T].

    Parameters
    ----------
    losses : callable
        The losses of all tasks with the parameters as they are now.
    shared : sequence of Parameter
        What the step moves, by ``rate * (gradient + decay * value)``; they are put back.
    rate : float
    decays : sequence of float
        Weight decay of each of them.

    Returns
    -------
    float64 [T, T]
        ``1 - after / before`` of the loss of task j after a step for task i, in row i and
        column j, in the order of ``losses()``; 0 where the loss was 0 before.
    """
    before = losses()
    tasks = list(before)
    gradients = {
        task: torch.autograd.grad(before[task], shared, retain_graph=task != tasks[-1])
        for task in tasks
    }
    values = [parameter.detach().clone() for parameter in shared]
    found = np.zeros((len(tasks), len(tasks)))
    with torch.no_grad():
        for i, task in enumerate(tasks):
            for parameter, value, gradient, decay in zip(
                shared, values, gradients[task], decays, strict=True
            ):
                parameter.copy_(value - rate * (gradient + decay * value))
            after = losses()
            for j, other in enumerate(tasks):
                if (loss := before[other].item()) > 0:
                    found[i, j] = 1.0 - after[other].item() / loss
        for parameter, value in zip(shared, values, strict=True):
            parameter.copy_(value)
    return found


def division_score(tasks: Sequence[str], affinity: np.ndarray) -> Callable[[Partition], float]:
    """Mean over all tasks of the mean affinity of the others in its group onto it."""
    place = {task: number for number, task in enumerate(tasks)}

    def onto(task: str, group: Sequence[str]) -> float:
        others = [affinity[place[other], place[task]] for other in group if other != task]
        return float(np.mean(others)) if others else 0.0

    def score(division: Partition) -> float:
        return sum(onto(task, group) for group in division for task in group) / len(tasks)

    return score


def best_division(tasks: Sequence[str], affinity: np.ndarray, most: int) -> Partition:
    """The division into at most ``most`` groups with the best score; fewer groups win a tie.

    ``affinity`` is as in `affinities`, and ``most`` at least 1.
    """
    score = division_score(tasks, affinity)
    if len(tasks) <= MAX_ENUMERATED:
        fitting = (division for division in partitions(tasks) if len(division) <= most)
        return max(fitting, key=lambda division: (score(division), -len(division)))
    merged: Partition = tuple((task,) for task in tasks)
    while len(merged) > 1:
        tried = [
            (*(group for group in merged if group not in pair), pair[0] + pair[1])
            for pair in itertools.combinations(merged, 2)
        ]
        best = max(tried, key=score)
        if len(merged) <= most and score(best) < score(merged):
            break
        merged = best
    return merged
