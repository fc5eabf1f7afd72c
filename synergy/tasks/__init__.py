"""Kinds of task: what the decoder looks like, what is minimised, what is scored.

``TASK_KINDS`` maps the ``kind`` of a task in a configuration to its implementation (see
`synergy.tasks.base.TaskKind`).
"""

from __future__ import annotations

from synergy.tasks.base import TaskKind, TaskSpec
from synergy.tasks.clip_classification import ClipClassification
from synergy.tasks.frame_activity import FrameActivity

TASK_KINDS: dict[str, TaskKind] = {
    "clip_classification": ClipClassification(),
    "frame_activity": FrameActivity(),
}

__all__ = ["TASK_KINDS", "TaskKind", "TaskSpec"]
