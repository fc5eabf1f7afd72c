"""Sweeps: one contract for all, and what each one promises about the tree."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tables import (
    PAPER_BLOCKS,
    ar_tables,
    block_costs,
    costs_of,
    exact_tree,
    paper_table,
    searched,
)

from synergy.errors import ConfigError
from synergy.synthesis import ARTable, Cell, Question, task_graph
from synergy.synthesis.cells import CellKey
from synergy.synthesis.sweeps import SWEEPS, Sweep, SweepGoal, forecast, known_cells, run_sweep
from synergy.synthesis.sweeps.lazy import PairRange

FULL, SCAN, LAZY = (SWEEPS[name] for name in ("full", "scan", "lazy"))
DEPTHS = (4, 5, 6, 7, 8)
WEIGHTS = (0, *DEPTHS)

sweeps = pytest.mark.parametrize("sweep", SWEEPS.values(), ids=SWEEPS)


def goal_of(table: ARTable, max_ar: float = 2.0, costs: Sequence[float] = (1.0,) * 8) -> SweepGoal:
    return SweepGoal(table.tasks, table.depths, Question(max_ar), costs_of(costs))


class Trainer:
    """Looks cells up instead of training them, and keeps what was asked for."""

    def __init__(self, table: ARTable) -> None:
        self.table = table
        self.rounds: list[list[CellKey]] = []

    def __call__(self, keys: Sequence[CellKey]) -> Iterable[Cell]:
        self.rounds.append(list(keys))
        return [self.table.cell(*key) for key in reversed(keys)]

    @property
    def asked(self) -> list[CellKey]:
        return list(itertools.chain(*self.rounds))


def swept(sweep: Sweep, table: ARTable, goal: SweepGoal, batch: int = 1) -> tuple[ARTable, int]:
    trainer = Trainer(table)
    found = run_sweep(sweep, goal, trainer, batch=batch)
    assert len(set(trainer.asked)) == len(trainer.asked)
    return found, len(trainer.asked)


def table_of(weights: Sequence[int], depths: Sequence[int] = DEPTHS) -> ARTable:
    """AR grows with depth and exceeds 2 % above the weight of each pair, in task order."""
    tasks = "abcdefgh"[: next(n for n in range(9) if n * (n - 1) // 2 == len(weights))]
    return ARTable.from_cells(
        Cell(a, b, depth, 1.0 if depth <= weight else 3.0)
        for (a, b), weight in zip(itertools.combinations(tasks, 2), weights, strict=True)
        for depth in depths
    )


def pair_weights(at_least: int = 2, at_most: int = 4) -> st.SearchStrategy[list[int]]:
    return st.integers(at_least, at_most).flatmap(
        lambda n: st.lists(
            st.sampled_from(WEIGHTS), min_size=n * (n - 1) // 2, max_size=n * (n - 1) // 2
        )
    )


# -- the contract -----------------------------------------------------------------------------


@sweeps
def test_names(sweep):
    assert SWEEPS[sweep.name] is sweep


@sweeps
@settings(max_examples=50)
@given(table=ar_tables(at_most=4), batch=st.integers(1, 8), data=st.data())
def test_every_sweep_ends_with_a_complete_table(sweep, table, batch, data):
    goal = goal_of(table)
    known = [cell for cell in table.cells if data.draw(st.integers(0, 5)) == 0]
    trainer = Trainer(table)
    found = run_sweep(sweep, goal, trainer, known, batch)
    assert not {cell.key for cell in known} & set(trainer.asked)
    assert all(len(set(keys)) == len(keys) for keys in trainer.rounds)
    for cell in found.cells:
        if cell.key in trainer.asked or cell in known:
            assert cell == table.cell(*cell.key)
        else:
            assert cell.status == "skipped"
            assert cell.reason.startswith("not needed: ")
    again = Trainer(table)
    assert run_sweep(sweep, goal, again, found.cells, batch) == found
    assert again.rounds == []
    assert sweep.notes(goal, found) == sweep.notes(goal, found)


@sweeps
@settings(max_examples=50)
@given(table=ar_tables(at_most=4), batch=st.integers(1, 4), data=st.data())
def test_a_stopped_sweep_goes_on_where_it_was(sweep, table, batch, data):
    goal = goal_of(table)
    whole = Trainer(table)
    found = run_sweep(sweep, goal, whole, batch=batch)
    done = data.draw(st.integers(0, len(whole.rounds)))
    known = [table.cell(*key) for key in itertools.chain(*whole.rounds[:done])]
    rest = Trainer(table)
    flipped = [cell.flipped() for cell in known]
    assert run_sweep(sweep, goal, rest, flipped, batch) == found
    assert rest.rounds == whole.rounds[done:]


@sweeps
@settings(max_examples=50)
@given(weights=pair_weights(), batch=st.integers(1, 4), data=st.data())
def test_bounds_hold_when_ar_grows_with_depth(sweep, weights, batch, data):
    table = table_of(weights)
    goal = goal_of(table)
    known = [cell for cell in table.cells if data.draw(st.integers(0, 5)) == 0]
    least, most = sweep.bounds(goal, known_cells(goal, known))
    trainer = Trainer(table)
    run_sweep(sweep, goal, trainer, known, batch)
    assert least <= len(trainer.asked) <= most <= len(table.cells) - len(known)


@sweeps
def test_a_trainer_that_loses_a_cell(sweep):
    goal = goal_of(paper_table())
    with pytest.raises(ValueError, match=r"expected the trained cells .* found none"):
        run_sweep(sweep, goal, lambda keys: [])


@sweeps
@pytest.mark.parametrize("batch", [1, 3])
def test_a_forecast_lies_within_the_bounds(sweep, batch):
    goal = goal_of(paper_table(), costs=PAPER_BLOCKS[0])
    told = forecast(sweep, goal, batch=batch, tables=5)
    assert told == forecast(sweep, goal, batch=batch, tables=5)
    assert told.least <= told.trainings <= told.most
    assert told.trainings / batch <= told.steps <= told.trainings
    done = forecast(sweep, goal, paper_table().cells, tables=2)
    assert (done.least, done.most, done.trainings, done.steps) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tasks": ("a",)}, "two different tasks to sweep, found a;"),
        ({"tasks": ("a", "a")}, "found a, a;"),
        ({"depths": ()}, "found none"),
        ({"depths": (5, 4)}, "ascending depths of 1 to 8 to sweep, found 5, 4"),
        ({"depths": (4, 9)}, "found 4, 9"),
        ({"depths": (0, 4)}, "found 0, 4"),
    ],
)
def test_impossible_goals(change, words):
    goal = goal_of(paper_table())
    with pytest.raises(ConfigError, match=words):
        replace(goal, **change)


def test_a_goal_of_more_cells_than_a_table_has_is_refused():
    tasks = tuple(f"t{n}" for n in range(100))
    costs, depths = costs_of([1] * 30), tuple(range(1, 22))
    with pytest.raises(ConfigError, match="at most 100,000 cells to sweep, found 100 tasks at 21"):
        SweepGoal(tasks, depths, Question(), costs)
    assert len(SweepGoal(tasks, depths[:20], Question(), costs).cells()) == 99_000


# -- full and scan ----------------------------------------------------------------------------


def test_full_trains_everything_at_once():
    trainer = Trainer(paper_table())
    assert run_sweep(FULL, goal_of(paper_table()), trainer) == paper_table()
    assert [len(keys) for keys in trainer.rounds] == [30]


def test_scan_of_the_papers_table():
    """Counted by hand in the printed table: 6 cells at depth 8, 2 at 7, 1 at 6."""
    trainer = Trainer(paper_table())
    found = run_sweep(SCAN, goal_of(paper_table()), trainer)
    assert [len(keys) for keys in trainer.rounds] == [6, 2, 1]
    assert trainer.rounds[1:] == [[("ac", "scr", 7), ("ac", "vad", 7)], [("ac", "vad", 6)]]
    reason = "not needed: the pair passes 2 % with 7 shared blocks"
    assert found.cell("ac", "scr", 4) == Cell.skipped("ac", "scr", 4, reason)


@settings(max_examples=50)
@given(ar_tables(at_most=5), st.floats(0, 10))
def test_scan_finds_the_weights_of_the_full_table(table, max_ar):
    found, _ = swept(SCAN, table, goal_of(table, max_ar))
    assert weights_of(found, max_ar) == weights_of(table, max_ar)


def weights_of(table: ARTable, max_ar: float) -> dict[tuple[str, str], int]:
    return dict(zip(table.pairs(), task_graph(table, Question(max_ar)).weights, strict=True))


# -- lazy -------------------------------------------------------------------------------------


def cost_of(table: ARTable, goal: SweepGoal) -> float:
    blocks = goal.costs.block_params
    return exact_tree(task_graph(table, goal.question), blocks, table).cost(blocks)


@pytest.mark.parametrize(("batch", "tables"), [(1, 1000), (2, 200)])
def test_lazy_finds_a_smallest_tree(batch, tables):
    """At most 18 trainings for six pairs; that many halve six weights each down to one."""
    rng = np.random.default_rng(batch)
    goal = goal_of(table_of((0,) * 6), costs=PAPER_BLOCKS[0])
    wanted = cached_wanted(goal, batch)
    chances = {"uniform": [1 / 6] * 6, "sharable": [0.04] * 4 + [0.14, 0.7]}
    counts: dict[str, list[int]] = {kind: [] for kind in chances}
    for kind, p in chances.items():
        for weights in rng.choice(WEIGHTS, size=(tables // 2, 6), p=p).tolist():
            weight = dict(zip(goal.pairs(), weights, strict=True))
            passed: dict[CellKey, bool] = {}
            while keys := wanted(frozenset(passed.items())):
                assert len(keys) <= batch
                assert len({key[:2] for key in keys}) == len(keys)
                passed |= {key: key[2] <= weight[key[:2]] for key in keys}
            counts[kind].append(len(passed))
            least = {
                pair: max((k[2] for k, ok in passed.items() if ok and k[:2] == pair), default=0)
                for pair in goal.pairs()
            }
            assert smallest(tuple(least.values())) == smallest(tuple(weights))
    assert max(map(max, counts.values())) <= 18
    # Uniform weights take about 13 trainings, well sharable ones 10: see benchmarks/sweeps.py.
    assert 12 < np.mean(counts["uniform"]) < 14.5
    assert 9 < np.mean(counts["sharable"]) < 11


def cached_wanted(
    goal: SweepGoal, batch: int
) -> Callable[[frozenset[tuple[CellKey, bool]]], tuple[CellKey, ...]]:
    """Different tables have the same first outcomes, so most decisions are the same."""

    @cache
    def wanted(passed: frozenset[tuple[CellKey, bool]]) -> tuple[CellKey, ...]:
        known = {key: Cell(*key, 1.0 if ok else 3.0) for key, ok in passed}
        return LAZY.wanted(goal, known, batch)

    return wanted


@cache
def smallest(weights: tuple[int, ...]) -> float:
    table = table_of(weights)
    return cost_of(table, goal_of(table, costs=PAPER_BLOCKS[0]))


@settings(max_examples=50)
@given(pair_weights(2, 5), block_costs(), st.integers(1, 4), st.data())
def test_lazy_finds_a_smallest_tree_also_where_trainings_fail(weights, costs, batch, data):
    table = ARTable.from_cells(
        Cell(*cell.key, None, "failed") if data.draw(st.integers(0, 9)) == 0 else cell
        for cell in table_of(weights).cells
    )
    goal = goal_of(table, costs=costs)
    found, _ = swept(LAZY, table, goal, batch)
    assert cost_of(found, goal) == pytest.approx(cost_of(table, goal), rel=1e-12)
    told = searched(found, 2.0, costs, solver="exact")
    assert told.exact_cost == pytest.approx(cost_of(table, goal), rel=1e-12)


def test_lazy_never_needs_more_than_halving_every_range():
    for depths in ((8,), (4, 8), (4, 6, 8)):
        for weights in itertools.product((0, *depths), repeat=3):
            table = table_of(weights, depths)
            _, count = swept(LAZY, table, goal_of(table))
            assert count <= 3 * len(depths).bit_length()  # ceil(log2(depths + 1))


def test_lazy_on_the_papers_table():
    """AR does not grow with depth there; the tree has the smallest size all the same."""
    goal = goal_of(paper_table(), costs=PAPER_BLOCKS[0])
    found, count = swept(LAZY, paper_table(), goal)
    assert count == 9
    assert cost_of(found, goal) == cost_of(paper_table(), goal)


def test_lazy_reports_what_contradicts_it():
    cells = [Cell("a", "b", depth, ar) for depth, ar in ((4, 2.5), (5, 1.0), (6, 3.0), (7, 2.8))]
    table = ARTable.from_cells(cells)
    told = [note for note in LAZY.notes(goal_of(table), table) if note.startswith("Against")]
    assert told == [
        "Against this, a and b have an AR of 2.5 % with 4 shared blocks and 1 % with 5 and the "
        "threshold lies between.",
        "Against this, a and b have an AR of 3 % with 6 shared blocks and 2.8 % with 7.",
    ]
    assert SCAN.notes(goal_of(table), table) == FULL.notes(goal_of(table), table) == ()


def test_lazy_says_how_much_could_have_contradicted_it():
    """Cells below a pass are not looked at, so a table may contradict the sweep unseen."""
    rows = {"ab": (9.0, 1.0), "ac": (9.0, 1.0), "bc": (9.0, 1.0)}
    cells = [Cell(*pair, 4 * n, ar) for pair, row in rows.items() for n, ar in enumerate(row, 1)]
    table = ARTable.from_cells(cells)
    goal = goal_of(table)
    found, _ = swept(LAZY, table, goal)
    assert len(table.violations()) == 3 and not found.violations()
    assert LAZY.notes(goal, found)[0].endswith(
        " So far, no pair has two measured cells, so nothing could show whether it does, and 3 "
        "skipped cells could contradict it unseen."
    )
    assert LAZY.notes(goal, table)[0].endswith(
        " So far, AR fell with depth in 3 of 3 couples of measured cells of one pair."
    )
    paper = goal_of(paper_table(), costs=PAPER_BLOCKS[0])
    found, _ = swept(LAZY, paper_table(), paper)
    assert LAZY.notes(paper, found)[0].endswith(
        " So far, AR fell with depth in 1 of 4 couples of measured cells of one pair, and 21 "
        "skipped cells could contradict it unseen."
    )


def test_lazy_says_why_a_cell_is_skipped():
    table = table_of((8, 4, 4))
    found, _ = swept(LAZY, table, goal_of(table))
    reasons = {cell.key: cell.reason for cell in found.cells if cell.status == "skipped"}
    assert reasons["a", "b", 4] == "not needed: the pair passes with 8 shared blocks"
    known = known_cells(goal_of(table), [table.cell("a", "b", 6), table.cell("a", "c", 6)])
    for key, reason in (
        (("a", "b", 7), "not needed: the smallest tree does not depend on it"),
        (("a", "c", 7), "not needed: the pair exceeds the threshold with fewer shared blocks"),
    ):
        assert LAZY.skip_reason(goal_of(table), known, key) == reason


def test_the_range_of_a_pair():
    goal = SweepGoal(("a", "b"), DEPTHS, Question(2.0), costs_of((1.0,) * 8))

    def candidates(*outcomes: tuple[int, float | None]) -> tuple[int, ...]:
        cells = [
            Cell("a", "b", depth, ar, "failed" if ar is None else "measured")
            for depth, ar in outcomes
        ]
        return PairRange.of(goal, known_cells(goal, cells), ("a", "b")).candidates

    assert candidates() == (0, 4, 5, 6, 7, 8)
    assert candidates((6, 2.0)) == (6, 7, 8)
    assert candidates((6, 2.1)) == (0, 4, 5)
    assert candidates((6, None)) == (0, 4, 5, 7, 8)  # a failed training is no measured AR
    assert candidates((4, 3.0), (6, 1.0)) == (6, 7, 8)  # what passed counts
    assert candidates((8, 1.0), (5, 3.0)) == (8,)


def test_above_fourteen_tasks_lazy_follows_the_recursion():
    pairs = itertools.combinations([f"t{i}" for i in range(15)], 2)
    table = ARTable.from_cells(Cell(a, b, 8, 3.0 if a == "t0" else 1.0) for a, b in pairs)
    goal = goal_of(table)
    assert LAZY.bounds(goal, {}) == (1, 105)
    found, _ = swept(LAZY, table, goal, batch=105)
    assert searched(found, 2.0, goal.costs.block_params).encoder_cost == 16
    assert any("more than 14 tasks" in note.lower() for note in LAZY.notes(goal, found))
