"""The sweep that trains next what tells most about the tree, see `synergy.losses.adaptive`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from synergy.errors import ConfigError
from synergy.losses.adaptive import (
    Goal,
    Training,
    least_budget,
    next_trainings,
    usual_budget,
)
from synergy.losses.choice import Choice, choose
from synergy.losses.pair_losses import PairLosses
from synergy.losses.pooling import MOST_SEEN, posterior
from synergy.losses.promise import Promise
from synergy.losses.remedy import Remedy, remedy
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
    a command that was killed goes on to the same table with as many workers.

    Parameters
    ----------
    budget : int, optional
        Most trainings of single-task models and pairs in all; by default each single-task model
        and each cell once, or as many as it takes to begin.

    Returns
    -------
    (ARTable, tuple of str)
        Cells without any training are skipped; and what is to be known of the tree, as sentences.

    Raises
    ------
    ConfigError
        If the budget does not suffice to begin, or there are too many cells for probabilities.
    """
    assert question.confidence is not None
    session = trainer.session
    budget = _budget(trainer, tasks, depths, budget)
    goal = Goal(question, session.experiment.costs, question.confidence, budget=budget)
    failed: dict[CellKey, str] = {}
    asked: list[Training] = []
    stopped = ""
    while True:
        evidence = trainer.evidence(tasks, depths, failed, asked)
        step = next_trainings(goal, evidence, session.executor.workers)
        if not step.trainings:
            break
        if set(step.trainings) <= set(asked):  # what was asked for did not change the evidence
            stopped = "an earlier seed is missing; the same command tries it again"
            break
        told = _told(step.choice, question, tasks) if step.choice else "no tree yet"
        spent = f"{goal.spent(evidence):.0f} of at most {goal.most(evidence):.0f} trainings"
        session.progress.note(f"{spent}; {told}")
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
    known = posterior(evidence)
    promise = Promise(PairLosses.of(known), question.max_ar)
    choice = choose(promise, goal.costs, goal.confidence)
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
    notes = [f"adaptive sweep: {_told(choice, question, tasks)}; {why}"]
    if step.reason != "decided" and choice.smaller:
        found = remedy(known, promise, choice.smaller[0].tree, goal.confidence)
        if found is not None:
            notes.append(_undecided(trainer, found, choice.smaller[0].tree.notation(tasks)))
    return ARTable(tuple(tasks), tuple(depths), tuple(cells)), tuple(notes)


def _budget(
    trainer: PairTrainer, tasks: Sequence[str], depths: Sequence[int], budget: int | None
) -> int:
    """The trainings that the sweep may take; ConfigError if these are too few to begin with."""
    count = len(tasks)
    if (most := (count - 1) * len(depths)) > MOST_SEEN:
        raise ConfigError(
            f"--sweep adaptive: expected at most {MOST_SEEN} cells of each task, found {most}; "
            "leave out tasks or depths, or use --sweep full"
        )
    seeds = trainer.experiment.config.seeds
    if budget is None:
        return usual_budget(count, len(depths), seeds)
    if budget < (least := least_budget(count, seeds)):
        alone = least - math.comb(count, 2)
        raise ConfigError(
            f"--budget: expected at least {least}, {alone} trainings of single-task models "
            f"and one of each pair, found {budget}; allow more, or lower --seeds"
        )
    return budget


def _undecided(trainer: PairTrainer, found: Remedy, notation: str) -> str:
    """What would decide whether the best smaller tree keeps the threshold."""
    said = (
        f"whether {notation} keeps it hangs on {found.task}, which loses "
        f"{found.loss:.1f} ± {found.sd:.1f} % beside {found.partner} at {found.depth} blocks: "
    )
    speakers = trainer.experiment.speakers(found.task, "valid")
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


def _told(choice: Choice, question: Question, tasks: Sequence[str]) -> str:
    """The tree so far."""
    best = choice.chosen
    said = (
        f"{best.tree.notation(tasks)} keeps {question.max_ar:g} % with a probability of "
        f"{100 * best.probability:.0f} %"
    )
    if choice.smaller:
        other = choice.smaller[0]
        said += (
            f", the smaller {other.tree.notation(tasks)} with one of "
            f"{100 * other.probability:.0f} %"
        )
    return message(said)
