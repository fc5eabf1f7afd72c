"""The sweep that trains next what tells most about the tree, see `synergy.losses.adaptive`."""

from __future__ import annotations

from collections.abc import Sequence

from synergy.errors import ShortfallError
from synergy.losses.adaptive import Goal, Step, next_trainings
from synergy.measuring.pairs import PairTrainer
from synergy.synthesis import ARTable, Cell, Question
from synergy.synthesis.cells import CellKey
from synergy.wording import counted, message

_UNUSED = "not needed: other trainings told more about the tree"


def adaptive_table(
    trainer: PairTrainer,
    tasks: Sequence[str],
    depths: Sequence[int],
    question: Question,
    budget: int | None,
) -> tuple[ARTable, tuple[str, ...]]:
    """Train pairs and single-task models until the tree is decided or the budget is used.

    As many trainings run at once as there are workers. What is trained already counts, so a
    command that was stopped goes on where it was.

    Parameters
    ----------
    budget : int, optional
        Most trainings of single-task models and pairs in all, those of before included; by
        default each single-task model and each cell once.

    Returns
    -------
    (ARTable, tuple of str)
        Cells without any training are skipped; and what is to be known of the tree, as sentences.

    Raises
    ------
    ShortfallError
        If nothing could be trained any more: a single-task model failed.
    """
    assert question.confidence is not None
    session = trainer.session
    goal = Goal(question, session.experiment.costs, question.confidence, budget=budget)
    failed: dict[CellKey, str] = {}
    while True:
        evidence = trainer.evidence(tasks, depths, failed)
        step = next_trainings(goal, evidence, session.executor.workers)
        told = _told(step, question, tasks)
        if not step.trainings:
            break
        session.progress.note(
            f"{goal.spent(evidence):.0f} of at most {goal.most(evidence):.0f} trainings; {told}"
        )
        problems = trainer.train_more("adaptive sweep", step.trainings)
        for training, problem in problems.items():
            if len(training.tasks) == 1:
                raise ShortfallError(f"{training.tasks[0]}: {problem}")
            a, b = training.tasks
            if training.number == 0:
                failed[a, b, training.depth] = problem
    cells: list[Cell] = []
    for key in evidence.cells():
        if key in evidence.pairs:
            cells.append(trainer.cell(key))
        elif key in failed:
            cells.append(Cell(*key, None, "failed", reason=failed[key]))
        else:
            cells.append(Cell.skipped(*key, _UNUSED))
    end = {
        "decided": "no smaller tree promises enough",
        "budget": f"the budget of {counted(int(goal.most(evidence)), 'training')} is used",
    }
    notes = (f"adaptive sweep: {told}; {end.get(step.reason, step.reason)}",)
    return ARTable(tuple(tasks), tuple(depths), tuple(cells)), notes


def _told(step: Step, question: Question, tasks: Sequence[str]) -> str:
    """The tree so far."""
    if step.choice is None:
        return "no tree yet"
    best = step.choice.chosen
    said = (
        f"{best.tree.notation(tasks)} keeps {question.max_ar:g} % with a probability of "
        f"{100 * best.probability:.0f} %"
    )
    if step.choice.smaller:
        other = step.choice.smaller[0]
        said += (
            f", the smaller {other.tree.notation(tasks)} with one of "
            f"{100 * other.probability:.0f} %"
        )
    return message(said)
