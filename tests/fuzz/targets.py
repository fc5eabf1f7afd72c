"""All classes of inputs; each is imported when it is used, since some need torch."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

from fuzz.target import Target


class Listed(NamedTuple):
    """Where a class of inputs stands, and its part of them where their number is given."""

    module: str
    name: str
    share: int

    @property
    def kind(self) -> type[Target]:
        """The class itself."""
        return getattr(import_module(self.module), self.name)


TARGETS = {
    "config": Listed("fuzz.configs", "ConfigTarget", 20),
    "table": Listed("fuzz.tables", "TableTarget", 15),
    "samples": Listed("fuzz.tables", "SamplesTarget", 5),
    "tree": Listed("fuzz.trees", "TreeTarget", 25),
    "manifest": Listed("fuzz.recordings", "ManifestTarget", 8),
    "audio": Listed("fuzz.recordings", "AudioTarget", 15),
    "model": Listed("fuzz.results", "ModelTarget", 4),
    "workspace": Listed("fuzz.results", "WorkspaceTarget", 4),
    "cache": Listed("fuzz.recordings", "CacheTarget", 2),
    "command": Listed("fuzz.commands", "CommandTarget", 2),
}


def shares(names: list[str], inputs: int) -> dict[str, int]:
    """How many of all ``inputs`` each class gets, at least one."""
    whole = sum(TARGETS[name].share for name in names)
    return {name: max(1, round(inputs * TARGETS[name].share / whole)) for name in names}
