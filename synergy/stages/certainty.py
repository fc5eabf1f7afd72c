"""How sure a tree is, from the bootstrap tables beside its AR table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from synergy.config import RunConfig
from synergy.errors import TableError
from synergy.stages.resampling import LEVEL
from synergy.stages.search import costs_from_settings
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.resampling import TableSamples
from synergy.synthesis.stability import Stability, stability
from synergy.synthesis.synthesize import Synthesis

# Below this share of resampled tables a tree is worth more trainings before it is relied on.
SURE = 0.8


@dataclass(frozen=True)
class Certainty:
    """The stability of a tree, and what it rests on.

    Attributes
    ----------
    stability : Stability
    samples : int
        Number of resampled tables.
    weights : tuple of (str, str, int)
        Every pair and the number of blocks that it may share.
    """

    stability: Stability
    samples: int
    weights: tuple[tuple[str, str, int], ...]

    @property
    def is_sure(self) -> bool:
        """Whether the same tree comes out often enough to rely on it."""
        return self.stability.tree_share >= SURE

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        found = self.stability
        return {
            "samples": self.samples,
            "tree_share": found.tree_share,
            "skipped": found.skipped,
            "trees": [{"notation": notation, "share": share} for notation, share in found.trees],
            "pairs": [
                {
                    "task_a": a,
                    "task_b": b,
                    "weight": weight,
                    "admissible": {str(d): p for d, p in found.admissible[a, b].items()},
                    "at_least": {str(d): p for d, p in found.at_least[a, b].items()},
                }
                for a, b, weight in self.weights
            ],
            "repeat": [
                {
                    "task_a": cell.key[0],
                    "task_b": cell.key[1],
                    "shared_depth": cell.key[2],
                    "seeds": cell.seeds,
                    "passes": cell.passes,
                    "decides": cell.decides,
                }
                for cell in found.repeat
            ],
        }


def certainty(
    table_file: Path, synthesis: Synthesis, config: RunConfig, width: float = 1.0
) -> Certainty | None:
    """Stability of a tree; None when its table has no bootstrap tables beside it.

    Tables that belong to another state of the AR table do not count.
    """
    samples_file = table_file.with_name(table_file.name.replace("ar_table", "ar_samples"))
    if samples_file == table_file or not samples_file.is_file():
        return None
    table = ARTable.from_csv(table_file)
    try:
        samples = TableSamples.from_csv(samples_file, table)
    except TableError:
        return None
    if samples.with_intervals(LEVEL) != table:
        return None
    size = costs_from_settings(config, table.tasks, width)
    found = stability(
        samples,
        synthesis.max_ar,
        size.block_params,
        config.encoder.depth,
        synthesis.solver,
        synthesis.strict,
        {frozenset((a, b)): cap for a, b, cap in synthesis.caps},
    )
    # under a budget it need not be the tree that the table's threshold leads to
    share = dict(found.trees).get(synthesis.tree.notation(table.tasks), 0.0)
    return Certainty(replace(found, tree_share=share), len(samples.ar), synthesis.weights)
