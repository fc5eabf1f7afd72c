"""Stage 3 without training: the trees of a table, from settings alone and no recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synergy.config import RunConfig
from synergy.costs import Costs
from synergy.encoders import Cnn8, encoder_at
from synergy.errors import ConfigError
from synergy.network import costs
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.budget import Budget, within_budgets
from synergy.synthesis.frontier import frontier
from synergy.synthesis.synthesize import Solver, Synthesis, synthesize
from synergy.tasks import TaskSpec

DEFAULT_MAX_AR = 2.0
_MELS, _FRAMES = 64, 100


@dataclass(frozen=True)
class Wanted:
    """What stage 3 is asked for.

    Attributes
    ----------
    solver : {"recursive", "exact"}
    strict : bool
        Only depths that passed themselves.
    max_params, max_macs : int, optional
        Budgets of the whole network, decoders included; they replace the threshold.
    final_epochs : int, optional
        Train the tree once more for this many epochs, shown as a row of its own.
    distilled : bool
        Train the tree with the single-task models as teachers, beside the plain training.
    repair : int
        Rounds of lowering a cap and solving again while the trained tree misses the threshold.
    width : float
        By which the channels of the tree's encoder are multiplied; the single-task models and
        the pairs of the table keep theirs.
    """

    solver: Solver = "recursive"
    strict: bool = False
    max_params: int | None = None
    max_macs: int | None = None
    final_epochs: int | None = None
    distilled: bool = False
    repair: int = 0
    width: float = 1.0

    @property
    def has_budget(self) -> bool:
        """Whether budgets replace the threshold."""
        return self.max_params is not None or self.max_macs is not None


def search(
    size: Costs,
    table: ARTable,
    max_ar: float,
    wanted: Wanted,
    caps: Mapping[frozenset[str], int] | None = None,
) -> Synthesis:
    """The sharing tree of a table: within the budgets if there are any, else the threshold.

    Parameters
    ----------
    size : Costs
        Of all tasks of the table, and maybe of others.
    table : ARTable
    max_ar : float
        In percent.
    wanted : Wanted
    caps : mapping of pair to int, optional
        Largest depth of pairs, whatever the table says.

    Raises
    ------
    TableError, ConfigError
        As `synergy.synthesis.synthesize` and `synergy.synthesis.budget.within_budgets`.
    """
    depth = len(size.block_params)
    if not wanted.has_budget:
        return synthesize(
            table, max_ar, size.block_params, depth, wanted.solver, wanted.strict, caps or {}
        )
    budgets: list[Budget] = []
    if wanted.max_params is not None:
        fixed = sum(size.head_params[task] for task in table.tasks)
        budgets.append(Budget("parameters", size.block_params, fixed, wanted.max_params))
    if wanted.max_macs is not None:
        fixed = sum(size.head_macs[task] for task in table.tasks)
        budgets.append(Budget("MACs", size.block_macs, fixed, wanted.max_macs))
    return within_budgets(table, budgets, size.block_params, depth)


@dataclass(frozen=True)
class FrontierRow:
    """A tree that some thresholds lead to.

    Attributes
    ----------
    number : int
        From 1, by ascending threshold.
    low : float
        Lowest threshold that leads to the tree, in percent.
    high : float, or None
        The first threshold that no longer does; None for the last tree.
    synthesis : Synthesis
    params, macs : int
        Of the network; of the encoder alone where the decoders are not known.
    """

    number: int
    low: float
    high: float | None
    synthesis: Synthesis
    params: int
    macs: int

    def to_json(self, order: Sequence[str]) -> dict[str, Any]:
        """The row as JSON values."""
        return {
            "number": self.number,
            "max_ar_from": self.low,
            "max_ar_to": self.high,
            "tree": self.synthesis.tree.to_json(),
            "notation": self.synthesis.tree.notation(order),
            "params": self.params,
            "macs": self.macs,
            "predicted_ar_pct": self.synthesis.predicted_ar_pct,
            "provably_optimal": self.synthesis.provably_optimal,
        }


def frontier_rows(size: Costs, table: ARTable, wanted: Wanted) -> list[FrontierRow]:
    """Every distinct tree of a table over all thresholds."""
    depth = len(size.block_params)
    trees = frontier(table, size.block_params, depth, wanted.solver, wanted.strict)
    return [
        FrontierRow(
            number,
            found.low,
            found.high,
            found.synthesis,
            size.params(found.synthesis.tree),
            size.macs(found.synthesis.tree),
        )
        for number, found in enumerate(trees, 1)
    ]


def costs_from_settings(
    config: RunConfig | None, tasks: Sequence[str], width: float = 1.0
) -> Costs:
    """What the settings alone tell of the costs.

    Parameters
    ----------
    config : RunConfig, optional
        Its encoder has the block sizes; the default encoder without it. Decoders count when the
        configuration spells out the classes of all ``tasks``.
    tasks : sequence of str
    width : float
        By which the encoder's channels are multiplied.

    Raises
    ------
    ConfigError
        If there is no encoder of that width.
    """
    encoder = encoder_at(config.encoder if config is not None else Cnn8(), width)
    specs = _specs(config, tasks) if config is not None else []
    mels = config.features.mels if config is not None else _MELS
    frames = round(1 / config.features.hop_s) if config is not None else _FRAMES
    return costs(encoder, specs if len(specs) == len(tasks) else [], mels, frames)


def search_tree(
    table: ARTable, config: RunConfig | None, max_ar: float | None, wanted: Wanted
) -> tuple[Synthesis, dict[str, Any]]:
    """Find the tree of a table without recordings.

    Parameters
    ----------
    table : ARTable
    config : RunConfig, optional
        See `costs_from_settings`.
    max_ar : float, optional
        In percent; the configuration's, else 2.
    wanted : Wanted

    Returns
    -------
    (Synthesis, dict)
        The tree, and the same as JSON values with the number of parameters.

    Raises
    ------
    TableError, ConfigError
        As `search` and `costs_from_settings`; also for budgets while decoders are not known.
    """
    known = costs_from_settings(config, table.tasks, wanted.width)
    if wanted.has_budget and not known.knows(table.tasks):
        raise ConfigError(
            "a budget is for the whole network, and the sizes of the decoders are not known: name "
            "a configuration that spells out the classes of all tasks with --config, or leave out "
            "--no-train"
        )
    threshold = max_ar if max_ar is not None else (config.max_ar if config else DEFAULT_MAX_AR)
    synthesis = search(known, table, threshold, wanted)
    params = known.params(synthesis.tree) if known.knows(table.tasks) else None
    return synthesis, synthesis_json(synthesis, table.tasks, params)


def synthesis_json(
    synthesis: Synthesis, order: Sequence[str], params: int | None = None
) -> dict[str, Any]:
    """A synthesis under costs in parameters as JSON values.

    Parameters
    ----------
    synthesis : Synthesis
    order : sequence of str
        Order of the tasks in the notation.
    params : int, optional
        Of the whole network, decoders included, where they are known.
    """
    exact = synthesis.exact_cost
    return {
        "tree": synthesis.tree.to_json(),
        "notation": synthesis.tree.notation(order),
        "encoder_params": round(synthesis.encoder_cost),
        "predicted_ar_pct": synthesis.predicted_ar_pct,
        "max_ar": synthesis.max_ar,
        **({} if params is None else {"params": params}),
        "solver": synthesis.solver,
        "strict": synthesis.strict,
        "recursive_params": round(synthesis.recursive_cost),
        "exact_params": None if exact is None else round(exact),
        "provably_optimal": synthesis.provably_optimal,
        "weights": [{"task_a": a, "task_b": b, "blocks": w} for a, b, w in synthesis.weights],
        "caps": [{"task_a": a, "task_b": b, "blocks": w} for a, b, w in synthesis.caps],
        "notes": list(synthesis.notes),
    }


def nothing_shared(table: ARTable, synthesis: Synthesis) -> str:
    """A sentence when no pair passes the threshold at any depth, else nothing."""
    if any(cell.passes(synthesis.max_ar) for cell in table.cells):
        return ""
    measured = [cell for cell in table.cells if cell.ar_pct is not None]
    if not measured:
        return "no cell of the AR table was measured, so nothing can be shared"
    best = min(measured, key=lambda cell: cell.ar_pct or 0.0)
    return (
        f"no pair keeps an AR of {synthesis.max_ar:g} % at any depth, so nothing is shared and "
        f"nothing saved: the lowest AR of the table is {best.ar_pct:.2f} % ({best.label}); raise "
        "--max-ar, or try --distill or more --seeds"
    )


def _specs(config: RunConfig, tasks: Sequence[str]) -> list[TaskSpec]:
    """The tasks of which kind and classes are known without their recordings."""
    specs: list[TaskSpec] = []
    for name in tasks:
        task = config.tasks.get(name)
        if task is None:
            continue
        if classes := task.classes or task.rules.default_classes([]):
            specs.append(TaskSpec(name, task.kind, classes))
    return specs
