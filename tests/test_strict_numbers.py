"""Numbers in files are numbers: in every model that is read from a file."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import synergy
from synergy.audio.features import FeatureConfig
from synergy.files import StrictModel
from synergy.rows import Row
from synergy.training.config import TrainingConfig

for _path in sorted(Path(synergy.__file__).parent.rglob("*.py")):
    if _path.stem not in ("__main__", "espeak"):
        _place = _path.relative_to(Path(synergy.__file__).parents[1]).with_suffix("")
        importlib.import_module(".".join(_place.parts).removesuffix(".__init__"))


def below(kind: type[StrictModel]) -> Iterator[type[StrictModel]]:
    for found in kind.__subclasses__():
        yield found
        yield from below(found)


MODELS = sorted(
    {each for each in below(StrictModel) if each.__module__.startswith("synergy.")},
    key=lambda each: each.__qualname__,
)


def loose(schema: Any, path: str = "") -> Iterator[str]:
    """Where a number or a boolean may be written as something else."""
    if isinstance(schema, dict):
        # Any JSON value, told apart by its type; dataclasses are written and never read.
        if {"int", "float"} <= schema.keys() or schema.get("type") == "dataclass":
            return
        if schema.get("type") in ("int", "float", "bool") and not schema.get("strict"):
            yield path
        for key, part in schema.items():
            if key not in ("metadata", "default", "serialization"):
                yield from loose(part, f"{path}.{key}")
    elif isinstance(schema, list | tuple):
        for number, part in enumerate(schema):
            yield from loose(part, f"{path}.{number}")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_no_model_takes_something_else_for_a_number(model: type[StrictModel]) -> None:
    assert list(loose(model.__pydantic_core_schema__)) == []


def test_a_loose_number_would_be_found() -> None:
    assert list(loose({"type": "model", "schema": {"fields": [{"type": "int"}]}}))


@pytest.mark.parametrize("value", [True, "6_0", "60", 60.0, None, [60]])
def test_an_integer_is_nothing_else(value: Any) -> None:
    with pytest.raises(ValidationError, match="epochs"):
        TrainingConfig.model_validate({"epochs": value})


@pytest.mark.parametrize("value", [False, "0.1", "1e-1", float("nan"), float("inf")])
def test_a_number_is_nothing_else(value: Any) -> None:
    with pytest.raises(ValidationError, match="learning_rate"):
        TrainingConfig.model_validate({"learning_rate": value})


def test_an_integer_may_stand_for_a_number_and_a_list_for_a_tuple() -> None:
    assert FeatureConfig.model_validate({"window_ms": 25}).window_ms == 25.0
    row = Row(name="tree", scores={"valid": {"gc": (1, 0.5)}}, digests=("a", "b"), params=3)
    assert Row.model_validate(json.loads(row.model_dump_json())) == row
    with pytest.raises(ValidationError, match="gc"):
        Row.model_validate({"name": "tree", "scores": {"valid": {"gc": [True]}}})
