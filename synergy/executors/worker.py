"""The inside of a worker process: takes jobs from a pipe until the pipe closes.

Messages are pickled with plain `pickle`: multiprocessing's own pickler would hand tensors over
in shared memory, which dies with the worker.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from multiprocessing.connection import Connection, wait
from typing import Any

from synergy.executors.base import Outcome, Report, attempt


def serve(connection: Connection) -> None:
    """Answer each `Job`, its payload a pickled ``(work, payload)``, with reports and an `Outcome`.

    A report is sent as ``(message,)``, the sign of life at the start as ``()``. Returns when the
    other end closes the connection.
    """
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")  # torch reads them on import
    # The terminal sends Ctrl-C to all processes; only the parent decides what happens then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()
    sending = threading.Lock()

    def send(message: tuple[Any, ...] | Outcome) -> None:
        data = pickle.dumps(message)
        with sending:
            connection.send_bytes(data)

    def report(message: Any) -> None:
        send((message,))

    try:
        send(())
        while True:
            job = pickle.loads(connection.recv_bytes())
            outcome = attempt(_unpack_and_work, job, report)
            try:
                send(outcome)
            except OSError:
                raise
            except Exception as error:
                send(Outcome(job.key, error=f"the result of the work cannot be pickled: {error}"))
    except (EOFError, OSError):  # the parent has no more jobs, or is gone
        return


def _unpack_and_work(packed: bytes, report: Report) -> Any:
    work, payload = pickle.loads(packed)  # imports the module of the work
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
    return work(payload, report)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
