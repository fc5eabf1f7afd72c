"""Which trainings are asked for, when that ends, and that it follows from the evidence alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_losses import BLOCKS, DEPTHS, Truth, additive
from small_tables import costs_of

from synergy.losses.adaptive import Goal, Step, Training, next_trainings
from synergy.losses.evidence import Evidence
from synergy.synthesis import Question

GOAL = Goal(Question(2.0), costs_of(BLOCKS))


def truth_of(seed: int, noise: tuple[float, float] = (0.8, 1.0)) -> Truth:
    return Truth(additive(3, np.random.default_rng(seed)), noise, seed)


def swept(
    truth: Truth, goal: Goal, workers: int = 1
) -> tuple[list[tuple[Evidence, Step]], list[Training]]:
    evidence, steps, asked = truth.empty, [], []
    while True:
        step = next_trainings(goal, evidence, workers)
        steps.append((evidence, step))
        if not step.trainings:
            return steps, asked
        asked += step.trainings
        evidence = truth.train(evidence, step.trainings)


@pytest.mark.parametrize(("seed", "workers", "budget"), [(0, 1, 20), (1, 3, None), (2, 4, 25)])
def test_sweep_ends_within_its_budget_and_asks_for_nothing_twice(seed, workers, budget):
    goal = replace(GOAL, budget=budget)
    steps, asked = swept(truth_of(seed), goal, workers)
    assert len(set(asked)) == len(asked) <= goal.most(steps[0][0])
    assert all(len(step.trainings) <= workers for _, step in steps)
    last = steps[-1][1]
    assert last.reason in ("budget", "decided")
    assert last.choice is not None
    assert last.choice.chosen.probability >= GOAL.confidence


def test_sweep_goes_on_from_every_part_of_its_own_evidence():
    steps, _ = swept(truth_of(3), replace(GOAL, budget=16), 2)
    for evidence, step in steps:
        copied = Evidence(
            evidence.tasks, evidence.depths, dict(evidence.singles), dict(evidence.pairs)
        )
        assert next_trainings(replace(GOAL, budget=16), copied, 2) == step


def test_sweep_begins_with_every_task_alone_and_every_pair_at_spread_depths():
    truth = truth_of(0)
    step = next_trainings(replace(GOAL, budget=99), truth.empty, 99)
    assert step == Step(
        (
            *(Training((task,), 0, number) for number in range(2) for task in "abc"),
            Training(("a", "b"), 6, 0),
            Training(("a", "c"), 8, 0),
            Training(("b", "c"), 6, 0),
        ),
        "start",
    )
    half = truth.train(truth.empty, (*step.trainings[:4], step.trainings[7]))
    rest = next_trainings(replace(GOAL, budget=99), half, 99).trainings
    assert rest == (*step.trainings[4:7], step.trainings[8])


def test_clear_losses_are_decided_early():
    losses = np.full((9, 2), -3.0)
    losses[:3] = 9.0
    steps, asked = swept(Truth(losses, (0.05, 0.05)), GOAL)
    assert steps[-1][1].reason == "decided"
    assert len(asked) < 12
    choice = steps[-1][1].choice
    assert choice is not None
    assert choice.chosen.cost == 2 * sum(BLOCKS)


def test_a_baseline_that_decides_is_trained_again():
    # pairs are certain, what they are held against is not
    truth = Truth(np.full((9, 2), 1.0), (3.0, 0.1))
    evidence = truth.measured(2, 2)
    step = next_trainings(replace(GOAL, budget=99), evidence, 3)
    assert step.reason == "undecided"
    assert all(len(training.tasks) == 1 for training in step.trainings)


def test_workers_get_different_trainings_of_one_cell_or_of_several():
    truth = truth_of(5, (1.5, 2.0))
    evidence = truth.measured(2, 1)
    step = next_trainings(replace(GOAL, budget=99), evidence, 12)
    assert len(set(step.trainings)) == len(step.trainings) == 12
    truth.train(evidence, step.trainings)  # numbers follow on what is there


def test_failed_cells_are_never_asked_for():
    truth = truth_of(6)
    failed = frozenset(("a", "b", depth) for depth in DEPTHS) | {("b", "c", 8)}
    truth.empty = replace(truth.empty, failed=failed)
    goal = replace(GOAL, budget=24, question=Question(2.0))
    steps, asked = swept(truth, goal, 2)
    cells = {(*t.tasks, t.depth) for t in asked if t.depth}
    assert cells
    assert not cells & failed
    assert len(asked) <= 24 - len(failed)
    assert steps[-1][1].choice is not None


def test_null_controls_are_asked_for_where_they_are_cheap_and_count():
    truth = Truth(np.full((9, 2), 1.0), (3.0, 0.1))
    goal = replace(GOAL, budget=30, null_cost=1.0)
    evidence = truth.measured(2, 2)
    step = next_trainings(goal, evidence)
    assert step.trainings == (Training(("a", "b", "c"), 0, 0),)
    after = truth.train(evidence, step.trainings)
    assert goal.spent(after) == goal.spent(evidence) + 1.0
    assert next_trainings(replace(goal, budget=25), after).reason == "budget"


@pytest.mark.parametrize("budget", [0, 4])
def test_a_budget_below_the_start_ends_without_a_tree(budget):
    steps, asked = swept(truth_of(7), replace(GOAL, budget=budget), 3)
    assert len(asked) == budget
    assert steps[-1][1].reason == "budget"
