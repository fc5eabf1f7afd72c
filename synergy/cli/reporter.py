"""Live progress on stderr: a bar on a terminal, plain lines where stderr is something else."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from synergy.cli.ending import raise_if_interrupted
from synergy.cli.output import say
from synergy.running.progress import Progress
from synergy.wording import duration

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from synergy.trials.record import TrialResult

QUIET_S = 30.0
"""Plain lines of what is going on are at least this far apart."""

FIRST_S = 2.0
"""What is prepared sooner needs no line."""


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
        self.live = _can_draw() if live is None else live
        self._asked: dict[str, int] = {}  # a stage may ask again for what it needs
        self._missing = 0
        self._clock = clock
        self._bar: Bar | None = None
        self._what = ""
        self._next_s = 0.0
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
            self._what, self._next_s = what, self._clock() + FIRST_S
            if self.live:
                self._draw(what, total)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, total=total)
        elif self._clock() >= self._next_s:
            self._next_s = self._clock() + QUIET_S
            say(f"{what}: {done}/{total}")
        if done == total:
            self.end()

    def begin(self, title: str, total: int, done: int) -> None:
        """A set of ``total`` trials begins, of which ``done`` were found done."""
        self.end()
        self._asked[title] = max(total, self._asked.get(title, 0))
        self._missing += total - done
        self._set = _Set(title, total, done, self._clock())
        self._next_s = self._clock() + QUIET_S
        if total == done:
            return
        before = f", {done} of them done before" if done else ""
        self._line(f"{title}: {total} {'training' if total == 1 else 'trainings'}{before}")
        if self.live:
            self._draw(title, total, done)

    def training(self, label: str, message: Mapping[str, Any]) -> None:
        """A validation of a running trial."""
        raise_if_interrupted()
        self._set.running[label] = message["step"] / message["steps"]
        self._set.speeds[label] = message["clips_per_s"]
        ends = "_score"
        scores = {k.removesuffix(ends): v for k, v in message.items() if k.endswith(ends)}
        self._show(label, scores, ended=False)

    def finished(self, label: str, result: TrialResult | None, error: str | None) -> None:
        """A trial ended, with a result or an error."""
        raise_if_interrupted()
        current = self._set
        current.running.pop(label, None)
        speed = current.speeds.pop(label, None) or (result and result.clips_per_s)
        current.last_speed = speed or current.last_speed
        current.ended += 1
        if error is not None:
            current.failed += 1
            self._line(f"{current.title}: {label} failed: {error}")
        self._show(label, result.scores["valid"] if result else {}, ended=True)

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
            self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)
        else:
            say(text)

    def _draw(self, what: str, total: int, done: int = 0) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.start()
        self._bar.add_task(what, total=total, completed=done, state="")

    def _show(self, label: str, scores: Mapping[str, float], ended: bool) -> None:
        current = self._set
        shown = ", ".join(f"{task} {100 * value:.1f}" for task, value in scores.items())
        speed = sum(current.speeds.values()) or current.last_speed
        state = [
            *([f"{current.failed} failed"] if current.failed else []),
            *([f"{duration(left)} left"] if (left := current.left_s(self._clock())) else []),
            *([f"{speed:,.0f} clips/s"] if speed else []),
        ]
        last = [f"{label}: {shown}"] if shown else []
        completed = current.done + current.ended
        now = self._clock()
        if self._bar is not None:
            completed += sum(current.running.values())
            text = ", ".join([*state, *last])
            self._bar.update(self._bar.task_ids[0], completed=completed, state=text)
        elif ended or now >= self._next_s:
            self._next_s = now + QUIET_S
            head = ", ".join([f"{current.title}: {completed}/{current.total} done", *state])
            say("; ".join([head, *last]))


@dataclass
class _Set:
    """A set of trials in progress; running ones with the share that is done."""

    title: str
    total: int
    done: int
    started: float
    ended: int = 0
    failed: int = 0
    last_speed: float = 0.0
    running: dict[str, float] = field(default_factory=dict)
    speeds: dict[str, float] = field(default_factory=dict)

    def left_s(self, now: float) -> float:
        """Seconds until all are done, at the pace so far; 0 when unknown or over."""
        worked = self.ended + sum(self.running.values())
        remaining = self.total - self.done - worked
        return (now - self.started) / worked * remaining if worked > 0 else 0.0


def _can_draw() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb")
