"""Joining a Ray cluster, or starting one on this machine, and leaving it without a trace.

Ray says much on the terminal, replaces handlers of signals, waits for minutes at an address where
nobody answers, and keeps a token in the home: nothing of that reaches whoever runs jobs on it.
"""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from synergy.errors import ConfigError, SynergyError
from synergy.executors.base import Resources, core_count
from synergy.machine import told
from synergy.wording import counted, cut, quoted, shown

OLDEST = (2, 50)
"""The first version of Ray that is accepted."""

# For an answer at an address; Ray itself would try for minutes.
_PATIENCE_S = 5.0
# How a client begins HTTP/2, and the kind of frame that a server begins with (RFC 9113, 3.4).
_SETTINGS = b"\x04"
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + _SETTINGS + bytes(5)
# Characters of what Ray says.
_LONGEST_WORDS = 300
# Between looks at what the cluster has: nodes come and go.
_LOOK_S = 5.0
# Sockets lie in Ray's folder, below names of 70 bytes; the system allows 107 in all.
_LONGEST_FOLDER = 24
_PREFIX = "synergy-ray-"

_log = logging.getLogger(__name__)


class RayCluster:
    """A cluster that is joined when it is needed first.

    It is the one that this process has joined already, or the one at the address, or else a new one
    on this machine, which `leave` ends and removes.

    Parameters
    ----------
    resources : Resources
        An empty address stands for that in the environment variable ``RAY_ADDRESS``.

    Raises
    ------
    ConfigError
        If Ray is not installed or too old, or the address is none that can be joined.
    """

    def __init__(self, resources: Resources) -> None:
        self._asked = resources
        self._address = resources.address or os.environ.get("RAY_ADDRESS", "")
        _require_ray()
        if "://" in self._address:
            raise ConfigError(
                f"Ray's address: expected HOST:PORT or auto, found {quoted(self._address)}; run "
                "the command on a node of the cluster, by `ray job submit`, say"
            )
        self._ray: ModuleType | None = None
        self._own: tempfile.TemporaryDirectory[str] | None = None
        self._joined_here = False
        self._slots, self._looked_s = 0, -math.inf

    def join(self) -> ModuleType:
        """Join the cluster unless that was done; the module ``ray``.

        Raises
        ------
        SynergyError
            If there is none, it has another version, or no node has what a job needs.
        """
        if self._ray is None:
            try:
                if not _is_joined():
                    self._enter()
                self._ray = sys.modules["ray"]
                self._require_resources(self._ray)
            except BaseException:
                self.leave()
                raise
        return self._ray

    def leave(self) -> None:
        """End what runs there; a cluster of its own is ended and removed."""
        if self._joined_here:
            with _settings({}) as ray, _own_signals():
                ray.shutdown()
        self._ray, self._joined_here = None, False
        if self._own is not None:
            self._own.cleanup()
            self._own = None

    def slots(self) -> int:
        """Jobs that the nodes that live have room for, looked up every few seconds."""
        ray = self.join()
        if time.monotonic() - self._looked_s > _LOOK_S:
            gpus, slots = self._asked.gpus, 0
            for node in _nodes(ray):
                cpus = int(node.get("CPU", 0))
                slots += min(cpus, int(node.get("GPU", 0) / gpus)) if gpus else cpus
            self._slots, self._looked_s = slots, time.monotonic()
        return self._slots

    def _enter(self) -> None:
        here = self._address in ("", "local")
        options: dict[str, Any] = {"address": self._address}
        environment: Mapping[str, str] = {}
        if here:
            folder = _short_folder()
            _remove_abandoned(folder)
            self._own = tempfile.TemporaryDirectory(
                prefix=f"{_PREFIX}{os.getpid()}-", dir=folder, ignore_cleanup_errors=True
            )
            options = {
                "address": "local",
                "num_cpus": self._asked.workers or core_count(),
                "include_dashboard": False,
                "_temp_dir": self._own.name,
            }
            # What can be imported here can be imported there.
            environment = {**own_token(), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        elif self._address != "auto":
            _require_answer(self._address)
        self._joined_here = True
        try:
            with _settings(environment) as ray, _own_signals():
                ray.init(
                    log_to_driver=False,
                    configure_logging=False,
                    logging_level=logging.CRITICAL,
                    **options,
                )
        except ConnectionError as error:
            raise SynergyError(
                f"expected a Ray cluster at {self._address or 'this machine'}, found none; "
                "`ray start --head` starts one"
            ) from error
        except Exception as error:
            what = "Ray cannot be started" if here else f"Ray cannot be joined at {self._address}"
            way = "use --executor process" if here else "`ray status` on this node tells its state"
            raise SynergyError(f"{what}: {told(error) or one_line(error)}; {way}") from error

    def _require_resources(self, ray: ModuleType) -> None:
        """Raise a SynergyError if no node has what a job needs: it would wait for ever."""
        nodes, gpus = _nodes(ray), self._asked.gpus
        with_cpu = [node for node in nodes if node.get("CPU", 0) >= 1]
        if not with_cpu:
            raise SynergyError("expected a node with a CPU, the cluster has none; add a node")
        most = max(node.get("GPU", 0) for node in with_cpu)
        if most < gpus:
            raise SynergyError(
                f"--gpus-per-trial {gpus:g}: expected a node with as many GPUs, the largest has "
                f"{most:g}; ask for less, or add a node"
            )
        if not gpus and (unused := sum(node.get("GPU", 0) for node in nodes)):
            _log.warning(
                "the cluster has %s that no training uses; --gpus-per-trial 0.25, say, puts four "
                "trainings on each",
                counted(int(unused), "GPU"),
            )


def one_line(error: BaseException) -> str:
    """What an error of Ray says, on one line of a length that people read."""
    return cut(" ".join(str(error).split()).rstrip(".:"), _LONGEST_WORDS) or type(error).__name__


def _is_joined() -> bool:
    """Whether this process is part of a cluster; Ray is not imported for that."""
    ray = sys.modules.get("ray")
    return ray is not None and ray.is_initialized()


def _nodes(ray: ModuleType) -> list[Mapping[str, float]]:
    """What each node that lives has."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _require_ray() -> None:
    if importlib.util.find_spec("ray") is None:
        raise ConfigError(
            "--executor ray: expected Ray, which is not installed; run `pip install 'synergy[ray]'`"
        )
    found = version("ray")
    if tuple(int(part) for part in found.split(".")[:2]) < OLDEST:
        raise ConfigError(
            f"--executor ray: expected Ray {OLDEST[0]}.{OLDEST[1]} or newer, found {found}; run "
            "`pip install --upgrade 'synergy[ray]'`"
        )


def _short_folder() -> Path:
    """Where a folder with sockets can lie."""
    usual, short = Path(tempfile.gettempdir()), Path("/tmp")
    return usual if len(str(usual)) <= _LONGEST_FOLDER or not short.is_dir() else short


def _remove_abandoned(parent: Path) -> None:
    """Remove what clusters of this user left whose process was killed; theirs died with it."""
    for folder in parent.glob(f"{_PREFIX}*"):
        process = folder.name.removeprefix(_PREFIX).partition("-")[0]
        with suppress(OSError):
            ours = folder.stat(follow_symlinks=False).st_uid == os.getuid()
            if ours and process.isdecimal() and not Path(f"/proc/{process}").exists():
                shutil.rmtree(folder, ignore_errors=True)


def _require_answer(address: str) -> None:
    """Raise a SynergyError if nobody at ``HOST:PORT`` speaks as Ray does, which is HTTP/2."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise ConfigError(f"Ray's address: expected HOST:PORT or auto, found {quoted(address)}")
    answer = b""
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _PATIENCE_S) as connection:
            connection.sendall(_HELLO)
            answer = connection.recv(9)
        why = "something else answers"
    except OSError as error:
        why = error.strerror or str(error)
    if answer[3:4] != _SETTINGS and os.environ.get("RAY_USE_TLS", "0") != "1":
        raise SynergyError(
            f"expected a Ray cluster at {shown(address)}, found none ({why}); "
            "`ray start --head` tells the address when it starts one"
        )


