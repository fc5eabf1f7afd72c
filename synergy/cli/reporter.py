"""Live progress on stderr: a bar on a terminal, plain lines where stderr is something else."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from synergy.cli.layout import length, width_of, wrapped
from synergy.cli.output import say
from synergy.cli.signals import raise_if_interrupted
from synergy.running.progress import Progress
from synergy.wording import counted, cut, duration, printable

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from synergy.trials.record import TrialResult

QUIET_S = 30.0
"""Plain lines of what is going on are at least this far apart."""

FIRST_S = 2.0
"""What is prepared sooner needs no line."""


_BAR, _SHORT_BAR, _ROOMY = 20, 10, 80
_ENDLESS = 400
_LEFT = len("9 h 05 min left")


@dataclass
class _Set:
    """A set of trials in progress; ``running`` has the last message of each."""

    title: str
    total: int
    done: int
    started: float
    ended: int = 0
    failed: int = 0
    workers: int = 0
    last_speed: float = 0.0
    running: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def worked(self) -> float:
        """Trials that were trained so far, with the parts of those that run."""
        return self.ended + sum(last["step"] / last["steps"] for last in self.running.values())

    def state(self, now: float) -> list[str]:
        """Time left at the pace so far, failures, speed, workers; what is known of them."""
        remaining = self.total - self.done - self.worked
        left = (now - self.started) / self.worked * remaining if self.worked else 0.0
        speed = sum(last["clips_per_s"] for last in self.running.values()) or self.last_speed
        return [
            *([f"{duration(left)} left"] if left else []),
            *([f"{self.failed} failed"] if self.failed else []),
            *([f"{speed:,.0f} clips/s"] if speed else []),
            *([counted(self.workers, "worker")] if self.workers > 1 else []),
        ]


class Reporter(Progress):
    """Draws live progress; a context manager.

    Parameters
    ----------
    live : bool, optional
        Draw bars; by default when stderr is a terminal that can.
    clock : callable
        Seconds of a monotonic clock.
    """

    def __init__(
        self, live: bool | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        draws = sys.stderr.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb")
        self.live = draws if live is None else live
        self._asked: dict[str, int] = {}  # a stage may ask again for what it needs
        self._missing = 0
        self._clock = clock
        self._bar: Bar | None = None
        self._what = ""
        self._next_s = self._began_s = 0.0
        self._set = _Set("", 0, 0, clock())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    # -- what stages call -----------------------------------------------------------------

    def note(self, text: str) -> None:
        """Something that a person should know."""
        self._line(f"note: {text}")

    def preparing(self, what: str, done: int, total: int) -> None:
        """Data is being prepared."""
        raise_if_interrupted()
        if what != self._what:
            self.end()
            self._began_s = self._clock()
            self._what, self._next_s = what, self._began_s + FIRST_S
            self._draw(what, total)
        spent = self._clock() - self._began_s
        left: list[str] = []
        if spent >= FIRST_S and 0 < done < total:
            left = [f"{duration(spent / done * (total - done))} left"]
        self._went_on(done, left, ", ".join([f"{what}: {done}/{total}", *left]))
        if done == total:
            self.end()

    def begin(self, title: str, total: int, done: int) -> None:
        """A set of ``total`` trials begins, of which ``done`` were found done."""
        self.end()
        self._asked[title] = max(total, self._asked.get(title, 0))
        self._missing += total - done
        self._set = _Set(title, total, done, self._clock())
        self._next_s = self._clock() + QUIET_S
        if total > done:
            before = f", {done} of them done before" if done else ""
            self._line(f"{title}: {counted(total, 'training')}{before}")
            self._draw(title, total, done)

    def working(self, workers: int) -> None:
        """So many workers live at the moment."""
        self._set.workers = workers

    def training(self, label: str, message: Mapping[str, Any]) -> None:
        """A validation of a running trial."""
        raise_if_interrupted()
        self._set.running[label] = message
        ends = "_score"
        self._show(label, {k.removesuffix(ends): v for k, v in message.items() if k.endswith(ends)})

    def finished(self, label: str, result: TrialResult | None, error: str | None) -> None:
        """A trial ended, with a result or an error."""
        raise_if_interrupted()
        current = self._set
        last = current.running.pop(label, {})
        speed = last.get("clips_per_s") or (result and result.clips_per_s)
        current.last_speed = speed or current.last_speed
        current.ended += 1
        if error is not None:
            current.failed += 1
            self._line(f"{current.title}: {label} failed: {error}")
        self._next_s = 0.0  # told at once
        self._show(label, result.scores["valid"] if result else {})

    def end(self) -> None:
        """What was going on is over."""
        if self._bar is not None:
            self._bar.stop()
        self._bar, self._what = None, ""

    # -- what commands ask ----------------------------------------------------------------

    def nothing_trained(self) -> str:
        """A sentence when every trial had been done before, else nothing."""
        if not self._asked or self._missing:
            return ""
        total = sum(self._asked.values())
        trials = "the 1 trial was" if total == 1 else f"all {total} trials were"
        return f"nothing to train: {trials} done"

    # -- drawing --------------------------------------------------------------------------

    def _line(self, text: str) -> None:
        if self._bar is not None:
            text = wrapped(printable(text), width_of(sys.stderr))
            self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)
        else:
            say(text)

    def _draw(self, what: str, total: int, done: int = 0) -> None:
        if not self.live:
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bar

        width = width_of(sys.stderr) or _ENDLESS
        bar = _BAR if width >= _ROOMY else _SHORT_BAR
        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=bar),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            console=Console(stderr=True, width=width_of(sys.stderr)),
            transient=True,
        )
        self._bar.start()
        beside = bar + 2 * len(str(total)) + len("/   ") + _LEFT
        told = cut(printable(what), max(_LEFT, width - beside))
        self._bar.add_task(told, total=total, completed=done, state="")

    def _show(self, label: str, scores: Mapping[str, float]) -> None:
        current = self._set
        shown = ", ".join(f"{task} {100 * value:.1f}" for task, value in scores.items())
        state, last = current.state(self._clock()), [f"{label}: {shown}"] if shown else []
        done = f"{current.title}: {current.done + current.ended}/{current.total} done"
        line = "; ".join([", ".join([done, *state]), *last])
        self._went_on(current.done + current.worked, [*state, *last, label], line)

    def _went_on(self, completed: float, state: Sequence[str], line: str) -> None:
        """Move the bar; without one write the line, unless the last one is too near.

        Beside the bar stands as much of the state as has room, part by part.
        """
        now = self._clock()
        if self._bar is not None:
            (task,) = self._bar.tasks
            width = width_of(sys.stderr) or _ENDLESS
            bar = _BAR if width >= _ROOMY else _SHORT_BAR
            room = width - length(task.description) - bar - 2 * len(f"{task.total:.0f}") - 4
            told = ""
            for part in map(printable, state):
                longer = f"{told}, {part}" if told else part
                # a label stands alone only where there is no room for its scores
                if length(longer) <= room and part not in told:
                    told = longer
            self._bar.update(task.id, completed=completed, state=told)
        elif now >= self._next_s:
            self._next_s = now + QUIET_S
            say(line)
