"""Kinds of task: how labels become targets, what is minimised, what is scored.

``TASK_KINDS`` maps the ``kind`` of a task in a configuration to its implementation (see
`synergy.tasks.base.TaskKind`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from synergy.errors import ConfigError
from synergy.extensions import find
from synergy.tasks.base import TaskKind
from synergy.tasks.clip_classification import ClipClassification
from synergy.tasks.frame_activity import FrameActivity
from synergy.wording import shown

TASK_KINDS: dict[str, TaskKind] = {
    "clip_classification": ClipClassification(),
    "frame_activity": FrameActivity(),
}

__all__ = ["TASK_KINDS", "TaskKind", "TaskSpec", "rules_of"]


@lru_cache
def rules_of(kind: str) -> TaskKind:
    """What a kind of task decides; also of a class that only its name tells.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    found = find(kind, TASK_KINDS, "synergy.tasks")
    if isinstance(found, type) and issubclass(found, TaskKind):
        try:
            found = found()
        except TypeError as error:  # something abstract is left, or it needs arguments
            raise ConfigError(f"{shown(kind)} cannot be used: {shown(error)}") from error
    if not isinstance(found, TaskKind):
        raise ConfigError(
            f"{shown(kind)}: expected a subclass of synergy.tasks.TaskKind, found another"
        )
    if found.threshold is not None and not 0 < found.threshold < 1:
        raise ConfigError(
            f"{shown(kind)}: expected a threshold between 0 and 1, found {found.threshold}"
        )
    return found


@dataclass(frozen=True)
class TaskSpec:
    """A task as networks and results know it; ``kind`` is a key in ``TASK_KINDS``.

    ``classes`` are in the order of the logits; for an activity, the one label that is detected.
    """

    name: str
    kind: str
    classes: tuple[str, ...]

    @property
    def rules(self) -> TaskKind:
        """What the kind of the task decides."""
        return rules_of(self.kind)

    def to_json(self) -> dict[str, Any]:
        """The specification as JSON values."""
        return {"name": self.name, "kind": self.kind, "classes": list(self.classes)}
