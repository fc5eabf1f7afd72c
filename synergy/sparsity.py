"""Masked networks: which weights may be pruned, which survive, how pruned ones stay zero.

A pruned weight is exactly zero in the weights of a finished training, so that its mask is
``weight != 0``.

Shapes: B batch, M mel, F frame.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from synergy.encoders import Encoder
from synergy.network import TreeNetwork, build_network, head_name
from synergy.tasks import TaskSpec
from synergy.tree import SharingTree

Masks = Mapping[str, Tensor]
"""Bool tensors by the name of a weight; True survives."""

# A first convolution with a smaller share of the encoder's convolution weights is left alone.
FIRST_SHARE = 0.01


def maskable(network: TreeNetwork) -> dict[str, int]:
    """Weights that may be pruned, with their number of elements, in the network's order.

    These are the weights of convolutions, of the decoders' linear layers but for the last one
    of each, which classifies, and of recurrent layers. Biases and normalisation are never
    pruned, nor is the first convolution where it has less than 1 % of the encoder's convolution
    weights: pruning it saves next to nothing and costs most (the rules of the published
    implementation of Frankle & Carbin 2019, to which recurrent layers are added).
    """
    sizes = {
        f"{prefix}.{name}": weight.numel()
        for prefix, module in network.named_modules()
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear | nn.RNNBase)
        for name, weight in module.named_parameters(recurse=False)
        if name.startswith("weight")
    }
    for task in network.tree.tasks:
        head = network.get_submodule(head_name(task))
        linear = [name for name, module in head.named_modules() if isinstance(module, nn.Linear)]
        if linear:
            del sizes[".".join(filter(None, (head_name(task), linear[-1], "weight")))]
    encoder: dict[str, int] = {}
    first: list[str] = []
    for branch, name in network.names.items():
        own = {weight: sizes[weight] for weight in sizes if weight.startswith(f"{name}.")}
        first += list(own)[: 1 in branch.block_numbers]
        encoder |= own
    if sum(encoder[name] for name in first) < FIRST_SHARE * sum(encoder.values()):
        sizes = {name: size for name, size in sizes.items() if name not in first}
    return sizes


def surviving(weights: Mapping[str, Tensor], names: Sequence[str], keep: int) -> dict[str, Tensor]:
    """Masks of the ``keep`` weights of largest magnitude, all tensors ranked together.

    Of equal magnitudes the one that comes first in ``names`` and in its tensor survives. A
    weight that is zero never does, so what was pruned before stays pruned, and fewer than
    ``keep`` survive where fewer are left.
    """
    sizes = [weights[name].numel() for name in names]
    magnitudes = torch.cat([weights[name].detach().cpu().abs().flatten() for name in names])
    kept = torch.argsort(magnitudes, descending=True, stable=True)[:keep]
    flat = torch.zeros(len(magnitudes), dtype=torch.bool)
    flat[kept] = True
    flat &= magnitudes > 0
    parts = flat.split(sizes)
    return {n: part.view(weights[n].shape) for n, part in zip(names, parts, strict=True)}


def hold(network: nn.Module, masks: Masks, optimizer: torch.optim.Optimizer) -> None:
    """Set pruned weights to zero and keep them there in every later step of ``optimizer``.

    Their gradients are zero from now on, so they take no part in the gradient's norm; what
    momentum still does to them is undone after each step.
    """
    held: list[tuple[Tensor, Tensor]] = []
    for name, mask in masks.items():
        weight = network.get_parameter(name)
        pruned = ~mask.to(weight.device)
        weight.register_hook(lambda gradient, pruned=pruned: gradient.masked_fill(pruned, 0.0))
        held.append((weight, pruned))

    def reset(*_: object) -> None:
        with torch.no_grad():
            for weight, pruned in held:
                weight.masked_fill_(pruned, 0.0)

    reset()
    optimizer.register_step_post_hook(reset)


class TaskMaskedNetwork(nn.Module):
    """A network in which each task sees the shared weights through a mask of its own.

    Each task has the network of its single-task model; along the branches of the tree their
    parameters are the same objects, so that one optimiser step moves the weights of all tasks.
    Since activations differ from mask to mask, the tasks do not share any computation: every
    task runs the whole network, on its own rows.

    Normalisation has common scales and shifts, but every task has running statistics of its
    own: its batches are normalised by its clips alone in training, and common statistics would
    be those of a mixture that it never saw.

    To the training loop and to evaluation it looks like a `synergy.network.TreeNetwork`. ``tree``
    is what the tasks may share; initial weights are those of `synergy.network.build_network`.
    """

    def __init__(
        self, tree: SharingTree, encoder: Encoder, tasks: Sequence[TaskSpec], mels: int, seed: int
    ) -> None:
        super().__init__()
        self.tree = tree
        self.specs = {task.name: task for task in tasks}
        self.masks: Mapping[str, Masks] = {}
        for task in tree.tasks:
            alone = SharingTree.single(task, tree.depth)
            own = build_network(alone, encoder, [self.specs[task]], mels, seed)
            self.add_module(_network_name(task), own)
        for branch in tree.branches():
            alone = map(self.network_of, branch.tasks)
            first, *others = (network.blocks_of(network.tree.root) for network in alone)
            for number, blocks in itertools.product(branch.block_numbers, others):
                for name, parameter in first[number].named_parameters():
                    owner, _, own_name = name.rpartition(".")
                    setattr(blocks[number].get_submodule(owner), own_name, parameter)

    def network_of(self, task: str) -> TreeNetwork:
        """The single-task network of ``task``, with the weights of all tasks."""
        network = self.get_submodule(_network_name(task))
        assert isinstance(network, TreeNetwork)
        return network

    def union(self, masks: Mapping[str, Masks]) -> dict[str, Tensor]:
        """What survives for at least one task, by the name of a parameter of this network.

        The masks of each task are by the names of `network_of` the task.
        """
        names = {id(parameter): name for name, parameter in self.named_parameters()}
        joined: dict[str, Tensor] = {}
        for task, own in masks.items():
            network = self.network_of(task)
            for weight, mask in own.items():
                name = names[id(network.get_parameter(weight))]
                joined[name] = joined[name] | mask if name in joined else mask
        return joined

    def forward(
        self, x: Tensor, frames: Tensor | None = None, rows: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Logits per task; parameters and result as in `synergy.network.TreeNetwork.forward`."""
        outputs: dict[str, Tensor] = {}
        for task in self.tree.tasks:
            own = None if rows is None else {task: rows[task]}
            outputs |= functional_call(self.network_of(task), self._seen(task), (x, frames, own))
        return outputs

    def task_weights(self) -> dict[str, Tensor]:
        """State of every task's network, with zeros where the task's mask is."""
        state = self.state_dict()
        for task in self.tree.tasks:
            state |= {f"{_network_name(task)}.{n}": w for n, w in self._seen(task).items()}
        return state

    def _seen(self, task: str) -> dict[str, Tensor]:
        """The masked weights of a task's network as the task sees them."""
        weight = self.network_of(task).get_parameter
        masks = self.masks.get(task, {})
        return {n: weight(n) * mask.to(weight(n).device) for n, mask in masks.items()}


Network = TreeNetwork | TaskMaskedNetwork
"""What the training loop trains."""


def _network_name(task: str) -> str:
    return f"{task.replace('-', '_')}_network"
