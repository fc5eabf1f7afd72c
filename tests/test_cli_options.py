"""Options: how groups become signatures and panels, and which options contradict each other."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Literal, get_args, get_type_hints

import pytest
import typer
from small_cli import synergy
from small_corpora import write_tone_project
from small_tables import PAPER

from synergy.cli.commands import app
from synergy.cli.conflicts import CONFLICTS, NEEDS
from synergy.cli.options import Bounds, Options
from synergy.cli.panels import spelled_out
from synergy.cli.setup import asked, configured, existing, table_of
from synergy.errors import ConfigError, WorkspaceError
from synergy.executors import EXECUTORS
from synergy.synthesis import SOLVERS
from synergy.synthesis.sweeps import SWEEPS

PAPER_TABLE = PAPER / "table3_pairwise_ar.csv"
ROOT_COMMAND = typer.main.get_command(app)


# -- groups -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Toy:
    """Some options.

    Search
    ------
    seed : N
        Where it begins,
        and no more.
    """

    seed: Annotated[int, Bounds(0, 9)] = 0
    mode: Literal["fast", "slow"] = "fast"
    other: bool = False


def test_options_become_single_ones_and_come_back():
    got = []

    def command(options: Toy, own: Annotated[str, typer.Option("--own")] = "x") -> None:
        """What it does."""
        got.append((options, own))

    flat = spelled_out(command, "seed mode")
    assert list(inspect.signature(flat).parameters) == ["seed", "mode", "own"]
    assert flat.__doc__ == "What it does."
    seed = inspect.signature(flat).parameters["seed"].annotation.__metadata__[0]
    assert (seed.default, seed.metavar, seed.min, seed.max) == ("--seed", "N", 0, 9)
    assert (seed.rich_help_panel, seed.help) == ("Search", "Where it begins, and no more.")
    flat(seed=3, mode="slow", own="y")
    assert got == [(Toy(3, "slow"), "y")]


def test_an_option_that_is_not_declared_is_an_error():
    def command(options: Toy) -> None: ...

    with pytest.raises(ValueError, match="sed"):
        spelled_out(command, "sed")


@pytest.mark.parametrize(
    ("option", "known"),
    [("solver", SOLVERS), ("sweep", [*SWEEPS, "adaptive"]), ("executor", EXECUTORS)],
)
def test_choices_are_those_of_the_registries(option, known):
    kind, *rest = get_args(get_type_hints(Options)[option])
    names = get_args(kind) if get_args(kind) else (kind, *rest)
    assert [name for name in names if isinstance(name, str)] == list(known)


def test_a_wrong_name_is_refused_in_our_words():
    ran = synergy("synthesize", "--solver", "exat")
    assert (ran.code, ran.err) == (
        2,
        "error: --solver: expected recursive or exact, found 'exat'; did you mean 'exact'?\n",
    )


# -- help -------------------------------------------------------------------------------------


def test_options_stand_under_headings():
    text = synergy("synthesize", "--help").out
    headings = [line for line in text.splitlines() if line.endswith(":") and line[0] != " "]
    assert headings == ["Data:", "Search:", "Training:", "Output:", "Other:"]
    panels = text.split("Data:\n")[1]
    data, rest = panels.split("Search:\n")
    search, rest = rest.split("Training:\n")
    training, rest = rest.split("Output:\n")
    for option, panel in {
        **dict.fromkeys(("--config FILE", "--table FILE", "--replace"), data),
        **dict.fromkeys(("--max-ar PCT", "--max-params N", "--frontier", "--no-train"), search),
        **dict.fromkeys(("--rounds N", "--seeds K", "--executor NAME"), training),
        "--json": rest,
    }.items():
        assert f"\n  {option} " in f"\n{panel}"
    assert "[default: recursive]" in " ".join(text.split())


def test_arguments_have_a_heading_of_their_own():
    assert "\nArguments:\n  MODEL" in synergy("predict", "--help").out


@pytest.mark.parametrize("words", [(), ("run",), ("data",), ("data", "check")])
def test_h_is_help_at_every_level(words):
    ran = synergy(*words, "-h")
    assert ran.code == 0
    assert ran == synergy(*words, "--help")
    assert "-h, --help" in ran.out


# -- completion -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "place", "found"),
    [
        ("synergy pair", 1, ["pairwise"]),
        ("synergy run --sol", 2, ["--solver"]),
        ("synergy run --solver ", 3, ["recursive", "exact"]),
        ("synergy pairwise --sweep s", 3, ["scan"]),
    ],
)
def test_the_shell_completes(words, place, found, monkeypatch):
    for name, value in (("COMP_WORDS", words), ("COMP_CWORD", place)):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("_SYNERGY_COMPLETE", "complete_bash")
    ran = synergy()
    assert (ran.code, ran.out.split(), ran.err) == (0, found, "")


def test_the_script_for_the_shell_is_shown(monkeypatch):
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: "bash")
    ran = synergy("--show-completion")
    assert ran.code == 0
    assert "_SYNERGY_COMPLETE=complete_bash" in ran.out
    assert "--install-completion" in synergy("--help").out


# -- conflicts --------------------------------------------------------------------------------

VALUES = {
    "--gpus-per-trial": "0.5",
    "--confidence": "0.9",
    "--budget": "30",
    "--max-ar": "2",
    "--max-params": "50000",
    "--max-macs": "50000000",
    "--solver": "exact",
    "--train-frontier": "1",
    "--ray-address": "auto",
    "--rounds": "2",
    "--final-epochs": "3",
    "--seed": "1",
    "--seeds": "2",
    "--table": "none.csv",
    "--workspace": "none",
    "--labels": "none",
}
ARGUMENTS = {"predict": ["none", "none.wav"]}
PAIRS = [(rule, *pair) for rule in CONFLICTS for pair in product(rule.ones, rule.others)]


def command_of(*options: str) -> str:
    """A command that has all of these options."""
    names = {option.split()[0] for option in options}
    for command in ("synthesize", "run", "search", "pairwise"):
        (found,) = [c for n, c in ROOT_COMMAND.commands.items() if n == command]  # type: ignore[attr-defined]
        if names <= {name for param in found.params for name in param.opts}:
            return command
    raise AssertionError(f"no command has {names}")


def words_of(option: str) -> list[str]:
    return [*option.split(), *([VALUES[option]] if option in VALUES else [])]


@pytest.mark.parametrize(("rule", "one", "other"), PAIRS, ids=lambda part: str(part)[:20])
def test_options_that_contradict_each_other_are_refused(rule, one, other, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = rule.command or command_of(one, other)
    for options in ((one, other), (other, one)):
        words = [word for option in options for word in words_of(option)]
        ran = synergy(command, *words, *ARGUMENTS.get(command, []))
        assert (ran.code, ran.out) == (2, "")
        expected = f"expected {rule.expected}, found {one} and {other}; leave one of them out"
        assert expected in ran.err.removeprefix("error: ").splitlines()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("command", "option", "needed"), NEEDS)
def test_an_option_that_means_nothing_alone_is_refused(command, option, needed):
    ran = synergy(command or "run", *words_of(option))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        f"error: {option}: expected {needed} beside it, found none; add it or leave {option} out\n"
    )


def test_every_broken_rule_is_told_at_once():
    ran = synergy("synthesize", "--no-train", "--rounds", 2, "--max-params", 9, "--max-ar", 1)
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 2


def test_defaults_are_no_choice(tmp_path):
    ran = synergy("synthesize", "--max-params", 9, "--workspace", tmp_path / "none")
    assert "found none; run `synergy pairwise" in ran.err


# -- what commands begin with -----------------------------------------------------------------


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of a few steps beside its corpus."""
    return write_tone_project(tmp_path_factory.mktemp("tones"))


