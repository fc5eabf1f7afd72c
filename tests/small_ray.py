"""What the tests of Ray have in common."""

from __future__ import annotations

import gc
import importlib.util
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

MARKS = [
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason="needs pip install 'synergy[ray]'"
    ),
    pytest.mark.usefixtures("this_machine"),
    # of Ray's own files and processes
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@contextmanager
def no_leftovers() -> Iterator[None]:
    """Collect at the end what Ray started and did not wait for, before another test is blamed."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
