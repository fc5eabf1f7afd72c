"""``--set``: settings of the configuration replaced on the command line."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from small_cli import synergy
from small_corpora import write_tone_project
from small_tables import PAPER

from synergy.cli.commands import app
from synergy.cli.options import Options
from synergy.cli.setup import configured
from synergy.config import RunConfig, load_config
from synergy.errors import ConfigError
from synergy.settings import parse_settings


def with_set(*texts: str) -> RunConfig:
    """The embedded demonstration with settings replaced."""
    return load_config(None).with_settings(parse_settings(texts))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("training.epochs=5", lambda c: c.training.epochs == 5),
        ("training.learning_rate=1e-3", lambda c: c.training.learning_rate == 0.001),
        ("training.weights=best", lambda c: c.training.weights == "best"),
        ("depths=[6, 4]", lambda c: c.depths == (4, 6)),
        ("corpora.demo_speech.clips.train=900", lambda c: c.corpora["demo_speech"].clips.train),
        ("tasks.gc.classes=[off, no]", lambda c: c.tasks["gc"].classes == ("off", "no")),
        (
            "tasks.gc.corpora.demo_speech.where.age='>= 18'",
            lambda c: c.tasks["gc"].corpora["demo_speech"].where == {"age": ">= 18"},
        ),
        (
            "tasks.more={kind: frame_activity, corpora: {demo_speech: {segments: speech}}}",
            lambda c: list(c.tasks)[-1] == "more",
        ),
    ],
)
def test_a_dotted_key_replaces_one_setting(text, found):
    plain, changed = load_config(None), with_set(text)
    assert found(changed)
    assert len(plain.differences(changed)) <= 3


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["training.epochs"], "--set: expected KEY=VALUE such as training.epochs=5, found"),
        (["=5"], "expected KEY=VALUE"),
        ([""], "expected KEY=VALUE"),
        (["training.epoch=5"], "training.epoch: unknown key; did you mean 'epochs'?"),
        (["trainin.epochs=5"], "trainin: unknown key; did you mean 'training'?"),
        (["Training=5"], "Training: unknown key; did you mean 'training'?"),
        (["tasks.gcc.kind=x"], "tasks.gcc: unknown key; did you mean 'gc'?"),
        (["training..epochs=5"], "training.: unknown key"),
        (["training.epochs.x=5"], "training.epochs.x: training.epochs has no keys below it"),
        (
            ["training.epochs=many"],
            "training.epochs: Input should be a valid integer, found",
        ),
        (["training.epochs=0"], "training.epochs: Input should be greater than or equal to 1"),
        (["training.epochs=010"], "found '010'"),
        (["training.epochs={"], "training.epochs: line 1:"),
        (["training.epochs=!!int 5"], "expected no tag"),
        (["training=5"], "training: Input should be a valid dictionary"),
        (["depths=[9]"], "depths: expected 1..8, found [9]"),
        (["tasks.gc.corpora.other={column: x}"], "expected one of demo_speech, found other"),
        (["seed=1", "seed=2"], "seed: expected a key once, found it twice"),
        (["seed=x", "seeds=0"], "--set: 2 problems"),
    ],
)
def test_what_is_no_setting_is_refused_in_a_sentence(texts, said):
    with pytest.raises(ConfigError) as caught:
        with_set(*texts)
    assert said in str(caught.value)
    assert str(caught.value).startswith("--set: ")


def test_a_setting_that_has_an_option_of_its_own_is_given_once():
    with pytest.raises(ConfigError, match="--set max_ar: expected a setting once, found --max-ar"):
        configured(Options(set=["max_ar=3"], max_ar=2.0))


def test_a_folder_is_taken_from_where_the_command_runs(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    changed = with_set("corpora.mine={format: manifest, folder: recordings}")
    assert changed.corpora["mine"].folder == str(tmp_path / "recordings")  # pyright: ignore[reportAttributeAccessIssue]


def test_a_module_that_a_value_names_may_be_imported(tmp_path: Path, monkeypatch):
    (tmp_path / "named_by_set.py").write_text("raise RuntimeError('it was imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="it was imported"):
        with_set("tasks.gc.kind=named_by_set:Kind")


def test_every_command_that_takes_a_configuration_to_work_with_offers_it():
    offers = {
        c.name: str(inspect.signature(c.callback)) for c in app.registered_commands if c.callback
    }
    with_config = {name for name, signature in offers.items() if "config:" in signature}
    # the report only imports what its configuration names
    assert {name for name, signature in offers.items() if "set:" in signature} == with_config - {
        "report"
    }


def test_settings_are_kept_and_another_experiment_is_refused(tmp_path: Path):
    config, workspace = write_tone_project(tmp_path), tmp_path / "ws"
    base = ("--workspace", workspace, "--executor", "serial")
    first = ("--set", "training.epochs=1", "--set", "depths=[8]", "--tasks", "gc,scr")
    ran = synergy("pairwise", "--config", config, *base, *first)
    assert ran.code == 0, ran.err
    kept = load_config(workspace / "config.yaml")
    assert (kept.training.epochs, kept.depths) == (1, (8,))
    again = synergy("pairwise", *base, "--tasks", "gc,scr")
    assert again.code == 0, again.err
    assert "nothing to train" in again.err
    other = synergy("pairwise", *base, "--set", "training.epochs=2")
    assert other.code == 2
    assert "training.epochs was 1 and is now 2" in other.err


def test_a_table_alone_has_no_settings():
    table = PAPER / "table3_pairwise_ar.csv"
    ran = synergy("search", "--table", table, "--set", "max_ar=3")
    assert ran.code == 2
    assert "--set: expected --config beside --table, found none" in ran.err
