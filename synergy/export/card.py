"""What the model card shows: the specification as text for people."""

from __future__ import annotations

import json
from typing import Any

from synergy.export.spec import Spec, TaskResult


def cell(text: Any) -> str:
    """Text that stays one cell of a Markdown table, whatever a corpus or class is called."""
    plain = " ".join(str(text).split())
    for mark in "\\`*_[]<>|#":
        plain = plain.replace(mark, f"\\{mark}")
    return plain


def card_values(spec: Spec) -> dict[str, Any]:
    """The values that the template of the card needs."""
    order = [task.name for task in spec.tasks]
    return {
        "spec": spec,
        "title": ", ".join(order),
        "drawing": spec.sharing_tree().ascii(order),
        "synthetic": sorted(name for name, corpus in spec.corpora.items() if corpus.synthetic),
        "uses": {
            name: ", ".join(task.name for task in spec.tasks if name in task.corpora)
            for name in spec.corpora
        },
        "classes": {task.name: ", ".join(task.classes) for task in spec.tasks},
        "results": [
            (split, task, _row(split_result.tasks[task]))
            for split, split_result in spec.results.items()
            for task in order
        ],
        "activities": [task.name for task in spec.tasks if task.threshold is not None],
        "training": [(key, json.dumps(value)) for key, value in spec.training.items()],
    }


def _row(result: TaskResult) -> list[str]:
    single = "" if result.single is None else _percent(result.single)
    return [result.metric, _percent(result.score), _percent(result.weights), single]


def _percent(score: float) -> str:
    return f"{100 * score:.2f} %"
