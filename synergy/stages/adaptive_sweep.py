"""The sweep that trains next what tells most about the tree, see `synergy.losses.adaptive`."""

from __future__ import annotations

from collections.abc import Sequence

from synergy.losses.adaptive import Goal, Step, Training, next_trainings
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

    As many trainings are asked for at once as there are workers. What is asked for follows from
    the scores of what was asked for before, from the beginning and whatever is trained already, so
    a command that was killed goes on to the same table.

    Parameters
    ----------
    budget : int, optional
        Most trainings of single-task models and pairs in all; by default each single-task model
        and each cell once.

    Returns
    -------
    (ARTable, tuple of str)
        Cells without any training are skipped; and what is to be known of the tree, as sentences.
    """
    assert question.confidence is not None
    session = trainer.session
    goal = Goal(question, session.experiment.costs, question.confidence, budget=budget)
    failed: dict[CellKey, str] = {}
    asked: list[Training] = []
    stopped = ""
    while True:
        evidence = trainer.evidence(tasks, depths, failed, asked)
        step = next_trainings(goal, evidence, session.executor.workers)
        told = _told(step, question, tasks)
        if not step.trainings:
            break
        session.progress.note(
            f"{goal.spent(evidence):.0f} of at most {goal.most(evidence):.0f} trainings; {told}"
        )
        asked += step.trainings
        for training, problem in trainer.train_more("adaptive sweep", step.trainings).items():
            if len(training.tasks) == 1 or training.number:
                stopped = message(f"{' and '.join(training.tasks)}: {problem}")
            else:
                a, b = training.tasks
                failed[a, b, training.depth] = problem
        if stopped:
            break
    evidence = trainer.evidence(tasks, depths, failed)
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
    why = f"it ends because a training failed ({stopped})" if stopped else end[step.reason]
    notes = (f"adaptive sweep: {told}; {why}",)
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
