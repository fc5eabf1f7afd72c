"""What the command line draws: progress and tables."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from typing import cast

import pytest

from synergy.cli import tables
from synergy.cli.progress import QUIET_S, Reporter, duration
from synergy.stages.measure import Row
from synergy.stages.outcome import Outcome
from synergy.stages.synthesize import Final
from synergy.synthesis import Synthesis
from synergy.tree import SharingTree
from synergy.trials.record import TrialResult
from synergy.wording import REPORTED

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


def final(seeds: int) -> Final:
    scores = {split: dict.fromkeys(TASKS, (0.951, 0.962, 0.97)[:seeds]) for split in REPORTED}
    rows = []
    for name, shared in (("independent", 0), ("flat", 6), ("tree", 6), ("tree, 100 epochs", 6)):
        tree = SharingTree.flat(TASKS, shared, 8)
        outcome = Outcome(tree, ("d",) * seeds, scores, ())
        ar = dict.fromkeys(REPORTED, 12.3)
        bounds = dict.fromkeys(REPORTED, (0.0, 23.4))
        rows.append(Row(name, outcome, 120_000, 23_456_789, ar, bounds, 20))
    return Final(tuple(rows), (), cast(Synthesis, None), 0)


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_final_tables_fit_80_columns(seeds):
    found = final(seeds)
    text = tables.rendered(
        tables.score_table(found, TASKS), tables.interval_table(found), tables.size_table(found)
    )
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert ("±" in text) == (seeds > 1)
    (flat,) = [line.split() for line in lines if line.split()[:2] == ["flat", "test"]]
    assert flat[-1] == "12.3"
    assert ["flat", "12.3", "[0.0,", "23.4]", "12.3", "[0.0,", "23.4]"] in map(str.split, lines)
    assert any(line.split()[-5:] == ["120,000", "100", "%", "23.5", "M"] for line in lines) or any(
        "23.5 M" in line and "100 %" in line for line in lines
    )
