"""How sure a tree is, as files of a workspace tell it; see `synergy.synthesis.stability`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from synergy.files import StrictModel
from synergy.names import TaskName
from synergy.quantities import Blocks, Count, Depth, Share, Text

ByDepth = dict[Annotated[str, Field(pattern="^[0-9]{1,4}$")], Share]


class TreeShare(StrictModel):
    """A tree and the share of resampled tables that lead to it."""

    notation: Text
    share: Share


class PairShares(StrictModel):
    """A pair: by depth, in what share of resampled tables it passes, and weighs at least that."""

    task_a: TaskName
    task_b: TaskName
    weight: Blocks
    admissible: ByDepth
    at_least: ByDepth


class RepeatCell(StrictModel):
    """A cell that is worth another training; see `synergy.synthesis.stability`."""

    task_a: TaskName
    task_b: TaskName
    shared_depth: Depth
    seeds: Count
    passes: Share
    decides: Share


class Certainty(StrictModel):
    """How often resampled tables lead to the same tree, unless it was chosen by its probability.

    ``keeps`` is the share in which every pair keeps the threshold at the depth that it shares in
    the tree; None where nothing is known of a cell that the tree uses.
    """

    samples: Count
    tree_share: Share | None
    skipped: Count
    trees: tuple[TreeShare, ...]
    pairs: tuple[PairShares, ...]
    repeat: tuple[RepeatCell, ...]
    keeps: Share | None = None
