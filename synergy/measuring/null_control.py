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
from synergy.records import Loss, NullFile
from synergy.running.session import Results
from synergy.synthesis.question import TableKind
from synergy.wording import counted, message


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
        return None
    results = Results.kept(session.workspace.trials, trials)
    outcome = Outcome.of(results, trials)
    losses = {}
    for task, drawn in bench.resampler.losses(bench.singles, outcome, "valid").items():
        low, high = interval(drawn)
        loss = relative_loss(bench.singles, outcome, "valid", task)
        losses[task] = Loss(loss_pct=loss, low=low, high=high)
    found = NullFile(tasks=bench.tasks, row=row, losses=losses)
    found.write(session.workspace.null(kind))
    return found


def null_notes(found: NullFile, max_ar: float | None) -> list[str]:
    """What a reader of the table should know of its null control, a sentence each."""
    row = found.row
    ar, low, high = (each["valid"] for each in (row.ar_pct, row.ar_low, row.ar_high))
    notes = [
        f"null control (all tasks trained together, nothing shared, {counted(row.seeds, 'seed')}): "
        f"AR {ar:.1f} % [{low:.1f}, {high:.1f}]; no lower AR of the table means anything"
    ]
    if max_ar is not None and max_ar < ar:
        notes.append(
            f"the threshold of {max_ar:g} % lies below the AR of the null control: what keeps it "
            "cannot be told from chance; raise it, or train more seeds with --seeds"
        )
    for task, loss in found.losses.items():
        if not loss.low <= 0 <= loss.high:
            notes.append(
                message(
                    f"the null control {'loses' if loss.loss_pct > 0 else 'gains'} "
                    f"{abs(loss.loss_pct):.1f} % of {task} [{loss.low:.1f}, {loss.high:.1f}], "
                    "though it shares nothing"
                )
            )
    return notes
