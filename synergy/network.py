"""The network of a sharing tree.

Shapes: B batch, C channel, M mel, F frame, E frame of the encoder's output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from synergy.costs import Costs
from synergy.encoders import Encoder
from synergy.errors import ModelError, TreeError
from synergy.libraries import TORCH_COMPILER, imported
from synergy.seeding import hash64
from synergy.tasks import TaskSpec
from synergy.tree import Branch, SharingTree


class TreeNetwork(nn.Module):
    """Encoder blocks along a sharing tree, with one decoder per task.

    Each branch that holds blocks is a submodule under its name in ``names`` (``shared_1_6``,
    ``gc_ac_7_8``), each decoder is ``<task>_head``. Parameters are not initialised: use
    `build_network`.

    Raises
    ------
    TreeError
        If the encoder has another number of blocks than the tree, or ``tasks``, in any order, are
        not those of the tree.
    """

    def __init__(
        self, tree: SharingTree, encoder: Encoder, tasks: Sequence[TaskSpec], mels: int
    ) -> None:
        super().__init__()
        if encoder.depth != tree.depth:
            raise TreeError(
                f"expected a tree over {encoder.depth} blocks for encoder {encoder.name}, "
                f"found one over {tree.depth}"
            )
        self.specs = {task.name: task for task in tasks}
        if set(self.specs) != set(tree.tasks):
            raise TreeError(
                f"expected tasks {', '.join(tree.tasks)}, found {', '.join(sorted(self.specs))}"
            )
        self.tree = tree
        self.frame_strides = tuple(encoder.frame_strides)
        self.frame_stride = prod(self.frame_strides)  # feature frames per output frame
        self.names = tree.names()
        for branch, name in self.names.items():
            blocks = [encoder.build_block(number) for number in branch.block_numbers]
            self.add_module(name, nn.Sequential(*blocks))
        shape = encoder.output_shape(mels)
        for task in tree.tasks:
            spec = self.specs[task]
            self.add_module(head_name(task), spec.rules.build_head(*shape, len(spec.classes)))

    def blocks_of(self, branch: Branch) -> dict[int, nn.Module]:
        """The blocks of ``branch`` by their numbers; empty for a branch without blocks."""
        if branch.blocks is None:
            return {}
        blocks = self.get_submodule(self.names[branch]).children()
        return dict(zip(branch.block_numbers, blocks, strict=True))

    def forward(
        self, x: Tensor, frames: Tensor | None = None, rows: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Logits per task.

        Parameters
        ----------
        x : Tensor [B, 1, M, F]
            Normalised log-mel features.
        frames : Tensor [B], optional
            Valid feature frames of each row; all of them by default. What lies beyond them does
            not change the logits of the valid ones.
        rows : mapping of str to Tensor, optional
            For each task the sorted numbers of the rows that it needs; all rows by default. A
            branch runs only the rows of the tasks below it.

        Returns
        -------
        dict of str to Tensor
            [B_task, K] for clips; [B_task, F] for activities. Rows in the order of ``rows``.
        """
        outputs: dict[str, Tensor] = {}

        def run(branch: Branch, x: Tensor, frames: Tensor | None, present: Tensor | None) -> None:
            """Run ``branch`` on the rows ``present`` in x (None: all of the batch)."""
            if rows is not None:
                needed = torch.unique(torch.cat([rows[task] for task in branch.tasks]))
                if len(needed) < x.shape[0]:
                    kept = needed if present is None else torch.searchsorted(present, needed)
                    x = x.index_select(0, kept)
                    frames = None if frames is None else frames.index_select(0, kept)
                    present = needed
            if frames is not None:
                x, frames = self._padded(branch, x, frames)
            elif branch.blocks is not None:
                x = self.get_submodule(self.names[branch])(x)
            for child in branch.children:
                run(child, x, frames, present)
            if branch.is_leaf:
                (task,) = branch.tasks
                # decoders are small and sensitive: float32 whatever the precision of the blocks
                with torch.autocast(x.device.type, enabled=False):
                    outputs[task] = self.get_submodule(head_name(task))(x.float(), frames)

        run(self.tree.root, x, frames, None)
        return {
            task: self.specs[task].rules.of_feature_frames(logits, x.shape[3], self.frame_stride)
            for task, logits in outputs.items()
        }

    def _padded(self, branch: Branch, x: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Run blocks so that a padded row gives what it would give without its padding.

        What lies beyond the valid frames becomes zero before each block, as if the row ended
        there and the convolution padded it.
        """
        for number, block in self.blocks_of(branch).items():
            valid = torch.arange(x.shape[3], device=x.device) < frames[:, None]
            x = block(x * valid[:, None, None, :])
            stride = self.frame_strides[number - 1]
            frames = (frames + stride - 1) // stride
        return x, frames


def head_name(task: str) -> str:
    """Name of a task's decoder as a submodule."""
    return f"{task.replace('-', '_')}_head"


def build_network(
    tree: SharingTree, encoder: Encoder, tasks: Sequence[TaskSpec], mels: int, seed: int
) -> TreeNetwork:
    """A network with initial weights that trees have in common.

    Block n starts from weights that depend on ``seed`` and n alone, a decoder on ``seed`` and
    its task: so a task starts alike in its single, pair and tree models.
    """
    imported(TORCH_COMPILER)
    with torch.device("meta"):
        network = TreeNetwork(tree, encoder, tasks, mels)
    network.to_empty(device="cpu")
    for branch in tree.branches():
        for number, block in network.blocks_of(branch).items():
            _initialise(block, hash64("block", seed, number))
    for task in tree.tasks:
        _initialise(network.get_submodule(head_name(task)), hash64("head", seed, task))
    return network


class _DrawsFrom(TorchDispatchMode):
    """Lets layers initialise themselves from a generator instead of global random state."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        draws = (torch.ops.aten.uniform_.default, torch.ops.aten.normal_.default)
        own = {"generator": self.generator} if func in draws else {}
        return func(*args, **{**(kwargs or {}), **own})


def _initialise(module: nn.Module, seed: int) -> None:
    """He initialisation for 2-d convolutions, uniform in 1/sqrt(fan-in) for linear layers and GRUs.

    Any other layer has a method ``initialise(generator)``, or is initialised as torch does it.
    """
    generator = torch.Generator().manual_seed(seed >> 1)
    for layer in module.modules():
        match layer:
            case nn.Conv2d():
                nn.init.kaiming_normal_(
                    layer.weight, mode="fan_out", nonlinearity="relu", generator=generator
                )
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
            case nn.Linear() | nn.GRU():
                width = layer.hidden_size if isinstance(layer, nn.GRU) else layer.in_features
                for parameter in layer.parameters():
                    nn.init.uniform_(parameter, -(width**-0.5), width**-0.5, generator=generator)
            case _ if callable(own := getattr(layer, "initialise", None)):
                own(generator)
            case _ if callable(reset := getattr(layer, "reset_parameters", None)):
                with _DrawsFrom(generator):
                    reset()
            case _ if [*layer.parameters(False), *layer.buffers(False)]:
                raise ModelError(
                    f"no initialisation is known for {type(layer).__name__}; give it a method "
                    "initialise(generator) that sets its parameters and buffers"
                )


def costs(encoder: Encoder, tasks: Sequence[TaskSpec], mels: int, frames: int) -> Costs:
    """Count parameters and MACs without running anything.

    MACs are half the operations that torch's FlopCounterMode counts on the meta device for one
    clip of ``frames`` frames: convolutions, linear layers and GRUs, nothing else.
    """
    from torch.utils.flop_counter import FlopCounterMode

    imported(TORCH_COMPILER)
    params: list[int] = []
    macs: list[int] = []

    def measure(module: nn.Module, x: Tensor) -> Tensor:
        with FlopCounterMode(display=False) as counter:
            y = module.eval()(x)
        params.append(sum(p.numel() for p in module.parameters()))
        macs.append(counter.get_total_flops() // 2)
        return y

    with torch.device("meta"), torch.no_grad():
        x = torch.empty(1, 1, mels, frames)
        for number in range(1, encoder.depth + 1):
            x = measure(encoder.build_block(number), x)
        shape = encoder.output_shape(mels)
        for task in tasks:
            measure(task.rules.build_head(*shape, len(task.classes)), x)
    names, depth = [task.name for task in tasks], encoder.depth
    return Costs(
        block_params=tuple(params[:depth]),
        block_macs=tuple(macs[:depth]),
        head_params=dict(zip(names, params[depth:], strict=True)),
        head_macs=dict(zip(names, macs[depth:], strict=True)),
    )
