"""Sweeps: one contract for both, and what each one promises."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tables import ar_tables, paper_table

from synergy.synthesis import ARTable, Cell, Question, task_graph
from synergy.synthesis.cells import CellKey
from synergy.synthesis.sweeps import SWEEPS, Rounds, SweepGoal, chances, full, run_sweep, scan

sweeps = pytest.mark.parametrize("sweep", SWEEPS.values(), ids=SWEEPS)


def goal_of(table: ARTable, max_ar: float = 2.0) -> SweepGoal:
    return SweepGoal(table.tasks, table.depths, max_ar)


class Trainer:
    """Looks cells up instead of training them, and keeps what was asked for."""

    def __init__(self, table: ARTable) -> None:
        self.table = table
        self.rounds: list[list[CellKey]] = []

    def __call__(self, keys: Sequence[CellKey]) -> Iterable[Cell]:
        self.rounds.append(list(keys))
        return [self.table.cell(*key) for key in keys]

    @property
    def asked(self) -> list[CellKey]:
        return list(itertools.chain(*self.rounds))


# -- the contract -----------------------------------------------------------------------------


@sweeps
@settings(max_examples=50)
@given(table=ar_tables(at_most=4), data=st.data())
def test_every_sweep_ends_with_a_complete_table(sweep, table, data):
    goal = goal_of(table)
    known = [cell for cell in table.cells if data.draw(st.integers(0, 5)) == 0]
    trainer = Trainer(table)
    found = run_sweep(sweep, goal, trainer, known)
    assert len(set(trainer.asked)) == len(trainer.asked)
    assert not {cell.key for cell in known} & set(trainer.asked)
    for cell in found.cells:
        if cell.key in trainer.asked or cell in known:
            assert cell == table.cell(*cell.key)
        else:
            assert cell.status == "skipped"
            assert cell.reason.startswith("not needed: ")
    again = Trainer(table)
    trained = [cell for cell in found.cells if cell.status != "skipped"]
    assert run_sweep(sweep, goal, again, trained) == found
    assert again.rounds == []


@sweeps
@settings(max_examples=50)
@given(table=ar_tables(at_most=4), data=st.data())
def test_a_stopped_sweep_goes_on_where_it_was(sweep, table, data):
    goal = goal_of(table)
    whole = Trainer(table)
    found = run_sweep(sweep, goal, whole)
    done = data.draw(st.integers(0, len(whole.rounds)))
    known = [table.cell(*key) for key in itertools.chain(*whole.rounds[:done])]
    rest = Trainer(table)
    assert run_sweep(sweep, goal, rest, known) == found
    assert rest.rounds == whole.rounds[done:]


@sweeps
@settings(max_examples=50)
@given(table=ar_tables(at_most=4), data=st.data())
def test_the_first_round_is_needed_and_nothing_outside_the_rounds(sweep, table, data):
    known = [cell for cell in table.cells if data.draw(st.integers(0, 5)) == 0]
    rounds = sweep(goal_of(table), {cell.key: cell for cell in known})
    assert all(rounds)
    trainer = Trainer(table)
    run_sweep(sweep, goal_of(table), trainer, known)
    asked, offered = set(trainer.asked), list(itertools.chain(*rounds))
    assert set(itertools.chain(*rounds[:1])) <= asked <= set(offered)
    assert len(set(offered)) == len(offered)


@sweeps
def test_a_trainer_that_loses_a_cell(sweep):
    with pytest.raises(ValueError, match="shorter"):
        run_sweep(sweep, goal_of(paper_table()), lambda keys: [])


# -- full and scan ----------------------------------------------------------------------------


def test_full_trains_everything_at_once():
    trainer = Trainer(paper_table())
    assert run_sweep(full, goal_of(paper_table()), trainer) == paper_table()
    assert [len(keys) for keys in trainer.rounds] == [30]


def test_scan_of_the_papers_table():
    """Counted by hand in the printed table: 6 cells at depth 8, 2 at 7, 1 at 6."""
    trainer = Trainer(paper_table())
    found = run_sweep(scan, goal_of(paper_table()), trainer)
    assert [len(keys) for keys in trainer.rounds] == [6, 2, 1]
    assert trainer.rounds[1:] == [[("ac", "scr", 7), ("ac", "vad", 7)], [("ac", "vad", 6)]]
    reason = "not needed: the pair passes 2 % with 7 shared blocks"
    assert found.cell("ac", "scr", 4) == Cell.skipped("ac", "scr", 4, reason)


@settings(max_examples=50)
@given(ar_tables(at_most=5), st.floats(0, 10))
def test_scan_finds_the_weights_of_the_full_table(table, max_ar):
    found = run_sweep(scan, goal_of(table, max_ar), Trainer(table))
    question = Question(max_ar)
    assert task_graph(found, question).weights == task_graph(table, question).weights


# -- what is expected -------------------------------------------------------------------------


def cells_trained(sweep: Callable[..., Rounds], weight: int, known: Sequence[Cell] = ()) -> int:
    """How many cells of one pair are trained that passes at one depth at most."""
    trainer = Trainer(
        ARTable.from_cells(Cell("a", "b", d, 1.0 if d == weight else 3.0) for d in (4, 5, 6, 7, 8))
    )
    run_sweep(sweep, goal_of(trainer.table), trainer, known)
    return len(trainer.asked)


@sweeps
@pytest.mark.parametrize("known", [(), (Cell("a", "b", 7, 3.0),), (Cell("a", "b", 5, 1.0),)])
def test_chances_are_the_mean_over_all_ends(sweep, known):
    rounds = sweep(SweepGoal(("a", "b"), (4, 5, 6, 7, 8), 2.0), {cell.key: cell for cell in known})
    ends = [0, *(depth for keys in rounds for _, _, depth in keys)]
    mean = sum(cells_trained(sweep, weight, known) for weight in ends) / len(ends)
    assert sum(chances(rounds).values()) == pytest.approx(mean)


def test_a_pair_that_is_settled_counts_for_nothing():
    goal = SweepGoal(("a", "b", "c"), (4, 8), 2.0)
    rounds = scan(goal, {("a", "b", 8): Cell("a", "b", 8, 1.0)})
    assert rounds == [[("a", "c", 8), ("b", "c", 8)], [("a", "c", 4), ("b", "c", 4)]]
    assert chances(rounds) == {
        **dict.fromkeys(rounds[0], 1.0),
        **dict.fromkeys(rounds[1], pytest.approx(2 / 3)),
    }
    assert chances([]) == {}
