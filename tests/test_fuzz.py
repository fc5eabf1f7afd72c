"""Three thousand spoiled inputs, and that the judge of them finds what is planted."""

from __future__ import annotations

import math
import os
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from fuzz.__main__ import main
from fuzz.findings import Finding, Findings
from fuzz.fleet import Fleet, Work, made
from fuzz.judging import BrokenLawError, Ended, Given, Limits, judge
from fuzz.mutations import MARKER, spoiled, spoiled_value
from fuzz.target import Case
from fuzz.targets import TARGETS

from synergy.errors import SynergyError

SEED = 0
INPUTS = {
    "config": 500,
    "table": 500,
    "samples": 350,
    "tree": 1000,
    "manifest": 250,
    "audio": 250,
    "model": 80,
    "workspace": 30,
    "cache": 20,
    "command": 20,
}
PATIENT = Limits(cpu_s=30, clock_s=120)


@pytest.mark.parametrize("name", TARGETS)
def test_spoiled_inputs_are_answered_or_refused(name, tmp_path):
    found = Findings(tmp_path / "findings")
    (tmp_path / "sandbox").mkdir()
    with made(tmp_path / "sandbox", [name]) as targets:
        for number in range(INPUTS[name]):
            case, outcome = targets[name].run(SEED, number, PATIENT)
            if outcome.verdict == "finding":
                found.add(Finding(name, SEED, number, outcome.kind, outcome.details, case))
    assert not found.counts, found.told()


def test_every_class_has_its_part_of_three_thousand():
    assert [*INPUTS] == [*TARGETS]
    assert sum(INPUTS.values()) == 3000


@pytest.mark.parametrize("name", ["config", "table", "samples", "tree", "manifest", "audio"])
def test_an_input_is_made_again_by_its_number(name, tmp_path):
    with made(tmp_path, [name]) as targets:
        for number in range(50):
            one, other = (targets[name].case(Random(f"7/{name}/{number}")) for _ in range(2))
            assert one == other
        assert targets[name].case(Random(f"8/{name}/0")) != targets[name].case(
            Random(f"7/{name}/0")
        )


@pytest.mark.parametrize("name", ["config", "table", "samples", "tree", "manifest", "audio"])
def test_what_is_sound_is_accepted(name, tmp_path):
    """Some of the inputs, or nothing behind the readers would ever be tried."""
    with made(tmp_path, [name]) as targets:
        verdicts = [targets[name].run(SEED, number, PATIENT)[1].verdict for number in range(60)]
    assert {"accepted", "refused"} <= {*verdicts}


# -- the judge --------------------------------------------------------------------------------


class UnsafeError(SynergyError):
    """A refusal whose message nobody made safe."""

    def __init__(self, text: str) -> None:
        super().__init__("")
        self.text = text

    def __str__(self) -> str:
        return self.text


def raising(error: BaseException) -> Callable[[], object]:
    def attempt() -> None:
        raise error

    return attempt


def turn() -> None:
    while True:
        pass


def deaf() -> None:
    try:
        turn()
    except BaseException:
        turn()


def warn() -> None:
    warnings.warn("overflow", RuntimeWarning, stacklevel=1)


def drop() -> None:
    class Falling:
        def __del__(self) -> None:
            raise ZeroDivisionError

    Falling()


WORDS = "what somebody wrote into a file, in more words than a message needs to repeat"
SHORT = Limits(cpu_s=0.1, clock_s=0.3)


@pytest.mark.parametrize(
    ("attempt", "kind"),
    [
        (raising(KeyError("a")), "KeyError at test_fuzz.py"),
        (raising(RecursionError()), "RecursionError"),
        (raising(MemoryError()), "MemoryError"),
        (raising(SystemExit(2)), "SystemExit"),
        (raising(BrokenLawError("another tree")), "another tree"),
        (turn, "takes too long"),
        (deaf, "takes too long"),
        (lambda: time.sleep(60), "takes too long"),
        (lambda: bytearray(8 << 30), "MemoryError"),
        (raising(UnsafeError("a" + " b" * 300)), "a line that is too long"),
        (raising(UnsafeError(f"found {MARKER}")), "a long piece of the input"),
        (raising(UnsafeError(f"found {WORDS}")), "a long piece of the input"),
        (raising(UnsafeError("\x1b[31mred")), "a message with U+001B"),
        (raising(UnsafeError("a\rb")), "a message with U+000D"),
        (raising(UnsafeError("a\u202eb")), "a message with U+202E"),
        (raising(UnsafeError("a\ud800b")), "a message with U+D800"),
        (raising(UnsafeError(" ")), "an empty message"),
        (lambda: {"score": [0.5, math.nan]}, "not finite: answer.score"),
        (lambda: Ended(70, "", "error: this is a bug", ""), "exit code 70"),
        (lambda: Ended(2, "", ""), "exit code 2 without a word"),
        (lambda: Ended(2, "", "error: \x07"), "on stderr of a command: a message with U+0007"),
        (lambda: Ended(0, "\x1b[31m", ""), "on stdout of a command: U+001B"),
        (lambda: Ended(0, '{"a": NaN}', ""), "JSON of a command: NaN"),
        (lambda: Ended(0, '{"a": ', ""), "JSON of a command"),
        (warn, "on stderr: RuntimeWarning"),
        (drop, "on stderr: ignored ZeroDivisionError"),
    ],
)
def test_the_judge_finds(attempt, kind):
    outcome = judge(attempt, Given(f"<{WORDS}>"), SHORT)
    assert outcome.verdict == "finding", outcome
    assert kind in outcome.kind


