"""All classes of inputs."""

from __future__ import annotations

from fuzz.commands import CommandTarget
from fuzz.configs import ConfigTarget
from fuzz.recordings import AudioTarget, CacheTarget, ManifestTarget
from fuzz.results import ModelTarget, WorkspaceTarget
from fuzz.tables import SamplesTarget, TableTarget
from fuzz.target import Target
from fuzz.trees import TreeTarget

TARGETS: dict[str, type[Target]] = {
    kind.name: kind
    for kind in (
        ConfigTarget,
        TableTarget,
        SamplesTarget,
        TreeTarget,
        ManifestTarget,
        AudioTarget,
        ModelTarget,
        WorkspaceTarget,
        CacheTarget,
        CommandTarget,
    )
}


def shares(names: list[str], inputs: int) -> dict[str, int]:
    """How many of all ``inputs`` each class gets, at least one."""
    whole = sum(TARGETS[name].share for name in names)
    return {name: max(1, round(inputs * TARGETS[name].share / whole)) for name in names}
