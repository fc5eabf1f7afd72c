"""What stages tell while they work; the command line draws it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synergy.trials.record import TrialResult


class Progress:
    """Receiver of live progress: this one ignores it, others override what they show.

    Every method may be called from one thread only.
    """

    def note(self, text: str) -> None:
        """Something that a person should know, one sentence."""

    def preparing(self, what: str, done: int, total: int) -> None:
        """Data is being prepared."""

    def begin(self, title: str, total: int, done: int) -> None:
        """A set of ``total`` trials begins, of which ``done`` were found done."""

    def working(self, workers: int) -> None:
        """So many workers live at the moment."""

    def training(self, label: str, message: Mapping[str, Any]) -> None:
        """A validation of a running trial: step, steps, clips_per_s, ``<task>_score``."""

    def finished(self, label: str, result: TrialResult | None, error: str | None) -> None:
        """A trial ended, with a result or an error."""

    def end(self) -> None:
        """What was going on is over."""
