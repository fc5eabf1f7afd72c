"""Which device networks are trained on; no part of a trial's identity."""

from __future__ import annotations

import re

import torch

from synergy.errors import ConfigError
from synergy.wording import counted, quoted

_NAME = re.compile(r"cpu|cuda(?::(0|[1-9][0-9]{0,2}))?")


def check_device(name: str) -> None:
    """Raise ConfigError if a text is no name of a device, there or not."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"--device: expected cpu, cuda or cuda:N, found {quoted(name)}")


def device_of(name: str) -> str:
    """The device of that name; for an empty one the first GPU where there is any, or the CPU.

    Raises
    ------
    ConfigError
        If it is not there.
    """
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not name:
        return "cuda" if there else "cpu"
    check_device(name)
    kind, _, number = name.partition(":")
    if kind == "cuda" and int(number or 0) >= there:
        found = f"{counted(there, 'GPU')}, counted from cuda:0" if there else "none"
        raise ConfigError(
            f"--device {name}: expected a GPU that torch can use, found {found}; name another "
            "device or leave the option out"
        )
    return name
