"""Which options contradict each other: all rules in one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from synergy.errors import ConfigError


class Conflict(NamedTuple):
    """Options that must not stand beside others; with its value, only that value is meant.

    ``expected`` is what a message says: "expected a threshold or a budget, found ...". Without a
    ``command`` the rule holds for all of them.
    """

    ones: tuple[str, ...]
    others: tuple[str, ...]
    expected: str
    command: str = ""


_BUDGETS = ("--max-params", "--max-macs")

CONFLICTS = (
    Conflict(("--max-ar",), _BUDGETS, "a threshold or a budget"),
    Conflict(("--solver", "--strict"), _BUDGETS, "a way to keep a threshold, or a budget"),
    Conflict(
        ("--confidence",),
        (*_BUDGETS, "--frontier", "--train-frontier"),
        "the tree of one threshold, or of a budget or all thresholds",
    ),
    Conflict(
        ("--confidence", "--sweep adaptive"),
        ("--solver", "--strict"),
        "the tree that is probable enough, or a solver's of the table itself",
    ),
    Conflict(
        ("--frontier", "--train-frontier"),
        ("--max-ar", *_BUDGETS),
        "the trees of all thresholds, or one threshold or budget",
    ),
    Conflict(("--quick",), ("--final-epochs",), "a first look, or a longer training"),
    Conflict(("--train-frontier",), ("--no-train", "--frontier"), "to train trees, or none"),
    Conflict(
        ("--train-frontier",),
        ("--rounds", "--width auto", "--distill auto"),
        "trees as they are numbered, or rounds that look for others",
    ),
    Conflict(
        ("--no-train", "--frontier"),
        ("--rounds", "--final-epochs", "--seed", "--seeds", "--replace", "--quick"),
        "a search that trains nothing, or settings of a training",
    ),
    Conflict(
        ("--strict",), ("--sweep scan",), "a tree that needs every cell, or a sweep that skips some"
    ),
    Conflict(("--json",), ("--csv", "--labels"), "one form of output", "predict"),
    Conflict(("--csv",), ("--labels",), "one form of output", "predict"),
    Conflict(
        ("--table",),
        ("--workspace", "--distill"),
        "a table from a file, or one of a workspace",
        "search",
    ),
)

# Command or empty for all, option, and the one without which it means nothing.
NEEDS = (
    ("", "--budget", "--sweep adaptive"),
    ("pairwise", "--confidence", "--sweep adaptive"),
    ("", "--ray-address", "--executor ray"),
    ("", "--gpus-per-trial", "--executor ray"),
)


def refuse_conflicts(command: str, given: Mapping[str, Any]) -> None:
    """Raise ConfigError with a line for each rule that the given options of a command break.

    Defaults are no part of ``given``, which has values by option such as ``--seed``.
    """
    told = {*given, *(f"{option} {value}" for option, value in given.items())}
    problems: list[str] = []
    for ones, others, expected, only in CONFLICTS:
        found = [[option for option in options if option in told] for options in (ones, others)]
        if all(found) and only in ("", command):
            names = " and ".join(found[0] + found[1])
            problems.append(f"expected {expected}, found {names}; leave one of them out")
    problems += [
        f"{option}: expected {needed} beside it, found none; add it or leave {option} out"
        for only, option, needed in NEEDS
        if only in ("", command) and option in told and needed not in told
    ]
    if problems:
        raise ConfigError("\n".join(problems))
