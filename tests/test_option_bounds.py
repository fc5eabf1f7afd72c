"""Numbers and names among the options: the same bounds as in a configuration, few words."""

from __future__ import annotations

import typing
from typing import Annotated, get_args, get_origin

import pytest
from small_cli import synergy

from synergy import limits
from synergy.cli.options import Bounds, Options, parse_numbers
from synergy.config import RunConfig
from synergy.errors import ConfigError
from synergy.wording import LONGEST_QUOTE

WIDTH = "--width: expected a number of 0.001 to 1,000.0 or auto, found"
DEPTHS = "expected depths such as 4-8 or 4,6,8, found"


@pytest.mark.parametrize(
    ("command", "option", "value", "sentence"),
    [
        ("plan", "--seed", "1_0", "--seed: expected a whole number, found '1_0'"),
        ("plan", "--seed", "\uff11", "--seed: expected a whole number, found '\uff11'"),
        ("plan", "--seed", "1.0", "--seed: expected a whole number, found '1.0'"),
        ("plan", "--seed", "0x1", "--seed: expected a whole number, found '0x1'"),
        ("plan", "--seed", "true", "--seed: expected a whole number, found 'true'"),
        ("plan", "--seed", "9" * 5000, "--seed: expected a whole number, found '999"),
        ("plan", "--seed", "2147483648", "--seed: Input should be less than or equal to 2147483"),
        ("plan", "--seeds", "101", "--seeds: Input should be less than or equal to 100"),
        ("plan", "--seeds", "x" * 5000, "--seeds: expected a whole number, found 'xxx"),
        ("plan", "--workers", "0", "--workers: expected a whole number of 1 to 10,000, found '0'"),
        ("plan", "--workers", "10001", "--workers: expected a whole number of 1 to 10,000, found"),
        ("run", "--rounds", "-1", "--rounds: expected a whole number of 0 to 1,000, found '-1'"),
        ("run", "--final-epochs", "1" + "0" * 21, "--final-epochs: expected a whole number of 1"),
        ("run", "--final-epochs", "1001", "--final-epochs: expected a whole number of 1 to 1,000"),
        ("pairwise", "--budget", "0", "--budget: expected a whole number of 1 to 100,000"),
        ("search", "--max-params", "0", "--max-params: expected a whole number of at least 1"),
        ("search", "--max-params", "9" * 30, "--max-params: expected a whole number of at least"),
        ("plan", "--width", "1e-320", WIDTH),
        ("plan", "--width", "nan", WIDTH),
        ("plan", "--width", "inf", WIDTH),
        ("plan", "--width", "1_0", WIDTH),
        ("plan", "--max-ar", "1_0", "--max-ar: expected a number, found '1_0'"),
        ("plan", "--max-ar", "1e3", "--max-ar: Input should be less than or equal to 100"),
        ("plan", "--depths", "1_0", DEPTHS),
        ("plan", "--depths", "\uff14-8", DEPTHS),
        ("plan", "--depths", ",".join(["1-9999"] * 50), DEPTHS),
        ("plan", "--tasks", "x" * 5000, "expected tasks among gc, ac, scr, vad, found xxx"),
        ("plan", "--tasks", ",".join(["gc"] * 5000), "task gc is named twice"),
        ("plan", "--tasks", ",".join(map(str, range(5000))), "tasks: 5000 problems"),
        ("plan", "--tasks", f"{'x' * 5000},", "--tasks: expected names such as gc,ac, found 'xxx"),
        ("run", "--solver", "x" * 5000, "--solver: expected recursive or exact, found 'xxx"),
    ],
    ids=lambda part: str(part)[:30],
)
def test_a_wrong_value_is_refused_before_anything_is_made(
    tmp_path, monkeypatch, command, option, value, sentence
):
    monkeypatch.chdir(tmp_path)
    ran = synergy(command, option, value)
    assert (ran.code, ran.out) == (2, "")
    assert sentence in ran.err
    assert "x" * (LONGEST_QUOTE + 1) not in ran.err
    assert "9" * (LONGEST_QUOTE + 1) not in ran.err
    assert list(tmp_path.iterdir()) == []


def test_every_number_has_bounds_or_a_setting_that_has_them():
    for name, hint in typing.get_type_hints(Options, include_extras=True).items():
        kind = get_args(hint)[0] if get_origin(hint) is Annotated else hint
        if {int, float} & {kind, *get_args(kind)}:
            (bounds,) = [each for each in get_args(hint) if isinstance(each, Bounds)]
            known = name in RunConfig.model_fields or name == "threshold"
            assert known != (bounds.least is not None), name


def test_numbers_of_depths_stay_few():
    assert parse_numbers("--depths", "4-6, 8") == [4, 5, 6, 8]
    assert parse_numbers("--depths", None) is None
    assert len(parse_numbers("--depths", "0-9999") or ()) == 10_000
    with pytest.raises(ConfigError, match="--depths"):
        parse_numbers("--depths", "0-9999,1")


def test_options_and_settings_have_the_same_limits():
    hints = typing.get_type_hints(Options, include_extras=True)
    assert get_args(hints["final_epochs"])[1] == Bounds(1, limits.EPOCHS)
    assert get_args(hints["width"])[1] == Bounds(limits.LEAST_WIDTH, limits.MOST_WIDTH)
