"""Kinds of task: how labels become targets, what is minimised, what is scored.

``TASK_KINDS`` maps the ``kind`` of a task in a configuration to its implementation (see
`synergy.tasks.base.TaskKind`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from synergy.tasks.base import TaskKind
from synergy.tasks.clip_classification import ClipClassification
from synergy.tasks.frame_activity import FrameActivity

TASK_KINDS: dict[str, TaskKind] = {
    "clip_classification": ClipClassification(),
    "frame_activity": FrameActivity(),
}

__all__ = ["TASK_KINDS", "TaskKind", "TaskSpec"]


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
        return TASK_KINDS[self.kind]

    def to_json(self) -> dict[str, Any]:
        """The specification as JSON values."""
        return {"name": self.name, "kind": self.kind, "classes": list(self.classes)}
