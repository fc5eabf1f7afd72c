"""Stage 3 without training: the tree of a table, from settings alone and no recordings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from synergy.config import RunConfig
from synergy.encoders import Cnn8
from synergy.network import Costs, costs
from synergy.stages.deliver import synthesis_json
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.synthesize import Synthesis, synthesize
from synergy.tasks import TASK_KINDS, TaskSpec

DEFAULT_MAX_AR = 2.0
_MELS, _FRAMES = 64, 100


def search_tree(
    table: ARTable, config: RunConfig | None, max_ar: float | None, solver: str = "recursive"
) -> tuple[Synthesis, dict[str, Any]]:
    """Find the tree of a table.

    Parameters
    ----------
    table : ARTable
    config : RunConfig, optional
        Its encoder has the block sizes; the default encoder without it. Decoders count when the
        configuration spells out the classes of all tasks of the table.
    max_ar : float, optional
        In percent; the configuration's, else 2.
    solver : {"recursive", "exact"}

    Returns
    -------
    (Synthesis, dict)
        The tree, and the same as JSON values with the number of parameters.

    Raises
    ------
    TableError, ConfigError
        As `synergy.synthesis.synthesize`.
    """
    encoder = config.encoder if config is not None else Cnn8()
    specs = None if config is None else _specs(config, table.tasks)
    size: Costs = costs(encoder, specs or [], config.features.mels if config else _MELS, _FRAMES)
    threshold = max_ar if max_ar is not None else (config.max_ar if config else DEFAULT_MAX_AR)
    synthesis = synthesize(table, threshold, size.block_params, encoder.depth, solver)  # pyright: ignore[reportArgumentType]
    params = None if specs is None else size.params(synthesis.tree)
    return synthesis, synthesis_json(synthesis, table.tasks, params)


def _specs(config: RunConfig, tasks: Sequence[str]) -> list[TaskSpec] | None:
    """What is known of the tasks without their recordings; None unless it is all."""
    specs: list[TaskSpec] = []
    for name in tasks:
        task = config.tasks.get(name)
        if task is None:
            return None
        per_frame = TASK_KINDS[task.kind].per_frame
        classes = task.classes or (("active",) if per_frame else None)
        if classes is None:
            return None
        specs.append(TaskSpec(name, task.kind, classes))
    return specs
