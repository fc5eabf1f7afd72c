"""Weights that stay zero: where masks come from, and from which step they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from synergy.encoders import Encoder
from synergy.errors import WorkspaceError
from synergy.files import StrictModel
from synergy.network import TreeNetwork, build_network
from synergy.sparsity import Masks, Network, TaskMaskedNetwork, hold, maskable, surviving
from synergy.tasks import TaskSpec
from synergy.tree import SharingTree

Digest = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,128}$")]


class Parent(StrictModel):
    """A finished trial whose weights give a mask: its ``keep`` of `synergy.sparsity.surviving`."""

    trial: Digest
    keep: Annotated[int, Field(ge=1)]


class Pruning(StrictModel):
    """Masks that are taken from finished trials.

    Attributes
    ----------
    parents : dict of task to Parent
        For every task of the tree. One for all tasks, of the same tree, makes one mask; different
        ones, single-task models, make the masks of a `synergy.sparsity.TaskMaskedNetwork`.
    rewind_step : int
        Optimiser steps that are trained without the masks, less than the training has. With the
        seed and the data of the parent, weights and optimiser are then where the parent was at
        this step (Frankle et al. 2020, rewinding).
    """

    parents: Annotated[dict[str, Parent], Field(min_length=1)]
    rewind_step: Annotated[int, Field(ge=0)] = 0

    @property
    def digests(self) -> tuple[str, ...]:
        """Trials that must be finished first, each once."""
        return tuple(dict.fromkeys(parent.trial for parent in self.parents.values()))


@dataclass(frozen=True)
class Masking:
    """Masks of a network and when they begin.

    Attributes
    ----------
    masks : dict of task to Masks
        By the names of the task's own network in a TaskMaskedNetwork; the same for all tasks
        and by the names of the network otherwise.
    start : int
        Steps without masks.
    """

    network: Network
    masks: Mapping[str, Masks]
    start: int

    @property
    def held(self) -> Masks:
        """What survives at all, by the names of the network."""
        if isinstance(self.network, TaskMaskedNetwork):
            return self.network.union(self.masks)
        return next(iter(self.masks.values()))

    @property
    def pruned(self) -> int:
        """Number of weights that are zero for all tasks."""
        return sum(int((~mask).sum()) for mask in self.held.values())

    def begin(self, optimizer: torch.optim.Optimizer) -> None:
        """From now on the masks hold."""
        hold(self.network, self.held, optimizer)
        if isinstance(self.network, TaskMaskedNetwork):
            device = next(self.network.parameters()).device
            self.network.masks = {
                task: {name: mask.to(device) for name, mask in own.items()}
                for task, own in self.masks.items()
            }


def build_pruned(
    tree: SharingTree,
    encoder: Encoder,
    tasks: Sequence[TaskSpec],
    mels: int,
    seed: int,
    pruning: Pruning,
    weights: Mapping[str, Mapping[str, Tensor]],
) -> tuple[Network, Masking]:
    """A network with initial weights, and the masks that its training must begin.

    Parameters
    ----------
    tree, encoder, tasks, mels, seed
        As for `synergy.network.build_network`.
    weights : mapping of digest to state dict
        Of each parent.

    Raises
    ------
    WorkspaceError
        If the weights of a parent are not those of such a network.
    """
    first, *others = (pruning.parents[task] for task in tree.tasks)
    if all(parent == first for parent in others):
        network = build_network(tree, encoder, tasks, mels, seed)
        masks = _masks(network, first, weights[first.trial])
        return network, Masking(network, dict.fromkeys(tree.tasks, masks), pruning.rewind_step)
    network = TaskMaskedNetwork(tree, encoder, tasks, mels, seed)
    by_task = {
        task: _masks(network.network_of(task), parent, weights[parent.trial])
        for task, parent in pruning.parents.items()
    }
    return network, Masking(network, by_task, pruning.rewind_step)


def _masks(network: TreeNetwork, parent: Parent, weights: Mapping[str, Tensor]) -> Masks:
    expected = {name: value.shape for name, value in network.state_dict().items()}
    if {name: value.shape for name, value in weights.items()} != expected:
        raise WorkspaceError(
            f"trial {parent.trial}: expected the weights of {network.tree.notation()} to take a "
            "mask from, found those of another network; delete the trial's folder and run the "
            "same command again to repeat it"
        )
    return surviving(weights, tuple(maskable(network)), parent.keep)