def test_the_judge_finds_what_is_touched(tmp_path):
    def attempt() -> None:
        (tmp_path / "written").touch()

    outcome = judge(attempt, surroundings=lambda: sorted(tmp_path.iterdir()))
    assert outcome.kind == "touches what lies outside"


def test_the_judge_finds_much_memory(monkeypatch):
    peaks = iter([1 << 30, 4 << 30])
    monkeypatch.setattr("fuzz.judging._peak_memory", lambda: next(peaks))
    assert judge(lambda: None).kind == "memory"


@pytest.mark.parametrize(
    ("attempt", "verdict"),
    [
        (raising(SynergyError("expected a table, found nothing")), "refused"),
        (raising(UnsafeError(f"corpus/{'x' * 90}.wav: no such file")), "refused"),
        (lambda: Ended(2, "", "error: wrong"), "refused"),
        (lambda: Ended(1, "a tree\n", "error: nothing is shared"), "accepted"),
        (lambda: {"score": [0.5, None, "NaN"]}, "accepted"),
    ],
)
def test_the_judge_lets_pass(attempt, verdict):
    given = Given("x" * 100, paths=(f"corpus/{'x' * 90}.wav",))
    assert judge(attempt, given, SHORT).verdict == verdict


def test_alarms_are_as_they_were_after_a_judgement():
    numbers = (signal.SIGPROF, signal.SIGALRM)
    before = [signal.getsignal(number) for number in numbers]
    judge(turn, limits=SHORT)
    assert [signal.getsignal(number) for number in numbers] == before
    assert signal.getitimer(signal.ITIMER_REAL) == signal.getitimer(signal.ITIMER_PROF) == (0, 0)


# -- findings and workers ---------------------------------------------------------------------


def test_findings_of_one_cause_are_one_group(tmp_path):
    found = Findings(tmp_path)
    for number in range(5):
        case = Case({"table.csv": b"\xff", "gone": None}, ("\ud800",))
        found.add(Finding("table", 3, number, "KeyError at tree.py:1", "Traceback", case))
    assert found.told().split("\n")[0] == "     5 x table: KeyError at tree.py:1"
    again = "python -m tests.fuzz --class table --seed 3 --number 0"
    assert again in found.told()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "table-3-0",
        "table-3-1",
        "table-3-2",
    ]
    assert (tmp_path / "table-3-0" / "input" / "table.csv").read_bytes() == b"\xff"
    outcome = (tmp_path / "table-3-0" / "outcome.txt").read_text()
    assert again in outcome
    assert "Traceback" in outcome


def dying(pipe, *_settings) -> None:
    """A worker that is killed in the middle of its second input, again and again."""
    pipe.send(("ready", None))
    while pipe.recv() is not None:
        pipe.send(("trying", 0))
        pipe.send(("trying", 1))
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_dies_is_a_finding_and_is_replaced(tmp_path):
    found = Findings(tmp_path)
    work = {"tree": Work(end=40, per_second=20)}
    fleet = Fleet(SEED, work, found, workers=1, limits=Limits(), service=dying)
    fleet.run()
    assert dict(found.counts) == {("tree", "the process died with -9"): 2}
    assert (tmp_path / f"tree-{SEED}-1" / "input").is_dir()
    assert work["tree"].is_done


def test_the_command_prints_a_table(tmp_path, capfd):
    arguments = ["--class", "tree", "--inputs", "40", "--workers", "1", "--folder", str(tmp_path)]
    code = main(arguments)
    out = capfd.readouterr().out
    assert code == 0, out
    assert "40 inputs in" in out
    assert out.split()[:2] == ["class", "inputs"]
    assert main(["--class", "tree", "--number", "3", "--folder", str(tmp_path)]) == 0
    assert (tmp_path / "tree-0-3" / "outcome.txt").is_file()


@pytest.mark.parametrize("seed", range(3))
def test_spoiling_changes_most_inputs(seed):
    rng, data = Random(seed), Path(__file__).read_bytes()[:500]
    assert sum(spoiled(rng, data) != data for _ in range(50)) > 40
    value = {"a": [1, {"b": "text"}], "c": 0.5}
    assert sum(spoiled_value(rng, value) != value for _ in range(50)) > 40
    assert value == {"a": [1, {"b": "text"}], "c": 0.5}
