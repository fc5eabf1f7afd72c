"""Settings by their dotted keys, as ``--set`` gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from synergy.errors import ConfigError
from synergy.strict_yaml import YamlError, read_yaml
from synergy.wording import did_you_mean, problem_message, quoted, shown


def parse_settings(texts: Iterable[str]) -> dict[str, Any]:
    """Values by their dotted keys, each of a text such as ``training.epochs=5``.

    Raises
    ------
    ConfigError
        If one is none, its value is not that of a YAML file, or a key is there twice: all of them
        at once.
    """
    settings: dict[str, Any] = {}
    problems: list[str] = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals):
            problems.append(f"expected KEY=VALUE such as training.epochs=5, found {quoted(text)}")
        elif key in settings:
            problems.append(f"{shown(key)}: expected a key once, found it twice")
        else:
            try:
                settings[key] = read_yaml(value)
            except YamlError as error:
                problems.append(f"{shown(key)}: {error}")
    if problems:
        raise ConfigError(problem_message("--set", problems))
    return settings


def replaced(data: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The nested ``data``, changed in place, with other values at some dotted keys.

    A value takes the place of all that stood at its key; the last part of a key may be new.

    Raises
    ------
    ConfigError
        If there is nothing below which a key could stand: all of them at once.
    """
    problems: list[str] = []
    for key, value in settings.items():
        *above, last = key.split(".")
        inner: Any = data
        for place, name in enumerate(above):
            where = shown(".".join(above[: place + 1]))
            if name not in inner:
                problems.append(f"{where}: unknown key{did_you_mean(name, inner)}")
            elif not isinstance(inner[name], dict):
                problems.append(f"{shown(key)}: {where} has no keys below it")
            else:
                inner = inner[name]
                continue
            break
        else:
            inner[last] = value
    if problems:
        raise ConfigError(problem_message("--set", problems))
    return data
