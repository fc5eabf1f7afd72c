"""A session on the tone corpus, and the field of comparisons after its stages one and two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from small_corpora import write_tone_project

from synergy.comparisons import Field
from synergy.config import load_config
from synergy.executors import Executor, SerialExecutor
from synergy.experiment import prepare
from synergy.measuring.bench import Bench
from synergy.running.progress import Progress
from synergy.running.session import Session
from synergy.stages.pairwise import pairwise
from synergy.synthesis import ARTable, Question
from synergy.training.config import TrainingConfig
from synergy.tree import SharingTree
from synergy.workspace import Workspace

TREE = SharingTree.parse("{{gc,scr}@8,vad}@4", 8)
# AR in percent that makes this tree at a threshold of 60, by pair and depth.
REDUCTIONS = {
    ("gc", "scr", 4): 1.0,
    ("gc", "scr", 8): 2.0,
    ("gc", "vad", 4): 3.0,
    ("gc", "vad", 8): 99.0,
    ("scr", "vad", 4): 0.0,
    ("scr", "vad", 8): 80.0,
}


def tone_session(
    folder: Path,
    executor: Executor | None = None,
    progress: Progress | None = None,
    speakers: int = 12,
    **options: Any,
) -> Session:
    """A session with trainings of a few steps, two seeds by default."""
    config = load_config(write_tone_project(folder, speakers))
    quick = TrainingConfig(epochs=1, steps_per_epoch=3, clips_per_task=4, crop_s=0.5)
    config = config.with_options(training=quick.model_dump(), **{"seeds": 2, **options})
    workspace = Workspace(folder / "workspace")
    workspace.claim(config)
    return Session(prepare(config), workspace, executor or SerialExecutor(), progress or Progress())


def tone_table(session: Session) -> ARTable:
    """The trained table of the session, with the AR of `REDUCTIONS` in it."""
    config = session.experiment.config
    pairs = pairwise(session, session.experiment.tasks, config.depths, Question(max_ar=60.0))
    cells = [
        replace(cell, ar_pct=REDUCTIONS[cell.key], ar_low=None, ar_high=None)
        for cell in pairs.found.table.cells
    ]
    return ARTable.from_cells(cells)


def tone_field(session: Session, table: ARTable, tree: SharingTree = TREE) -> Field:
    """The field of a session with a synthesised tree."""
    return Field(session, table, tree, Bench(session, table.tasks))
