"""One entry of the AR table: a pair of tasks trained together with some shared blocks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from synergy import limits
from synergy.names import task_problem
from synergy.wording import LONGEST_LINE, cut, quoted, shown

Status = Literal["measured", "failed", "skipped"]

CellKey = tuple[str, str, int]
"""Two tasks, in task order, and a shared depth."""


@dataclass(frozen=True)
class Cell:
    """One pair of tasks trained together with a shared depth.

    Attributes
    ----------
    task_a, task_b : str
    shared_depth : int
        Number of shared blocks, 1 to 1000.
    ar_pct : float, or None
        AR on the validation split in percent, 0 to 1e6; None for a cell that was not measured.
    status : {"measured", "failed", "skipped"}
        Failed: the training stopped. Skipped: not trained, because nothing depended on it.
        Neither ever passes a threshold.
    reason : str
        Why it failed or was skipped, kept as one line of at most 500 characters.
    seeds : int
        Number of trainings behind the scores; may be 0 for a failed cell, and is 0 for a
        skipped one.
    single_a, single_b, multi_a, multi_b : float, or None
        Validation scores of the single-task models and of the pair.
    test_ar_pct : float, or None
        AR on the test split in percent; reported, never decided on.
    ar_low, ar_high : float, or None
        Interval of the AR in percent, both or neither. Resampling can shift it, so it need not
        hold ``ar_pct``.
    trials : tuple of str
        Digests of the trainings of the pair, where they are known; without spaces.
    """

    task_a: str
    task_b: str
    shared_depth: int
    ar_pct: float | None
    status: Status = "measured"
    reason: str = ""
    seeds: int = 1
    single_a: float | None = None
    single_b: float | None = None
    multi_a: float | None = None
    multi_b: float | None = None
    test_ar_pct: float | None = None
    ar_low: float | None = None
    ar_high: float | None = None
    trials: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # A reason may quote anything, also what no encoding can hold.
        text = self.reason.encode("utf-8", errors="backslashreplace").decode("utf-8")
        object.__setattr__(self, "reason", cut(" ".join(text.split()), LONGEST_LINE))

    @classmethod
    def skipped(cls, task_a: str, task_b: str, shared_depth: int, reason: str) -> Cell:
        """A cell that nothing depended on."""
        return cls(task_a, task_b, shared_depth, None, "skipped", reason, seeds=0)

    @property
    def key(self) -> CellKey:
        """What identifies the cell in a table."""
        return self.task_a, self.task_b, self.shared_depth

    @property
    def label(self) -> str:
        """The cell in words, such as ``gc-ac at depth 4``."""
        a, b = (task if len(task) <= limits.NAME else shown(task) for task in self.key[:2])
        return f"{a}-{b} at depth {self.shared_depth}"

    def passes(self, max_ar: float) -> bool:
        """True when the AR was measured and is at most ``max_ar`` percent."""
        return self.ar_pct is not None and self.ar_pct <= max_ar

    def flipped(self) -> Cell:
        """The same cell with the two tasks exchanged."""
        return replace(
            self,
            task_a=self.task_b,
            task_b=self.task_a,
            single_a=self.single_b,
            single_b=self.single_a,
            multi_a=self.multi_b,
            multi_b=self.multi_a,
        )

    def problems(self) -> list[str]:
        """What is impossible about the cell, one clause each; empty for a sound cell."""
        problems: list[str] = []
        if not (self.task_a and self.task_b):
            problems.append("expected two task names, found an empty one; fill it in")
        elif self.task_a == self.task_b:
            problems.append(
                f"expected two different tasks, found {shown(self.task_a)} twice; correct one"
            )
        problems += [
            f"task {quoted(task)}: {problem}; rename it"
            for task in (self.task_a, self.task_b)
            if task and (problem := task_problem(task))
        ]
        if self.shared_depth < 1:
            problems.append(
                f"expected a shared depth of at least 1, found {self.shared_depth}; leave it out: "
                "without shared blocks there is no reduction"
            )
        elif self.shared_depth > limits.BLOCKS:
            problems.append(
                f"expected a shared depth of at most {limits.BLOCKS}, found "
                f"{quoted(self.shared_depth)}; correct it"
            )
        if self.status not in get_args(Status):
            problems.append(
                f"expected the status measured, failed or skipped, found {quoted(self.status)}"
            )
        elif self.ar_pct is None and self.status == "measured":
            problems.append(
                "expected an AR in percent, found none; measure it, or give the cell the status "
                "failed or skipped in a table with a line for each cell"
            )
        elif self.ar_pct is not None and self.status != "measured":
            problems.append(
                f"expected no AR of a {self.status} cell, found {self.ar_pct}; remove it"
            )
        if self.status == "skipped" and self.seeds != 0:
            problems.append(f"expected 0 seeds of a skipped cell, found {self.seeds}; correct it")
        elif self.seeds < (self.status == "measured"):
            problems.append(f"expected at least one seed, found {self.seeds}; correct it")
        return problems + self._impossible_numbers()

    def _impossible_numbers(self) -> list[str]:
        problems: list[str] = []
        low, high = self.ar_low, self.ar_high
        if (low is None) != (high is None):
            problems.append("expected ar_low and ar_high or neither, found one; fill in the other")
        elif low is not None and high is not None:
            if self.ar_pct is None:
                problems.append("expected no interval of a cell without AR, found one; remove it")
            elif not 0 <= low <= high <= limits.AR:
                problems.append(
                    f"expected an interval 0 <= ar_low <= ar_high <= {limits.AR:,.0f} in percent, "
                    f"found {low} to {high}; correct it"
                )
        problems += [
            f"expected {name} of 0 to {limits.AR:,.0f} percent, found {value}; correct it"
            for name, value in (("an AR", self.ar_pct), ("a test AR", self.test_ar_pct))
            if value is not None and not 0 <= value <= limits.AR
        ]
        problems += [
            f"expected {name} between -{limits.SCORE:,.0f} and {limits.SCORE:,.0f}, or none, "
            f"found {value}; correct it"
            for name in ("single_a", "single_b", "multi_a", "multi_b")
            if (value := getattr(self, name)) is not None and not abs(value) <= limits.SCORE
        ]
        return problems
