"""Joining a Ray cluster, or starting one on this machine, and leaving it without a trace.

Ray says much on the terminal, replaces handlers of signals, waits for minutes at an address where
nobody answers, and keeps a token in the home: nothing of that reaches whoever runs jobs on it.
"""

from __future__ import annotations

import fcntl
import logging
import math
import os
import secrets
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

from synergy.errors import ConfigError, SynergyError
from synergy.executors.base import Resources, core_count
from synergy.executors.interrupts import interrupts_held
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
_FRESH_S = 60.0

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
        self._address = resources.address
        if self._address in ("", "auto"):  # as Ray itself does
            self._address = os.environ.get("RAY_ADDRESS") or self._address
        gpus = resources.gpus
        if gpus and not (0.0001 <= gpus <= 1 or gpus == int(gpus)):
            raise ConfigError(
                "--gpus-per-trial: expected a share of a GPU of at least 0.0001 or a whole number, "
                f"found {gpus:g}"
            )
        _require_ray()
        if "://" in self._address:
            raise ConfigError(
                f"Ray's address: expected HOST:PORT or auto, found {quoted(self._address)}; run "
                "the command on a node of the cluster, by `ray job submit`, say"
            )
        self._ray: ModuleType | None = None
        self._own: tempfile.TemporaryDirectory[str] | None = None
        self._lock = -1
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
            with _settings({}) as ray, interrupts_held(blocked=False):
                ray.shutdown()
        self._ray, self._joined_here = None, False
        if self._own is not None:
            self._own.cleanup()
            self._own = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    @property
    def is_joined(self) -> bool:
        """Whether `join` was called, and `leave` was not."""
        return self._ray is not None

    def slots(self) -> int:
        """Jobs that the nodes that live have room for, looked up every few seconds.

        Raises
        ------
        SynergyError
            If the head node does not answer: Ray would end this process without a word.
        """
        ray = self.join()
        if time.monotonic() - self._looked_s > _LOOK_S:
            _require_answer(ray.get_runtime_context().gcs_address)
            gpus, slots = self._asked.gpus, 0
            for node in _nodes(ray):
                room = int(node.get("CPU", 0))
                if gpus:  # shares of one GPU, or several whole ones
                    count = node.get("GPU", 0)
                    room = min(room, int(count / gpus if gpus >= 1 else count * int(1 / gpus)))
                slots += room
            if not slots and self._own is not None:
                raise SynergyError(
                    "the Ray of this command has ended (killed by hand or out of memory); run it "
                    "again, with fewer --workers perhaps: what is done is kept"
                )
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
                prefix=_PREFIX, dir=folder, ignore_cleanup_errors=True
            )
            self._lock = os.open(self._own.name, os.O_RDONLY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)  # let go when this process dies
            options = {
                "address": "local",
                "num_cpus": self._asked.workers or core_count(),
                "include_dashboard": False,
                "_temp_dir": self._own.name,
            }
            # What can be imported here can be imported there.
            environment = {**own_token(), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        else:
            if self._address != "auto":
                _require_answer(self._address)
            _require_no_token_of_before()
        self._joined_here = True
        try:
            with _settings(environment) as ray, interrupts_held(blocked=False):
                ray.init(
                    log_to_driver=False,
                    configure_logging=False,
                    logging_level=logging.CRITICAL,
                    **options,
                )
        except ConnectionError as error:
            if self._address == "auto":
                raise SynergyError(
                    "expected a Ray cluster on this machine, found none; `ray start --head` starts "
                    "one"
                ) from error
            raise SynergyError(  # somebody answered
                f"the Ray cluster at {self._address} does not let this process join; where it asks "
                "for a token, set RAY_AUTH_MODE=token and the token here, too"
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
    try:
        found = version("ray")
    except PackageNotFoundError:
        raise ConfigError(
            "--executor ray: expected Ray, which is not installed; run `pip install 'synergy[ray]'`"
        ) from None
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
    """Remove what clusters left whose process was killed; they died with it."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # of others, or locked by whoever uses it
            if time.time() - folder.stat(follow_symlinks=False).st_mtime < _FRESH_S:
                continue  # it may be about to be locked
            handle = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)


def _require_answer(address: str) -> None:
    """Raise a SynergyError if nobody at ``HOST:PORT`` speaks as Ray does, which is HTTP/2."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise ConfigError(f"Ray's address: expected HOST:PORT or auto, found {quoted(address)}")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _PATIENCE_S) as connection:
            if os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
                return  # it would speak after a handshake only
            connection.sendall(_HELLO)
            why = "" if connection.recv(9)[3:4] == _SETTINGS else "something else answers"
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
    if why:
        raise SynergyError(
            f"expected a Ray cluster at {shown(address)}, found none ({why}); "
            "`ray start --head` tells the address when it starts one"
        )


@lru_cache(maxsize=1)
def own_token() -> Mapping[str, str]:
    """Environment by which only this process and its children can join; read once by Ray.

    Newer versions ask for a token by themselves, and would leave one in the home.
    """
    # A process that has imported Ray before keeps to what was said then.
    mode = {} if "ray" in sys.modules else {"RAY_AUTH_MODE": "token"}
    return {**mode, "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def _require_no_token_of_before() -> None:
    """Raise a SynergyError if Ray would show a cluster the token of an earlier one, and hang."""
    if own_token.cache_info().currsize:
        own = own_token()
        if any(os.environ.get(name) != value for name, value in own.items()):
            raise SynergyError(
                "this process has started a Ray of its own before, whose token it keeps; join the "
                "cluster from another process"
            )


@contextmanager
def _settings(environment: Mapping[str, str]) -> Iterator[ModuleType]:
    """Ray with these environment variables, which it reads on import and when it starts.

    It sends no statistics, prints nothing and takes no signal.
    """
    given = {"RAY_USAGE_STATS_ENABLED": "0", **environment}
    before = {name: os.environ.get(name) for name in (*given, "RAY_AUTH_MODE")}
    os.environ.update(given)
    try:
        import ray
        from ray._private import utils, worker

        worker._worker_logs_enabled = False  # nothing public keeps its messages off stdout
        utils.set_sigterm_handler = lambda handler: None  # nor its handler away from SIGTERM
        logging.getLogger("ray").setLevel(logging.CRITICAL)
        yield ray
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
