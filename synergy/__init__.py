"""Finds which speech tasks can share the layers of one small network; trains and exports it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synergy.api import (
        ARTable,
        SharingTree,
        baseline,
        compare,
        frontier,
        pairwise,
        run,
        search,
        synthesize,
        write_report,
    )
    from synergy.config import RunConfig
    from synergy.corpus_folder import Recording, write_corpus
    from synergy.errors import SynergyError
    from synergy.model import load_model
    from synergy.network import TreeNetwork

__version__ = "0.1.0"

__all__ = [
    "ARTable",
    "Recording",
    "RunConfig",
    "SharingTree",
    "SynergyError",
    "TreeNetwork",
    "__version__",
    "baseline",
    "compare",
    "frontier",
    "load_model",
    "pairwise",
    "run",
    "search",
    "synthesize",
    "write_corpus",
    "write_report",
]

# Where the public names stand; each is imported on first use, since torch takes a second.
_HOMES = {
    "synergy.api": (
        *("ARTable", "SharingTree", "baseline", "compare", "frontier", "pairwise", "run"),
        *("search", "synthesize", "write_report"),
    ),
    "synergy.config": ("RunConfig",),
    "synergy.corpus_folder": ("Recording", "write_corpus"),
    "synergy.errors": ("SynergyError",),
    "synergy.model": ("load_model",),
    "synergy.network": ("TreeNetwork",),
}


def __getattr__(name: str) -> Any:
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
