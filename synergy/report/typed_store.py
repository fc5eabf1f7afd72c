"""TO BE DELETED AT THE MERGE: what the store itself gives there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from synergy.errors import WorkspaceError
from synergy.records import Tree
from synergy.trials.store import TrialStore


class TaskRecord(BaseModel):
    """A task of a trial."""

    name: str
    kind: str
    classes: tuple[str, ...]


class TrialRecord(BaseModel):
    """``trial.json``, as far as the report reads it."""

    tree: Tree
    tasks: tuple[TaskRecord, ...]
    data: Mapping[str, str]
    bank: str
    encoder: Mapping[str, Any]
    training: Mapping[str, Any]
    seed: int
    distillation: Mapping[str, Any] | None = None
    pruning: Mapping[str, Any] | None = None


class TrialResult(BaseModel):
    """``result.json``, as far as the report reads it."""

    scores: Mapping[str, Mapping[str, float]]
    best_step: int
    seconds: float


def trial_of(store: TrialStore, digest: str) -> TrialRecord:
    """``store.trial(digest)``."""
    try:
        return TrialRecord.model_validate(store.trial(digest))
    except ValidationError as error:
        raise WorkspaceError(f"{store.path(digest) / 'trial.json'} is damaged") from error


def result_of(store: TrialStore, digest: str) -> TrialResult:
    """``store.result(digest)``."""
    try:
        return TrialResult.model_validate(store.result(digest))
    except ValidationError as error:
        raise WorkspaceError(f"{store.path(digest) / 'result.json'} is damaged") from error
