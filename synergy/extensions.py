"""Names of things that others may bring along: encoders, kinds of task, corpora, comparisons.

A name is looked up among what is built in, then among the entry points of installed packages, then
as ``package.module:Class``. A module that is named like that is imported only where a person said
so: in a configuration that ``--config`` names, by importing it before, or with the environment
variable ``SYNERGY_IMPORTS``. What lies in a workspace or in an exported model never says it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from synergy.errors import ConfigError
from synergy.wording import did_you_mean, quoted, shown

IMPORTS = "SYNERGY_IMPORTS"
"""Environment variable: packages that may be imported, separated by commas."""

_PLACE = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)")
_trusting: ContextVar[bool] = ContextVar("trusting", default=False)


@contextmanager
def imports_allowed() -> Iterator[None]:
    """Inside, a name such as ``package.module:Class`` may import its module."""
    token = _trusting.set(True)
    try:
        yield
    finally:
        _trusting.reset(token)


def find(name: str, builtin: Mapping[str, Any], family: str, needs: Iterable[str] = ()) -> Any:
    """What a name stands for.

    Parameters
    ----------
    name : str
    builtin : mapping of name to object
    family : str
        Of entry points, such as ``synergy.encoders``; its last part is what messages say.
    needs : iterable of str
        Attributes that something from elsewhere must have.

    Raises
    ------
    ConfigError
        If nothing has that name, it may not be imported, or it lacks an attribute.
    """
    if name in builtin:
        return builtin[name]
    what = family.rpartition(".")[2]
    found = None
    for entry in entry_points(group=family, name=name):
        found = entry.load()
    if found is None and (place := _PLACE.fullmatch(name)):
        found = _imported(name, *place.groups())
    if found is None:
        raise ConfigError(
            f"expected one of {', '.join(builtin)} or package.module:Class among the {what}, "
            f"found {quoted(name)}{did_you_mean(name, builtin)}"
        )
    if lacking := [attribute for attribute in needs if not hasattr(found, attribute)]:
        raise ConfigError(
            f"{shown(name)}: expected one of the {what}, found no {', '.join(lacking)} in it; "
            "docs/extending.md tells what it needs"
        )
    return found


def _imported(name: str, module: str, attribute: str) -> Any:
    package = module.partition(".")[0]
    allowed = {part.strip() for part in os.environ.get(IMPORTS, "").split(",")}
    if not (module in sys.modules or _trusting.get() or package in allowed):
        raise ConfigError(
            f"{shown(name)} is code of the package {shown(package)}; a workspace or a model may "
            "name it, but not have it imported: name the configuration with --config, or set "
            f"{IMPORTS}={shown(package)}"
        )
    try:
        return getattr(import_module(module), attribute)
    except AttributeError as error:
        raise ConfigError(
            f"{shown(name)}: the module {shown(module)} has no {shown(attribute)}"
        ) from error
    except Exception as error:  # a module is somebody's code
        raise ConfigError(
            f"{shown(name)}: the module {shown(module)} cannot be imported "
            f"({type(error).__name__}: {shown(error)})"
        ) from error