def test_one_question_has_everything(config):
    search = {"max_ar": 7.0, "solver": "exact", "strict": True}
    training = {"distill": "yes", "width": 0.5, "rounds": 2, "final_epochs": 9}
    options = Options(config=config, **search, **training)  # pyright: ignore[reportArgumentType]
    question = asked(configured(options), options)
    assert (question.max_ar, question.solver, question.strict) == (7.0, "exact", True)
    assert (question.widths, question.ways) == ((0.5,), (True,))
    assert (question.rounds, question.final_epochs) == (2, 9)
    assert not question.has_budget
    assert asked(None, Options(max_params=9)).max_params == 9
    assert asked(None, Options()).max_ar == 2.0


def test_options_replace_settings(config):
    found = configured(Options(config=config, depths="4-6,8", max_ar=3.5, seed=5, seeds=2))
    assert (found.depths, found.max_ar) == ((4, 5, 6, 8), 3.5)
    assert found.all_seeds == (5, 6)
    with pytest.raises(ConfigError, match=r"--max-ar: .*found -1"):
        configured(Options(config=config, max_ar=-1.0))


def test_a_folder_is_looked_at_and_left_alone(tmp_path):
    assert existing(tmp_path / "none") is None
    assert existing(tmp_path) is None
    (tmp_path / ".hidden").touch()
    assert existing(tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == [".hidden"]
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(WorkspaceError, match=r"expected a workspace in .*, found holiday.jpg"):
        existing(tmp_path)


def test_a_table_is_of_a_file_or_of_the_workspace(tmp_path):
    found = table_of(Options(table=PAPER_TABLE, workspace=tmp_path))
    assert (found.file, found.kind) == (PAPER_TABLE, None)
    with pytest.raises(WorkspaceError, match="run `synergy pairwise --workspace"):
        table_of(Options(workspace=tmp_path))
    (tmp_path / "trials").mkdir()
    (tmp_path / "config.yaml").touch()
    (tmp_path / "ar_table.csv").write_bytes(PAPER_TABLE.read_bytes())
    assert table_of(Options(workspace=tmp_path, distill=True)).kind == "plain"


@pytest.mark.parametrize("settings", ["tones.yaml", "wrong.yaml"])
def test_plan_leaves_an_empty_folder_empty(config, settings, tmp_path, monkeypatch):
    monkeypatch.setattr("synergy.stages.plan.PROBE_S", 0.05, raising=False)
    config.with_name("wrong.yaml").write_text("tasks: 3")
    folder = tmp_path / "ws"
    folder.mkdir()
    ran = synergy("plan", "--config", config.with_name(settings), "--workspace", folder)
    assert ran.code == (0 if settings == "tones.yaml" else 2), ran.err
    assert list(folder.iterdir()) == []


def test_a_wrong_configuration_makes_no_workspace(config, tmp_path):
    config.with_name("wrong.yaml").write_text("tasks: 3")
    arguments = ("--config", config.with_name("wrong.yaml"), "--workspace", tmp_path / "ws")
    for command in ("run", "baseline", "pairwise", "plan"):
        ran = synergy(command, *arguments)
        assert ran.code == 2
        assert "wrong.yaml" in ran.err
    assert list(tmp_path.iterdir()) == []
