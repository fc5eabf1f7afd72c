"""What holds for every test.

- One thread: two processes of the suite share two cores, and results stay reproducible.
- No network, and no file outside the folders that pytest gives a test.
- No colours and a fixed width, whatever the terminal or the build service says.
- Real recordings come from the folder in ``SYNERGY_DATA``; their tests are skipped without it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

# Before anything imports torch or rich: both read these once.
for _name in ("FORCE_COLOR", "CLICOLOR_FORCE", "PY_COLORS", "GITHUB_ACTIONS"):
    os.environ.pop(_name, None)
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NO_COLOR"):
    os.environ[_name] = "1"
os.environ |= {"TERM": "dumb", "COLUMNS": "120", "LINES": "50"}

# Times on a shared machine say nothing, and a found counterexample belongs into the test itself.
settings.register_profile("synergy", deadline=None, database=None, print_blob=True)
settings.load_profile("synergy")


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An own ``SYNERGY_CACHE``, empty at first and shared by the processes of one run."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    cache = folder / "synergy_cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYNERGY_CACHE", str(cache))
        yield cache


_CONNECT, _GETADDRINFO = socket.socket.connect, socket.getaddrinfo


@pytest.fixture(scope="module")
def this_machine(no_network: None) -> Iterator[None]:
    """Sockets between processes of this machine by its address, for those that know no other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _CONNECT)
        patch.setattr(socket, "getaddrinfo", _GETADDRINFO)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Refuse connections to other machines; sockets between processes of this one stay."""
    connect = _CONNECT

    def refuse(*arguments: object) -> NoReturn:
        raise AssertionError(f"a test asked for the network: {arguments}")

    def connect_locally(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            refuse(address)
        connect(self, address)  # pyright: ignore[reportArgumentType]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_locally)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield


@pytest.fixture(scope="session")
def speech_data() -> Path:
    """The folder of real recordings."""
    folder = os.environ.get("SYNERGY_DATA", "")
    if not folder:
        pytest.skip("SYNERGY_DATA is not set: no real recordings")
    path = Path(folder)
    assert path.is_dir(), f"SYNERGY_DATA: expected a folder, found {folder}"
    return path
