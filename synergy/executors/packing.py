"""Work, payloads and messages on their way to another process.

They travel between processes that one command started, never through a file. Plain `pickle` packs
them: the pickler of multiprocessing would hand tensors over in shared memory, which dies with the
worker.
"""

from __future__ import annotations

import pickle
import sys
from dataclasses import replace
from typing import Any

from synergy.errors import SynergyError
from synergy.executors.base import Ended, Job, Work


def packed_work(work: Work) -> bytes:
    """The work in bytes; a SynergyError if it cannot be handed over."""
    try:
        return pickle.dumps(work)
    except Exception as error:
        raise SynergyError(
            "expected a work function at the top level of a module, with arguments that can be "
            f"pickled, found {error}; use the serial executor or change it"
        ) from error


def packed_job(job: Job) -> Job:
    """The job with its payload in bytes; a SynergyError if it cannot be handed over."""
    try:
        return replace(job, payload=pickle.dumps(job.payload))
    except Exception as error:
        raise SynergyError(
            f"job {job.key}: expected a payload that can be pickled, found {error}; "
            "use the serial executor or change it"
        ) from error


def one_thread() -> None:
    """Have torch use one, if a work or a payload brought it along."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


def packed_message(message: tuple[Any, ...] | Ended) -> bytes:
    """A report or an outcome in bytes; one that cannot be packed is told as a failure."""
    try:
        return pickle.dumps(message)
    except Exception as error:
        if not isinstance(message, Ended):
            raise
        said = f"the result of the work cannot be pickled: {error}"
        return pickle.dumps(Ended(message.key, error=said))
