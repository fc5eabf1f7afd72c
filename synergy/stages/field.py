"""What comparisons are given to decide with: the field, over a session."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from synergy.comparisons import Field, Probe, Probed, Repaired
from synergy.errors import ShortfallError, SynergyError
from synergy.experiment import Recipe
from synergy.stages.baseline import Baselines
from synergy.stages.cells import CellTrainer
from synergy.stages.probes import measure_probes
from synergy.stages.sweep import Session, sweep
from synergy.synthesis.ar_table import ARTable
from synergy.tree import SharingTree
from synergy.trials.record import TrialResult
from synergy.trials.trial import Trial


class SessionField:
    """The field of a session, and a count of what was trained for decisions.

    Parameters
    ----------
    session : Session
    baselines : Baselines
        Of all tasks of the table.
    table : ARTable
    tree : SharingTree
        The synthesised tree.

    Attributes
    ----------
    field : Field
    trained : int
        Trainings so far.
    """

    def __init__(
        self, session: Session, baselines: Baselines, table: ARTable, tree: SharingTree
    ) -> None:
        experiment = session.experiment
        seeds = experiment.config.all_seeds
        self.session = session
        self.trained = 0
        cells = CellTrainer(session, baselines, distilled=False)
        trained = [cell.key for cell in table.cells if cell.status != "skipped"]
        further = chain.from_iterable(cells.further(key) for key in trained)
        self.field = Field(
            experiment=experiment,
            tasks=tuple(task for task in experiment.tasks if task in table.tasks),
            table=table,
            tree=tree,
            baselines={
                task: tuple(experiment.trial(outcome.tree, seed) for seed in seeds)
                for task, outcome in baselines.outcomes.items()
            },
            pairs={key: tuple(cells.trials(key)) for key in trained},
            further=tuple(further),
            repaired=_repaired(session, tree),
            store=session.workspace.trials,
            train=self._train,
            measure=self._measure,
        )

    def _train(self, title: str, trials: Sequence[Trial]) -> Mapping[str, TrialResult]:
        swept = sweep(self.session, title, trials)
        self.trained += swept.trained
        if swept.errors:
            raise ShortfallError(f"{title}: {'; '.join(dict.fromkeys(swept.errors.values()))}")
        return swept.results

    def _measure(self, title: str, probes: Sequence[Probe]) -> Sequence[Probed]:
        measured, trained = measure_probes(self.session, title, probes)
        self.trained += trained
        return measured


def _repaired(session: Session, tree: SharingTree) -> Repaired | None:
    """What summary.json says of the delivered tree, if ``tree`` was tried first and missed."""
    experiment = session.experiment
    depth = experiment.config.encoder.depth
    try:
        summary = json.loads(session.workspace.summary.read_text(encoding="utf-8"))
        delivered = SharingTree.from_json(summary["synthesis"]["tree"])
        row = summary["rows"][-1]
        tried = [SharingTree.parse(each["notation"], depth) for each in summary["attempts"]]
        if tried[0] != tree or delivered == tree or delivered not in tried:
            return None
        found = summary["synthesis"]
        # of another threshold or table, it is no repair of this tree
        of_table = Path(found["table"]).name == session.workspace.ar_table.name
        if found["max_ar"] != experiment.config.max_ar or not of_table:
            return None
        known = [
            experiment.trial(delivered, seed, Recipe(distilled=bool(row["distilled"]))).digest
            for seed in experiment.config.all_seeds
        ]
        if list(row["digests"]) != known:
            return None
        return Repaired(delivered, bool(row["distilled"]), tuple(tried))
    except (OSError, ValueError, KeyError, TypeError, IndexError, SynergyError):
        return None  # there is none, or it is damaged, which `synergy synthesize` mends