@lru_cache(maxsize=1)
def own_token() -> Mapping[str, str]:
    """Environment by which only this process and its children can join; read once by Ray.

    Newer versions ask for a token by themselves, and would leave one in the home.
    """
    mode = {} if "ray" in sys.modules else {"RAY_AUTH_MODE": "token"}
    return {**mode, "RAY_AUTH_TOKEN": secrets.token_hex(32)}


@contextmanager
def _settings(environment: Mapping[str, str]) -> Iterator[ModuleType]:
    """Ray with these environment variables, which it reads on import and when it starts.

    It sends no statistics and prints nothing.
    """
    given = {"RAY_USAGE_STATS_ENABLED": "0", **environment}
    before = {name: os.environ.get(name) for name in (*given, "RAY_AUTH_MODE")}
    os.environ.update(given)
    try:
        import ray
        from ray._private import worker

        worker._worker_logs_enabled = False  # nothing public keeps its messages off stdout
        logging.getLogger("ray").setLevel(logging.CRITICAL)
        yield ray
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _own_signals() -> Iterator[None]:
    """Put back the handlers of signals that Ray replaces with its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    exits: list[SystemExit] = []
    try:
        yield
    except SystemExit as exit_:  # how Ray answers SIGTERM
        exits.append(exit_)
    finally:
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
    for exit_ in exits:
        signal.raise_signal(signal.SIGTERM)
        raise exit_
