"""Where everything lies that can be computed again."""

from __future__ import annotations

import logging
import os
import stat
import tempfile
from functools import cache
from pathlib import Path

from synergy.errors import ConfigError
from synergy.wording import quoted

_log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """``SYNERGY_CACHE``, or else ~/.cache/synergy; the folder need not exist yet.

    Where there is no home folder that can be written, as for a user of a container that has no
    name, a folder of this user's own below the temporary one, and a warning.

    Raises
    ------
    ConfigError
        If ``SYNERGY_CACHE`` is not the absolute path of a folder, or none can be found.
    """
    if chosen := os.environ.get("SYNERGY_CACHE"):
        return _chosen(chosen)
    try:
        folder = Path.home() / ".cache" / "synergy"
    except RuntimeError:  # no HOME, and a user id without an entry in passwd
        return _without_home()
    # os.access answers where Path.exists raises, as below the home folder of somebody else
    nearest = next((path for path in folder.parents if os.access(path, os.F_OK)), folder)
    if os.access(folder, os.F_OK) or os.access(nearest, os.W_OK | os.X_OK):
        return folder
    return _without_home()


def _chosen(text: str) -> Path:
    way_out = "name a folder with its absolute path, or leave the variable out"
    try:
        folder = Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f"SYNERGY_CACHE: found {quoted(text)}, but the home folder of that user is not known; "
            f"{way_out}"
        ) from error
    if not folder.is_absolute():
        raise ConfigError(
            f"SYNERGY_CACHE: expected an absolute path, found {quoted(text)}, which would be "
            f"another folder wherever a command is started; {way_out}"
        )
    if os.access(folder, os.F_OK) and not folder.is_dir():
        raise ConfigError(f"SYNERGY_CACHE: expected a folder, found the file {folder}; {way_out}")
    return folder


@cache
def _without_home() -> Path:
    way_out = "set SYNERGY_CACHE to a folder that can be written"
    try:
        folder = Path(tempfile.gettempdir()) / f"synergy-{os.geteuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        state = folder.lstat()
    except OSError as error:
        raise ConfigError(
            "the cache has no place: no home folder and no temporary folder can be written; "
            f"{way_out}"
        ) from error
    others = stat.S_IMODE(state.st_mode) & 0o077
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid() or others:
        raise ConfigError(
            f"the cache has no place: no home folder can be written, and {folder} is no folder of "
            f"this user alone; {way_out}"
        )
    _log.warning(
        "no home folder can be written: what can be computed again is kept in %s; "
        "set SYNERGY_CACHE to a folder that lasts",
        folder,
    )
    return folder
