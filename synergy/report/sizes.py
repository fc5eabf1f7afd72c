"""What blocks and decoders cost, from the settings that the workspace keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from synergy.errors import SynergyError
from synergy.report.reading import Sources, understanding

if TYPE_CHECKING:
    from synergy.costs import Costs

_MELS, _FRAMES = 64, 100  # of one second, where no configuration says


@dataclass(frozen=True)
class Sizes:
    """What blocks and decoders cost.

    Attributes
    ----------
    costs : Costs
        Parameters, and MACs of one second of audio.
    whole : bool
        Whether the decoders are known; they count as nothing otherwise.
    assumed : bool
        Whether this is the default encoder because the workspace names none.
    """

    costs: Costs
    whole: bool
    assumed: bool


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
        whole = len(specs) == len(tasks)
        found = costs(encoder, specs if whole else [], mels, frames)
    return Sizes(found, whole, assumed=not settings)


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
