"""Trees of the frontier, trained and measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synergy.errors import ConfigError
from synergy.files import write_json_atomically
from synergy.stages.measure import Bench, Row, Variant
from synergy.stages.search import FrontierRow, Wanted, frontier_rows
from synergy.stages.sweep import Session
from synergy.stages.synthesize import variants
from synergy.synthesis.ar_table import ARTable


@dataclass(frozen=True)
class TrainedFrontier:
    """The frontier, some of its trees measured.

    Attributes
    ----------
    rows : tuple of FrontierRow
    measured : dict of number to Row
    trained : int
        Trainings that this command ran.
    tasks : tuple of str
    """

    rows: tuple[FrontierRow, ...]
    measured: Mapping[int, Row]
    trained: int
    tasks: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "frontier": [
                {
                    **row.to_json(self.tasks),
                    "measured": self.measured[row.number].to_json()
                    if row.number in self.measured
                    else None,
                }
                for row in self.rows
            ],
            "trained": self.trained,
        }


def train_frontier(
    session: Session, table: ARTable, wanted: Wanted, numbers: Sequence[int]
) -> TrainedFrontier:
    """Train the numbered trees of the frontier and write ``frontier.json``.

    Raises
    ------
    ConfigError
        If the frontier has no tree of a number.
    ShortfallError
        If a model could not be trained with any seed.
    """
    rows = frontier_rows(session.experiment.costs_at(wanted.width), table, wanted)
    unknown = [number for number in numbers if not 1 <= number <= len(rows)]
    if unknown:
        raise ConfigError(
            f"--train-frontier: expected numbers of 1 to {len(rows)}, found "
            f"{', '.join(map(str, unknown))}; see `synergy synthesize --frontier`"
        )
    bench = Bench.of(session, table.tasks)
    chosen = sorted(set(numbers))
    way = variants(session.experiment, wanted)[-1]
    planned = [
        (rows[n - 1].synthesis.tree, Variant(way.name.replace("tree", f"tree {n}", 1), way.recipe))
        for n in chosen
    ]
    measured, trained = bench.measure("trees of the frontier", planned)
    found = TrainedFrontier(
        tuple(rows),
        dict(zip(chosen, measured, strict=True)),
        bench.baselines.trained + trained,
        table.tasks,
    )
    write_json_atomically(session.workspace.frontier, found.to_json())
    return found
