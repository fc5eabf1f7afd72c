"""The sweep that trains next what tells most about the tree, see `synergy.losses.adaptive`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from synergy.losses.adaptive import Goal, Step, Training, next_trainings
from synergy.losses.choice import Choice
from synergy.losses.evidence import Evidence
from synergy.losses.pooling import posterior
from synergy.losses.promise import Promise
from synergy.losses.remedy import remedy
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
    notes = [f"adaptive sweep: {told}; {why}"]
    if step.reason != "decided" and step.choice is not None:
        notes.append(_undecided(trainer, goal, evidence, step.choice))
    return ARTable(tuple(tasks), tuple(depths), tuple(cells)), tuple(filter(None, notes))


def _undecided(trainer: PairTrainer, goal: Goal, evidence: Evidence, choice: Choice) -> str:
    """What would decide whether the best smaller tree keeps the threshold."""
    if not choice.smaller:
        return ""
    known = posterior(evidence)
    tree = choice.smaller[0].tree
    found = remedy(known, Promise.of(known, goal.question), tree, goal.confidence)
    if found is None:
        return ""
    said = (
        f"whether {tree.notation(evidence.tasks)} keeps it hangs on {found.task}, which loses "
        f"{found.loss:.1f} ± {found.sd:.1f} % beside {found.partner} at {found.depth} blocks: "
    )
    speakers = trainer.experiment.data[found.task].speakers("valid")
    if found.trainings is not None:
        said += f"about {math.ceil(found.trainings)} times as many trainings would tell"
    elif found.speakers is not None:
        more = math.ceil(speakers * found.speakers)
        said += (
            f"no trainings can tell, about {more:,} speakers of {found.task} in validation would "
            f"(there are {speakers:,})"
        )
    else:
        said += "that is the threshold, and nothing would tell"
    return message(said)


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
