"""What the command line draws: progress and tables."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from typing import Any

import pytest

from synergy.certainty import Certainty, PairShares, RepeatCell, TreeShare
from synergy.cli.compare import compared_text
from synergy.cli.pair_tables import ar_table, cell_notes, frontier_table, stability_text, tree_text
from synergy.cli.reporter import QUIET_S, Reporter
from synergy.cli.row_tables import (
    attempts_table,
    baseline_table,
    interval_table,
    predicted_table,
    score_table,
    size_table,
)
from synergy.cli.tables import Table, rendered
from synergy.records import (
    Chance,
    ComparedRow,
    ComparisonsFile,
    Difference,
    FrontierEntry,
    FrontierFile,
    PairBlocks,
    TreeFile,
)
from synergy.rows import Attempt, Row, TaskLoss
from synergy.synthesis import ARTable, Cell
from synergy.tree import SharingTree
from synergy.trials.record import TrialResult
from synergy.wording import REPORTED, duration

TASKS = ("gc", "ac", "scr", "vad")


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def message(step: int, **scores: float) -> dict[str, float]:
    return {"step": step, "steps": 100, "clips_per_s": 500.0, **scores}


def test_plain_lines_tell_done_time_left_speed_and_scores(capsys):
    clock = Clock()
    reporter = Reporter(live=False, clock=clock)
    reporter.begin("pairs", 4, 1)
    clock.now = 60.0
    result = TrialResult.model_construct(scores={"valid": {"a": 0.5}}, clips_per_s=900)
    reporter.finished("{a,b}@4 seed 0", result, None)
    assert capsys.readouterr().err.splitlines() == [
        "pairs: 4 trainings, 1 of them done before",
        "pairs: 2/4 done, 2 min left, 900 clips/s; {a,b}@4 seed 0: a 50.0",
    ]


def test_workers_are_told_where_there_are_several(capsys):
    clock = Clock()
    reporter = Reporter(live=False, clock=clock)
    reporter.begin("pairs", 2, 0)
    result = TrialResult.model_construct(scores={"valid": {"a": 0.5}}, clips_per_s=900)
    for workers in (64, 1):
        reporter.working(workers)
        reporter.finished("a seed 0", result, None)
    assert capsys.readouterr().err.splitlines()[1:] == [
        "pairs: 1/2 done, 900 clips/s, 64 workers; a seed 0: a 50.0",
        "pairs: 2/2 done, 900 clips/s; a seed 0: a 50.0",
    ]


def test_plain_lines_of_running_trainings_are_rare(capsys):
    clock = Clock()
    reporter = Reporter(live=False, clock=clock)
    reporter.begin("pairs", 1, 0)
    for step in range(1, 100):
        clock.now = step
        reporter.training("{a,b}@4 seed 0", message(step, a_score=0.25))
    lines = capsys.readouterr().err.splitlines()[1:]
    assert len(lines) == 99 // QUIET_S
    assert lines[0] == "pairs: 0/1 done, 70 s left, 500 clips/s; {a,b}@4 seed 0: a 25.0"


def test_a_failure_is_told_at_once(capsys):
    reporter = Reporter(live=False)
    reporter.begin("pairs", 2, 0)
    reporter.finished("{a,b}@4 seed 0", None, "the loss became nan")
    lines = capsys.readouterr().err.splitlines()
    assert lines[1] == "pairs: {a,b}@4 seed 0 failed: the loss became nan"
    assert "1 failed" in lines[2]


def test_nothing_trained_counts_a_stage_once():
    reporter = Reporter(live=False)
    assert reporter.nothing_trained() == ""
    with redirect_stderr(io.StringIO()):
        for title, total in (("single", 3), ("pairs", 6), ("single", 3)):
            reporter.begin(title, total, total)
    assert reporter.nothing_trained() == "nothing to train: all 9 trials were done"
    with redirect_stderr(io.StringIO()):
        reporter.begin("tree", 2, 1)
    assert reporter.nothing_trained() == ""


def test_a_live_bar_survives_everything(monkeypatch):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.setenv(name, "xterm")
    with redirect_stderr(io.StringIO()) as err, Reporter(live=True) as reporter:
        reporter.preparing("features of [red]x", 0, 2)
        reporter.preparing("features of [red]x", 2, 2)
        reporter.note("a [bold] note")
        reporter.begin("pairs", 2, 0)
        reporter.training("{a,b}@4 seed 0", message(50, a_score=0.5))
        reporter.finished("{a,b}@4 seed 0", None, "no [/] luck")
        reporter.end()
    assert "note: a [bold] note" in err.getvalue()
    assert "failed: no [/] luck" in err.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (89, "89 s"), (120, "2 min"), (3600, "60 min"), (5700, "1 h 35 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def row(name: str, seeds: int = 1, **told: Any) -> Row:
    values = (0.951, 0.962, 0.97)[:seeds]
    return Row(
        name=name,
        params=120_000,
        macs=23_456_789,
        epochs=20,
        scores={split: dict.fromkeys(TASKS, values) for split in REPORTED},
        mean_scores={split: dict.fromkeys(TASKS, sum(values) / seeds) for split in REPORTED},
        ar_pct=dict.fromkeys(REPORTED, 12.3),
        ar_low=dict.fromkeys(REPORTED, 0.0),
        ar_high=dict.fromkeys(REPORTED, 23.4),
        **told,
    )


def lines_of(*tables: Table) -> list[str]:
    """Drawn tables in lines, runs of spaces as one."""
    return [" ".join(line.split()) for line in rendered(*tables).splitlines()]


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_final_tables_fit_80_columns(seeds):
    rows = [row(name, seeds) for name in ("independent", "flat", "tree", "tree, 100 epochs")]
    text = rendered(score_table(rows, TASKS), interval_table(rows), size_table(rows))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert ("±" in text) == (seeds > 1)
    (flat,) = [line.split() for line in lines if line.split()[:2] == ["flat", "test"]]
    assert flat[-1] == "12.3"
    assert ["flat", "12.3", "[0.0,", "23.4]", "12.3", "[0.0,", "23.4]"] in map(str.split, lines)
    assert any(line.split()[-5:] == ["120,000", "100", "%", "23.5", "M"] for line in lines) or any(
        "23.5 M" in line and "100 %" in line for line in lines
    )


def test_means_and_single_tasks():
    lines = lines_of(score_table([row("tree", 3)], TASKS, sizes=True))
    assert lines[1] == "model split gc ac scr vad AR % params"
    assert "tree test 96.1 96.1 96.1 96.1 12.3 120,000" in lines
    assert lines_of(baseline_table({"gc": row("gc", 3)}))[-1] == "gc 96.1±1.0 96.1±1.0 120,000"


def test_attempts_say_why_they_were_trained_and_what_was_predicted():
    loss = TaskLoss(loss_pct=1.5, low=-0.5, high=3.0)
    missed = Attempt(
        notation="{a,b}@8",
        params=9,
        ar_pct={"valid": 3.0},
        why="the tree of the table",
        predicted={"a": loss},
        loss_pct={"a": 3.0},
        probability=0.25,
    )
    kept = Attempt(
        notation="{a,b}@4",
        width=0.9,
        distilled=True,
        params=10,
        ar_pct={"valid": 1.0},
        fresh_ar_pct={"valid": 1.2},
        keeps=True,
    )
    assert lines_of(attempts_table([missed, kept]))[-2:] == [
        "0 {a,b}@8 9 3.0 - 25 the tree of the table",
        "1 {a,b}@4, width 0.9, distilled 10 1.0 1.2 -",
    ]
    assert lines_of(predicted_table([missed, kept], "ab"))[-1:] == ["0 a +1.5 [-0.5, 3.0] +3.0"]


# -- tables of pairs and what follows from them -----------------------------------------------


def test_the_ar_table_and_its_notes():
    cells = [
        Cell("a", "b", 4, 1.25, ar_low=0.4, ar_high=2.6, seeds=3),
        Cell("a", "b", 8, 2.0),
        Cell.skipped("a", "c", 4, "not needed"),
        Cell("a", "c", 8, 3.0),
        Cell("b", "c", 4, None, "failed", "the loss became nan"),
        Cell("b", "c", 8, 4.0),
    ]
    table = ARTable.from_cells(cells)
    assert lines_of(ar_table(table))[-3:] == [
        *("a, b 1.2 [0, 3] 2.0", "a, c - 3.0", "b, c failed 4.0")
    ]
    assert cell_notes(table) == [
        "failed: b-c at depth 4: the loss became nan",
        "Run the same command again to try the failed trainings once more.",
        "-: 1 cell not needed",
        "a-b at depth 4: 3 seeds, the others 1",
    ]


def tree_file(**told: Any) -> TreeFile:
    tree = SharingTree.parse("{a,b}@4", 8)
    return TreeFile(
        tree=tree,
        notation=tree.notation(),
        encoder_params=1234,
        predicted_ar_pct=1.5,
        max_ar=2.0,
        recursive_params=1234,
        weights=(PairBlocks(task_a="a", task_b="b", blocks=4),),
        **told,
    )


def test_unknown_sizes_are_left_out_of_files():
    assert "params" not in tree_file().to_json()
    assert tree_file(params=2345).to_json()["params"] == 2345
    assert tree_file().to_json()["exact_params"] is None
    rows = frontier(encoder_params=9_000).to_json()["frontier"]
    assert {"params", "macs", "encoder_macs"}.isdisjoint(rows[0])
    assert (rows[0]["encoder_params"], rows[1]["max_ar_to"]) == (9_000, None)


def test_a_tree_with_its_sizes():
    text = tree_text(tree_file(), ("a", "b"))
    assert text.splitlines()[-5:] == [
        "tree: {a,b}@4",
        "encoder parameters: 1,234",
        "  solver recursive: 1,234",
        "  solver exact: too many tasks for it",
        "predicted AR: 1.5 % (threshold 2 %)",
    ]
    assert "Blocks that a pair may share at AR <= 2 %" in text
    known = tree_file(exact_params=1234, provably_optimal=True, params=2345, table="t.csv")
    text = tree_text(known, ("a", "b"))
    assert "AR table: t.csv" in text
    assert "1,234 (provably optimal: no tree under these weights is smaller)" in text
    assert "parameters with decoders: 2,345" in text


def frontier(**sizes: int) -> FrontierFile:
    tree = SharingTree.parse("{a,b}@4", 8)
    entry = FrontierEntry(
        number=1,
        max_ar_from=0.0,
        max_ar_to=1.5,
        tree=tree,
        notation=tree.notation(),
        predicted_ar_pct=0.25,
        **sizes,  # pyright: ignore[reportArgumentType]
    )
    last = entry.model_copy(update={"number": 2, "max_ar_to": None, "measured": row("tree 2")})
    return FrontierFile(frontier=(entry, last))


def test_the_frontier_says_whose_sizes_it_has():
    whole = lines_of(frontier_table(frontier(params=12_000, macs=3_000_000)))
    assert whole[1] == "number tree max AR % params MACs/s predicted AR % AR % valid AR % test"
    assert whole[-2:] == [
        "1 {a,b}@4 0.00 to 1.50 12,000 3.0 M 0.25 - -",
        "2 {a,b}@4 0.00 and more 12,000 3.0 M 0.25 12.3 12.3",
    ]
    found = frontier_table(frontier(encoder_params=9_000, encoder_macs=2_000_000))
    assert found.columns[3:5] == ["encoder params", "encoder MACs/s"]
    assert "9,000 2.0 M" in lines_of(found)[-1]


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_stability_names_what_to_repeat_unless_it_is_sure(share):
    text = stability_text(
        Certainty(
            samples=1000,
            tree_share=share,
            skipped=2,
            trees=(TreeShare(notation="{a,b}@8", share=share),),
            pairs=(
                PairShares(
                    task_a="a", task_b="b", weight=8, admissible={"8": share}, at_least={"8": share}
                ),
            ),
            repeat=(
                RepeatCell(
                    task_a="a", task_b="b", shared_depth=8, seeds=1, passes=share, decides=1.0
                ),
            ),
        )
    )
    lines = text.splitlines()
    percent = f"{100 * share:.0f} %"
    assert lines[:2] == [
        f"stability: the same tree comes out of {percent} of 1,000 resampled tables",
        f"  a, b (shares up to 8): passes at 8: {percent}",
    ]
    assert "Cells that the sweep skipped (2) count as not passing" in lines[2]
    assert (
        "decided by: a-b at depth 8 (50 % pass); `synergy pairwise --sweep adaptive`" in text
    ) == (share < 0.8)


# -- the comparison ---------------------------------------------------------------------------


def test_the_comparison_has_scores_differences_costs_and_failures():
    above = {"tree": dict.fromkeys(REPORTED, Difference(ar_pct=1.5, ar_low=-0.5, ar_high=3.0))}
    told = row("flat").model_dump()
    costs = {"stored_params": 130_000, "share_pct": 52.4, "trainings": 3, "seconds": 120.0}
    flat = ComparedRow(**told, method="flat", above=above, note="one trunk", **costs)
    failed = ComparedRow(name="lth", method="lth", error="no mask")
    text = compared_text(
        ComparisonsFile(
            tasks=TASKS,
            tree="{gc,ac,scr,vad}@6",
            max_params=120_000,
            max_ar=2.0,
            seeds=(0,),
            terms="",
            chance={"valid": Chance(median=1.0, high=2.5)},
            rows=(flat, failed),
        )
    )
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for line in (
        "flat valid 95.1 95.1 95.1 95.1 12.3 [0.0, 23.4]",
        "flat +1.5 [-0.5, +3.0] +1.5 [-0.5, +3.0]",
        "flat 120,000 130,000 52 % 23.5 M 3 2 min -",
        "flat: one trunk",
        "failed: lth: no mask",
    ):
        assert line in lines
    assert "Budget: the 120,000 parameters of {gc,ac,scr,vad}@6, the recursion's tree" in text
    assert "loses nothing has an AR of 1.0 % at the median and of at most 2.5 %" in text
