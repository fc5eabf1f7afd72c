"""What networks cost, block by block and decoder by decoder; no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from synergy.tree import SharingTree


@dataclass(frozen=True)
class Costs:
    """Costs of the networks of one encoder.

    Attributes
    ----------
    block_params, block_macs : tuple of int, length D
        Trainable parameters, and multiply-accumulates for one second of audio, of the blocks 1..D.
    head_params, head_macs : dict of str to int
        The same for the decoder of each task; a task that is not named counts as nothing.
    """

    block_params: tuple[int, ...]
    block_macs: tuple[int, ...]
    head_params: Mapping[str, int] = field(default_factory=dict)
    head_macs: Mapping[str, int] = field(default_factory=dict)

    @property
    def depth(self) -> int:
        """Number of blocks, D."""
        return len(self.block_params)

    def knows(self, tasks: Sequence[str]) -> bool:
        """Whether the decoders of all ``tasks`` are counted."""
        return set(self.head_params) >= set(tasks)

    def params(self, tree: SharingTree) -> int:
        """Trainable parameters of the network of ``tree``."""
        return int(tree.cost(self.block_params)) + _heads(self.head_params, tree)

    def macs(self, tree: SharingTree) -> int:
        """Multiply-accumulates of one second of audio that all tasks of ``tree`` need."""
        return int(tree.cost(self.block_macs)) + _heads(self.head_macs, tree)

    def independent_params(self, tasks: Sequence[str]) -> int:
        """Trainable parameters of a network for each task."""
        heads = sum(self.head_params.get(task, 0) for task in tasks)
        return len(tasks) * sum(self.block_params) + heads

    def flat_of_size(self, tree: SharingTree) -> SharingTree:
        """The flat tree with the fewest parameters that are not fewer than those of ``tree``."""
        flats = [
            SharingTree.flat(tree.tasks, shared, tree.depth) for shared in range(tree.depth + 1)
        ]
        least = self.params(tree)
        return min((flat for flat in flats if self.params(flat) >= least), key=self.params)


def _heads(sizes: Mapping[str, int], tree: SharingTree) -> int:
    return sum(sizes.get(task, 0) for task in tree.tasks)
