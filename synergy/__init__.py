"""Finds which speech tasks can share the layers of one small network; trains and exports it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synergy.model import load_model
    from synergy.network import TreeNetwork
    from synergy.synthesis import ARTable, Question, search
    from synergy.tree import SharingTree

__version__ = "0.1.0"

__all__ = [
    "ARTable",
    "Question",
    "SharingTree",
    "TreeNetwork",
    "__version__",
    "load_model",
    "search",
]

# Where the public names stand; each is imported on first use, since torch takes a second.
_HOMES = {
    "ARTable": "synergy.synthesis",
    "Question": "synergy.synthesis",
    "SharingTree": "synergy.tree",
    "TreeNetwork": "synergy.network",
    "load_model": "synergy.model",
    "search": "synergy.synthesis",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
