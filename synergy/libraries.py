"""Libraries that want more of the machine when they are imported than when they are used.

torch imports its compiler with the first optimizer, although nothing is compiled here; that asks
for the name of the user and for a folder to write into. torchmetrics asks for the temporary folder.
A container may have none of them; and what is half imported fails at every later attempt.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

TORCH_COMPILER = "torch._dynamo"
"""To be imported before an optimizer or a dispatch mode is made."""

_COMPILER_FOLDER = "TORCHINDUCTOR_CACHE_DIR"


def imported(name: str) -> ModuleType:
    """A module of a library, imported without asking the machine for anything.

    Afterwards environment and temporary folder are as before, for those who do need them.
    """
    if name not in sys.modules:
        with _modest():
            import_module(name)
    return sys.modules[name]


@contextmanager
def _modest() -> Iterator[None]:
    there = str(Path(__file__).parent)  # nothing is written into it
    chosen, temporary = os.environ.get(_COMPILER_FOLDER), tempfile.tempdir
    try:
        tempfile.gettempdir()
    except OSError:
        tempfile.tempdir = there
    os.environ.setdefault(_COMPILER_FOLDER, there)
    try:
        yield
    finally:
        if chosen is None:
            os.environ.pop(_COMPILER_FOLDER, None)
        if tempfile.tempdir == there:
            tempfile.tempdir = temporary
