"""What blocks and decoders cost, from the settings that the workspace keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from synergy.errors import SynergyError
from synergy.report.reading import Sources, understanding

if TYPE_CHECKING:
    from synergy.tree import SharingTree

_MELS, _FRAMES = 64, 100  # of one second, where no configuration says


@dataclass(frozen=True)
class Sizes:
    """Parameters and MACs of one second of audio.

    Attributes
    ----------
    blocks, block_macs : tuple of int, length D
    heads, head_macs : dict of task to int
        Of the decoders; {} unless those of all tasks are known.
    assumed : bool
        Whether this is the default encoder because the workspace names none.
    """

    blocks: tuple[int, ...]
    block_macs: tuple[int, ...]
    heads: Mapping[str, int]
    head_macs: Mapping[str, int]
    assumed: bool

    def params(self, tree: SharingTree) -> int:
        """Parameters of a tree, with its decoders where they are known."""
        return int(tree.cost(self.blocks)) + sum(self.heads.get(t, 0) for t in tree.tasks)

    def macs(self, tree: SharingTree) -> int:
        """MACs of a tree, with its decoders where they are known."""
        return int(tree.cost(self.block_macs)) + sum(self.head_macs.get(t, 0) for t in tree.tasks)


def sizes_of(sources: Sources, tasks: Sequence[str]) -> Sizes:
    """Count parameters and MACs without weights and without data; imports torch.

    Raises
    ------
    WorkspaceError
        If the encoder in the workspace is none that this version knows.
    """
    from synergy.encoders import ENCODERS
    from synergy.network import costs
    from synergy.tasks import TASK_KINDS, TaskSpec

    settings = _encoder(sources)
    with understanding(sources.folder / "config.yaml", "baseline"):
        features = sources.config.get("features") or {}
        mels = int(features.get("mels", _MELS))
        frames = round(1000 / float(features.get("hop_ms", 1000 / _FRAMES)))
        try:
            name = str(settings.get("name", "cnn8"))
            encoder = ENCODERS[name].model_validate(settings)
        except (KeyError, ValidationError, SynergyError) as error:
            raise ValueError(f"the encoder {settings} is not known") from error
        known = _tasks(sources)
        specs = [
            TaskSpec(task, known[task]["kind"], tuple(known[task]["classes"]))
            for task in tasks
            if task in known and known[task]["kind"] in TASK_KINDS
        ]
        found = costs(encoder, specs, mels, frames)
    complete = len(specs) == len(tasks)
    return Sizes(
        blocks=found.block_params,
        block_macs=found.block_macs,
        heads=found.head_params if complete else {},
        head_macs=found.head_macs if complete else {},
        assumed=not settings,
    )


def _encoder(sources: Sources) -> Mapping[str, Any]:
    """Settings of the encoder: of the configuration, else of any training."""
    configured = sources.config.get("encoder")
    if configured:
        return configured
    return next((trial.encoder for trial in sources.trials if trial.encoder), {})


def _tasks(sources: Sources) -> dict[str, Mapping[str, Any]]:
    """Kind and classes of tasks: of the trainings, which have the classes of every task."""
    found: dict[str, Mapping[str, Any]] = {}
    for task in (sources.spec or {}).get("tasks", []):
        found[task["name"]] = task
    for trial in sources.trials:
        found |= trial.tasks
    return found
