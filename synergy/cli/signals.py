"""SIGINT and SIGTERM: the first ends the command, the second changes nothing, the third kills.

The first raises an exception, once, wherever the program is, but for imports: what is half
imported fails later in ways of its own, and extension modules swallow the exception or abort. There
it is raised as soon as the import is over. The second raises nothing: nothing disturbs the way out.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections import namedtuple
from collections.abc import Callable
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM)
_BEFORE_IT_KILLS = 2
# What could not be raised is tried again so soon.
_AGAIN_S = 0.02

_came: list[int] = []


class Terminated(KeyboardInterrupt):
    """SIGTERM; it takes the way of Ctrl-C, which ends the workers."""


def raise_if_interrupted() -> None:
    """Raise for the first signal that came, also when that was raised before.

    Somebody may have swallowed it; so whoever goes on for long asks here now and then.
    """
    if _came:
        raise Terminated if _came[0] == signal.SIGTERM else KeyboardInterrupt


class Signals:
    """Takes the signals over; does nothing in another thread than the main one.

    Parameters
    ----------
    outermost : FrameType
        Of the program: only imports further inside hold a signal back.
    """

    def __init__(self, outermost: FrameType) -> None:
        self._outermost = outermost
        self._armed = self._raised = False
        self._before: dict[int, Callable | int | None] = {}
        self._hook = sys.unraisablehook

    def begin(self) -> None:
        """From now on the first signal raises `KeyboardInterrupt`, or `Terminated`."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._armed = True
        sys.unraisablehook = self._unraisable
        handlers = {signal.SIGALRM: self._try, **dict.fromkeys(_ENDING, self._take)}
        for number, handler in handlers.items():
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:  # nohup and job control mean it
                self._before[number] = before
                signal.signal(number, handler)

    def end(self) -> None:
        """From now on no signal raises anything."""
        self._armed = False

    def leave(self, for_good: bool) -> None:
        """Put everything back; ``for_good``, ignore the signals while the interpreter ends."""
        if not self._before:
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = self._hook
        for number, before in self._before.items():
            found = signal.SIG_DFL if before is None else before
            signal.signal(number, signal.SIG_IGN if for_good else found)
        if for_good:
            _forget_interrupt()
        _came.clear()

    def _take(self, number: int, frame: FrameType | None) -> None:
        _came.append(number)
        if len(_came) == _BEFORE_IT_KILLS:
            for each in set(_ENDING) & set(self._before):
                signal.signal(each, signal.SIG_DFL)
        self._try(number, frame)

    def _try(self, _number: int, frame: FrameType | None) -> None:
        if not self._armed or self._raised:
            return
        if self._imports(frame):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
            return
        self._raised = True
        raise_if_interrupted()

    def _imports(self, frame: FrameType | None) -> bool:
        while frame is not None and frame is not self._outermost:
            if frame.f_code.co_filename.startswith("<frozen importlib"):
                return True
            frame = frame.f_back
        return False

    def _unraisable(self, found: sys.UnraisableHookArgs) -> None:
        """What is raised while an object dies, say, is lost: it is raised again."""
        if issubclass(found.exc_type, KeyboardInterrupt):
            self._raised = False
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
        else:
            self._hook(found)


def _forget_interrupt() -> None:
    """Let the process end with its exit code and not by the signal.

    CPython ends itself by SIGINT when KeyboardInterrupt once left code that was compiled from a
    string, even when it was handled later; the next such code takes that back.
    """
    namedtuple("_Nothing", ())  # evaluates a string
