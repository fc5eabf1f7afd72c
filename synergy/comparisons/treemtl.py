"""TreeMTL: every layout gets an estimate from models of two tasks; the best one is trained."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from synergy.comparisons.base import Contender, Field, tree_contenders
from synergy.comparisons.layouts import BlockCost, Partition
from synergy.errors import ShortfallError, TableError
from synergy.synthesis import ARTable

Gains = Mapping[tuple[str, str], np.ndarray]
"""``gains[task, other][d]``: relative gain of ``task``, in percent, from sharing d blocks with
``other``, d = 0..D; nan where nothing is known."""


def contenders(field: Field) -> list[Contender]:
    """The layout with the largest estimated gain that is no larger than the synthesised tree.

    Source: Zhang, Liu and Guan, "A tree-structured multi-task model recommender", AutoML-Conf
    2022, and its published code. The estimate of a task is the mean of its relative gains over
    its pairs with all other tasks, each at the depth that the layout shares between the two; a
    layout's score is the weighted sum over the tasks, see `task_weights`.

    What differs: gains come from the AR table, so from the validation split and averaged over
    seeds. The published sweep begins at the first block; for depths that were not swept, gains
    are interpolated between those that were and 0 at depth 0, and a layout may share no more
    between two tasks than the deepest depth that was measured of them. The published budget is
    one of computation, here it is the number of parameters. Up to five tasks all layouts are
    compared, as published; above that a beam of them.
    """
    skipped = sum(cell.status == "skipped" for cell in field.table.cells)
    if skipped:
        raise ShortfallError(
            f"expected every cell of the AR table to be measured, found {skipped} of "
            f"{len(field.table.cells)} skipped; run `synergy pairwise --sweep full` first"
        )
    gains = relative_gains(field.table, field.experiment.depth)
    best = field.best_layout(layout_cost(gains, task_weights(field.tasks, gains)))
    if best is None:
        raise ShortfallError(
            f"expected a layout of at most {field.max_params:,} parameters whose pairs were "
            "measured as deep as it shares them, found none"
        )
    note = (
        f"estimated gain {-best.cost:+.2f} %, the largest that fits of {best.extent}; depths "
        "that were not swept are interpolated"
    )
    return tree_contenders(field, "treemtl", best.tree, search=field.table_digests, note=note)


def relative_gains(table: ARTable, depth: int) -> Gains:
    """Gains of both tasks of every pair at every depth.

    Raises
    ------
    TableError
        If a measured cell lacks the scores that its AR was taken of.
    """
    gains: dict[tuple[str, str], np.ndarray] = {}
    for pair in table.pairs():
        cells = [table.cell(*pair, swept) for swept in table.depths]
        measured = [cell for cell in cells if cell.status == "measured"]
        depths = [0, *(cell.shared_depth for cell in measured)]
        found = {task: [0.0] for task in pair}
        for cell in measured:
            scores = ((cell.single_a, cell.multi_a), (cell.single_b, cell.multi_b))
            for task, (single, multi) in zip(pair, scores, strict=True):
                if single is None or multi is None:
                    raise TableError(
                        f"expected the scores of {cell.label} beside its AR, found none; measure "
                        "the table with `synergy pairwise`"
                    )
                found[task].append(100.0 * (multi - single) / single if single > 0 else 0.0)
        for task, other in itertools.permutations(pair):
            every = np.arange(depth + 1)
            gains[task, other] = np.interp(every, depths, found[task], right=math.nan)
    return gains


def task_weights(tasks: Sequence[str], gains: Gains) -> dict[str, float]:
    """How much each task counts in a layout's score; the sum is 1.

    Proportional to 1 minus the mean, over the task's pairs, of the entropy of its gains at the
    depths 1..D as far as they are known: tasks whose gains depend simply on the depth count more.
    """
    trust: dict[str, float] = {}
    for task in tasks:
        series = [gains[task, other][1:] for other in tasks if other != task]
        entropies = [svd_entropy(values[~np.isnan(values)]) for values in series]
        trust[task] = 1.0 - float(np.mean(entropies))
    total = sum(trust.values())
    return {t: value / total if total > 0 else 1 / len(tasks) for t, value in trust.items()}


def svd_entropy(values: np.ndarray) -> float:
    """Entropy of the singular values of a series embedded in three dimensions, in [0, 1].

    Order 3, delay 1, normalised (Roberts et al. 1999). A series of zeros has 0, and so has one of
    fewer than three values.
    """
    if len(values) < 3:
        return 0.0
    spectrum = np.linalg.svd(np.lib.stride_tricks.sliding_window_view(values, 3), compute_uv=False)
    if spectrum.sum() == 0:
        return 0.0
    shares = spectrum[spectrum > 0] / spectrum.sum()
    return max(0.0, float(-(shares * np.log2(shares)).sum() / math.log2(3)))


def layout_cost(gains: Gains, weights: Mapping[str, float]) -> BlockCost:
    """Minus the score of a layout, as a sum over its blocks; infinite where a gain is not known.

    A pair that shares d blocks counts with its gain at d, which is what the gains grow by from
    block to block, summed up to d.
    """
    others = len(weights) - 1

    def worth(task: str, other: str, shared: int) -> float:
        both = (
            weights[task] * gains[task, other][shared] + weights[other] * gains[other, task][shared]
        )
        return float(both) / others

    def cost(block: int, partition: Partition) -> float:
        together = [pair for part in partition for pair in itertools.combinations(part, 2)]
        growth = sum(worth(*pair, block) - worth(*pair, block - 1) for pair in together)
        return math.inf if math.isnan(growth) else -growth

    return cost
