"""How typer comes to read options, and help that shows them under headings."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand

from synergy.cli.conflicts import refuse_conflicts
from synergy.cli.layout import unlimited
from synergy.errors import ConfigError
from synergy.wording import did_you_mean, quoted

_AFTER = ("no", "yes", "auto")  # of an option that may stand alone
_PANELS = ("Arguments", "Data", "Search", "Training", "Output", "Other")


def spelled_out(
    command: Callable[..., Any], offered: str, tell: Callable[[Any, Any], None] | None = None
) -> Callable[..., None]:
    """``command`` with single options in its signature in place of its first parameter.

    That is called ``options``, a dataclass like `synergy.cli.options.Options`; ``offered`` names
    its fields that are options of the command, the others keep their defaults. What the command
    returns goes to ``tell``, with the options.
    """
    named = {name: kind for name, kind in command.__annotations__.items() if name != "return"}
    # what a command returns is imported when it runs
    only_named = SimpleNamespace(__annotations__=named)
    hints = get_type_hints(only_named, command.__globals__, include_extras=True)
    group = hints["options"]
    if unknown := set(offered.split()) - {field.name for field in fields(group)}:
        raise ValueError(f"there are no options {unknown}")
    taken = [field.name for field in fields(group) if field.name in offered.split()]
    _, *own = inspect.signature(command).parameters.values()
    flat = [*_parameters(group, taken), *(p.replace(annotation=hints[p.name]) for p in own)]

    def made_options(**given: Any) -> None:
        options = group(**{name: given.pop(name) for name in taken})
        found = command(options, **given)
        if tell is not None:
            tell(found, options)

    made_options.__doc__ = command.__doc__
    made_options.__annotations__ = {option.name: option.annotation for option in flat}
    made_options.__signature__ = inspect.Signature(
        [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in flat]
    )
    return made_options


def _parameters(group: type, taken: list[str]) -> list[inspect.Parameter]:
    """The fields that are taken; the docstring of ``group`` has their help."""
    sections = re.split(r"^(\w+)\n-+\n", inspect.getdoc(group) or "", flags=re.MULTILINE)[1:]
    entry = re.compile(r"^(\w+)(?: : (.+))?\n((?: .+\n?)+)", re.MULTILINE)
    told = {
        name: {"rich_help_panel": panel, "metavar": value or None, "help": " ".join(text.split())}
        for panel, body in zip(sections[::2], sections[1::2], strict=True)
        for name, value, text in entry.findall(body)
    }
    hints = get_type_hints(group, include_extras=True)
    found: list[inspect.Parameter] = []
    for name in taken:
        kind, bounds = hints[name], (None, None)
        if get_origin(kind) is Annotated:
            kind, bounds = get_args(kind)
        word = f"--{name.replace('_', '-')}"
        limits = {"min": bounds[0], "max": bounds[1], "path_type": Path}
        option = typer.Option(word, **limits, **told.get(name, {}))
        parts = (kind, *get_args(kind))
        names = [n for part in parts if get_origin(part) is Literal for n in get_args(part)]
        numbers = {int, float} & {*parts}
        for number in numbers:
            option.parser = _number(word, number, bounds[0], bounds[1], names)
            kind = number if names else kind
        if names and not numbers:
            kind = _one_of(tuple(names), option)
        keyword = inspect.Parameter.KEYWORD_ONLY
        annotation, default = Annotated[kind, option], getattr(group, name)
        found.append(inspect.Parameter(name, keyword, default=default, annotation=annotation))
    return found


def _number(
    option: str,
    kind: type[int] | type[float],
    least: float | None,
    most: float | None,
    names: Sequence[str],
) -> Callable[[object], float | str]:
    """What reads the number of an option or a name, and refuses a wrong one in our words."""
    expected = "a whole number" if kind is int else "a number"
    if least is not None:
        expected += f" of at least {least:,}" if most is None else f" of {least:,} to {most:,}"
    expected += "".join(f" or {name}" for name in names)
    low, high = -math.inf if least is None else least, math.inf if most is None else most

    def read(given: object) -> float | str:
        if given in names:
            return str(given)
        from synergy.quantities import decimal_number, whole_number  # help needs no pydantic

        found = (whole_number if kind is int else decimal_number)(str(given))
        if found is None or not low <= found <= high:
            raise ConfigError(f"{option}: expected {expected}, found {quoted(str(given))}")
        return found

    return read


def _one_of(names: tuple[str, ...], option: Any) -> Any:
    """The type of an option with a choice of names; a wrong one is refused in our words."""

    def check(given: str | None) -> str | None:
        if given is not None and given not in names:
            raise ConfigError(
                f"{option.default}: expected {' or '.join(names)}, found {quoted(given)}"
                f"{did_you_mean(given, names)}"
            )
        return given

    option.callback, option.autocompletion = check, lambda: names
    return str | None


class PanelCommand(TyperCommand):
    """A command whose help has the options by panel, and which refuses those that conflict."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The options under headings, in plain text."""
        panels: dict[str, list[tuple[str, str]]] = {title: [] for title in _PANELS}
        for param in self.get_params(ctx):
            if record := param.get_help_record(ctx):
                of_option = getattr(param, "rich_help_panel", None) or _PANELS[-1]
                panels[of_option if param.param_type_name == "option" else _PANELS[0]] += [record]
        for title, records in panels.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def _with_values(self, args: list[str]) -> list[str]:
        """The arguments with ``yes`` for what may stand alone: what has its value in brackets."""
        values = {param.opts[0]: str(getattr(param, "metavar", "")) for param in self.params}
        alone = {name for name, value in values.items() if value.startswith("[")}
        following = [*args, ""][1:]
        return [
            f"{arg}=yes" if arg in alone and after not in _AFTER else arg
            for arg, after in zip(args, following, strict=True)
        ]

    def invoke(self, ctx: Any) -> Any:
        """Run it, in the width of the terminal unless --wide was given."""
        with unlimited(bool(ctx.params.get("wide"))):
            return super().invoke(ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """What is left of the arguments; ConfigError if options conflict that were given."""
        rest = super().parse_args(ctx, self._with_values(args))
        given: dict[str, Any] = {}
        for param in self.params:
            source = ctx.get_parameter_source(param.name)
            if source is not None and source.name == "COMMANDLINE":
                given[param.opts[0]] = ctx.params[param.name]
        if not ctx.resilient_parsing:
            refuse_conflicts(self.name or "", given)
        return rest
