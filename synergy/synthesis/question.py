"""What a tree is wanted for: the terms under which the search answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from synergy import limits
from synergy.errors import ConfigError
from synergy.wording import quoted

Solver = Literal["recursive", "exact"]
SOLVERS: tuple[Solver, ...] = ("recursive", "exact")

TableKind = Literal["plain", "distilled"]
"""Which of a workspace's AR tables: of pairs without teachers, or with."""

Distill = Literal["no", "yes", "auto"]
"""Whether single-task models teach the tree; auto: whichever is worth more."""

WIDTHS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
"""Widths that are looked at where the width is auto."""


@dataclass(frozen=True)
class Question:
    """What stage 3 is asked for: under which terms a tree is searched and how it is trained.

    Parameters
    ----------
    max_ar : float
        Largest AR that a pair may have, in percent, 0 to 1e6. With a budget it is not looked at.
    max_params, max_macs : int, optional
        Budgets of the whole network, decoders included, 0 to 1e15: trainable parameters, and
        multiply-accumulates for one second of audio. They replace threshold, solver and
        strict: wanted is the strict tree of lowest AR within them.
    solver : {"recursive", "exact"}
        The paper's recursion, or the smallest tree (up to 14 tasks).
    strict : bool
        Pairs share only depths that passed themselves, or nothing. Otherwise a pair may share
        any depth up to the largest that passed, also one at which it did not.
    width : float or "auto"
        By which the channels of the tree's encoder are multiplied, above 0; the single-task
        models and the pairs of the table keep theirs. Auto: any of `WIDTHS`.
    distill : {"no", "yes", "auto"}
        Train the tree with the single-task models as teachers, beside the plain training.
    rounds : int
        Most trees that are trained after the first one, each the one that is worth the most by
        what was measured before; 0 or more.
    confidence : float, optional
        Wanted is the smallest tree that keeps the threshold with this probability, above 0.5 and
        below 1, by the samples of the table; solver and strict do not count then.
    final_epochs : int, optional
        Train the tree once more for this many epochs, 1 or more, shown as a row of its own.

    Raises
    ------
    ConfigError
        If the threshold, a budget, the solver or the confidence cannot be used.
    """

    max_ar: float = 2.0
    max_params: int | None = None
    max_macs: int | None = None
    solver: Solver = "recursive"
    strict: bool = False
    width: float | Literal["auto"] = 1.0
    distill: Distill = "no"
    rounds: int = 0
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

    @property
    def table_kind(self) -> TableKind:
        """The table that it is about."""
        return "distilled" if self.distill == "yes" else "plain"

    @property
    def widths(self) -> tuple[float, ...]:
        """The widths that the tree may have, the first one first."""
        return WIDTHS if self.width == "auto" else (self.width,)

    @property
    def ways(self) -> tuple[bool, ...]:
        """Whether the tree may be trained plain (False) and distilled (True)."""
        return {"no": (False,), "yes": (True,), "auto": (False, True)}[self.distill]

    @property
    def has_budget(self) -> bool:
        """Whether budgets replace the threshold."""
        return self.max_params is not None or self.max_macs is not None
