"""What a tree is wanted for: the terms under which the search answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from synergy import limits
from synergy.errors import ConfigError
from synergy.wording import quoted, shown

Solver = Literal["recursive", "exact"]
SOLVERS: tuple[Solver, ...] = ("recursive", "exact")

TableKind = Literal["plain", "distilled"]
"""Which of a workspace's AR tables: of pairs without teachers, or with."""

Caps = Mapping[frozenset[str], int]
"""Most blocks that a pair may share whatever the table says; pairs that are not named: any."""


@dataclass(frozen=True)
class Question:
    """What stage 3 is asked for: under which terms a tree is searched and how it is trained.

    Parameters
    ----------
    max_ar : float
        Largest AR that a pair may have, in percent, 0 to 1e6. With a budget it is not looked at.
    max_params, max_macs : int, optional
        Budgets of the whole network, decoders included, 0 to 1e15: trainable parameters, and
        multiply-accumulates for one second of audio. They replace threshold, solver, strict and
        caps: wanted is the strict tree of lowest AR within them.
    solver : {"recursive", "exact"}
        The paper's recursion, or the smallest tree (up to 14 tasks).
    strict : bool
        Pairs share only depths that passed themselves, or nothing. Otherwise a pair may share
        any depth up to the largest that passed, also one at which it did not.
    caps : mapping of two tasks to int
        Most blocks that a pair may share, whatever the table says; 0 or more.
    width : float
        By which the channels of the tree's encoder are multiplied, above 0; the single-task
        models and the pairs of the table keep theirs.
    distilled : bool
        Train the tree with the single-task models as teachers, beside the plain training.
    repair : int
        Rounds of lowering a cap and searching again while the trained tree misses the threshold,
        0 or more.
    confidence : float, optional
        Wanted is the smallest tree that keeps the threshold with this probability, above 0.5 and
        below 1, by the samples of the table; solver and strict do not count then.
    final_epochs : int, optional
        Train the tree once more for this many epochs, 1 or more, shown as a row of its own.

    Raises
    ------
    ConfigError
        If the threshold, a budget, the solver, the confidence or a cap cannot be used.
    """

    max_ar: float = 2.0
    max_params: int | None = None
    max_macs: int | None = None
    solver: Solver = "recursive"
    strict: bool = False
    caps: Caps = field(default_factory=dict)
    width: float = 1.0
    distilled: bool = False
    repair: int = 0
    final_epochs: int | None = None
    confidence: float | None = None

    def __post_init__(self) -> None:
        if self.solver not in SOLVERS:
            raise ConfigError(
                f"expected the solver {' or '.join(SOLVERS)}, found {quoted(self.solver)}"
            )
        if not 0 <= self.max_ar <= limits.AR:
            raise ConfigError(
                f"expected a largest AR of 0 to {limits.AR:,.0f} percent, found "
                f"{quoted(self.max_ar)}; correct the threshold"
            )
        for name, most in (("parameters", self.max_params), ("MACs", self.max_macs)):
            if most is not None and not 0 <= most <= limits.COUNT:
                raise ConfigError(
                    f"{name}: expected a budget of 0 to {limits.COUNT:,}, found {quoted(most)}"
                )
        if self.confidence is not None and not 0.5 < self.confidence < 1:
            raise ConfigError(
                "expected a confidence above 0.5 and below 1, found "
                f"{quoted(self.confidence)}; 0.9 is usual"
            )
        caps = {frozenset(pair): cap for pair, cap in self.caps.items()}
        for pair, cap in caps.items():
            if cap < 0:
                which = "-".join(map(shown, sorted(pair)))
                raise ConfigError(
                    f"pair {which}: expected a cap of at least 0 blocks, found {quoted(cap)}"
                )
        object.__setattr__(self, "caps", caps)

    @property
    def table_kind(self) -> TableKind:
        """The table that it is about."""
        return "distilled" if self.distilled else "plain"

    @property
    def has_budget(self) -> bool:
        """Whether budgets replace the threshold."""
        return self.max_params is not None or self.max_macs is not None
