"""Signals that end a program, put off while something is half started."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# And the timer by which a program may put that off.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)


@contextmanager
def interrupts_held(blocked: bool = True) -> Iterator[None]:
    """A signal that comes inside takes effect at the end.

    Where they are ``blocked``, a process started inside is deaf to them until it can ignore SIGINT
    for good: it inherits the mask. The handler is for signals that another thread of this process
    takes, and for all where they are not blocked.
    """
    in_main = threading.current_thread() is threading.main_thread()
    came: list[int] = []
    handlers = {}
    if in_main:
        for number in ENDING:
            if callable(signal.getsignal(number)):  # the others need no time of their own
                handlers[number] = signal.signal(number, lambda number, _: came.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING if blocked else ())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)
