"""The null control: all tasks trained together in a tree that shares nothing.

Its networks are those of the single-task models and get as many steps, so that its losses come from
chance and from how weights are kept; no AR below its own tells anything of sharing.
"""

from __future__ import annotations

from synergy.errors import ShortfallError
from synergy.experiment import Recipe
from synergy.measuring.bench import Bench, Planned
from synergy.measuring.bootstrap import interval
from synergy.measuring.outcome import Outcome, relative_loss
from synergy.null_file import NullFile
from synergy.rows import TaskLoss
from synergy.running.session import Results
from synergy.synthesis.question import TableKind


def null_control(bench: Bench, kind: TableKind, test: bool = False) -> NullFile | None:
    """Train what is missing of the null control of a table, hold it against the single-task models.

    It is written into the workspace. Of a distilled table it learns from the single-task models,
    too: what it then has differs from them by what distillation gives to each task alone.

    Returns
    -------
    NullFile, or None
        None, with a note, where it could not be trained with any seed.
    """
    session, experiment = bench.session, bench.session.experiment
    tree = experiment.flat(bench.tasks, 0)
    recipe = Recipe(distilled=kind == "distilled")
    planned, trials = Planned("null control", tree, recipe), experiment.trials([tree], recipe)
    try:
        (row,) = bench.measure("null control", [planned], test)
    except ShortfallError as error:
        session.progress.note(f"there is no null control: {error}")
        session.workspace.null(kind).unlink(missing_ok=True)  # it may be of other tasks
        return None
    results = Results.kept(session.workspace.trials, trials)
    outcome = Outcome.of(results, trials)
    losses = {}
    for task, drawn in bench.resampler.losses(bench.singles, outcome, "valid").items():
        known = bench.resampler.has_speakers([task], "valid")
        low, high = interval(drawn) if known else (None, None)
        loss = relative_loss(bench.singles, outcome, "valid", task)
        losses[task] = TaskLoss(loss_pct=loss, low=low, high=high)
    found = NullFile(tasks=bench.tasks, row=row, losses=losses)
    found.write(session.workspace.null(kind))
    return found
