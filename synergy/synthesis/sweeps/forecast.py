"""How many trainings a sweep will take, before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from synergy.seeding import hash64, uniform
from synergy.synthesis.cells import Cell, CellKey
from synergy.synthesis.sweeps.base import Sweep, SweepGoal, known_cells, run_sweep
from synergy.synthesis.sweeps.lazy import PairRange


@dataclass(frozen=True)
class Forecast:
    """What remains to be trained, if no training fails.

    Attributes
    ----------
    least, most : int
        No table takes fewer or more cells.
    trainings, steps : float
        Means over imagined tables: trainings in all, and one after the other, when as many as
        asked for run at once.
    """

    least: int
    most: int
    trainings: float
    steps: float


def forecast(
    sweep: Sweep,
    goal: SweepGoal,
    known: Iterable[Cell] = (),
    batch: int = 1,
    tables: int = 20,
    seed: int = 0,
) -> Forecast:
    """Let a sweep run on imagined tables.

    In these AR grows with depth, and every weight that the known cells leave to a pair is
    equally likely; tasks that share well or badly take fewer.

    Parameters
    ----------
    sweep, goal, known, batch
        As in `run_sweep`.
    tables : int
        Number of imagined tables, at least 1. With the sweep lazy, one takes about 15 ms for
        four tasks and 0.3 s for eight, growing like the exact solver.
    seed : int
        Of the imagined tables.
    """
    cells = known_cells(goal, known)
    least, most = sweep.bounds(goal, cells)
    candidates = {pair: PairRange.of(goal, cells, pair).candidates for pair in goal.pairs()}
    trainings = steps = 0
    for number in range(tables):
        weights = {
            pair: options[int(uniform(hash64("imagined weight", seed, number, i)) * len(options))]
            for i, (pair, options) in enumerate(candidates.items())
        }

        def train(keys: Sequence[CellKey], weights: Mapping = weights) -> list[Cell]:
            nonlocal trainings, steps
            trainings += len(keys)
            steps += math.ceil(len(keys) / batch)
            max_ar = goal.question.max_ar
            return [Cell(a, b, d, max_ar + (d > weights[a, b])) for a, b, d in keys]

        run_sweep(sweep, goal, train, cells.values(), batch)
    return Forecast(least, most, trainings / tables, steps / tables)
