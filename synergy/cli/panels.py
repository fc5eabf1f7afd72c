"""How typer comes to read groups of options, and help that shows them under headings."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from typer.core import TyperCommand

from synergy.cli.conflicts import refuse_conflicts
from synergy.errors import ConfigError
from synergy.wording import did_you_mean

_PANELS = ("Arguments", "Data", "Search", "Training", "Output", "Other")


def spelled_out(command: Callable[..., None], offered: str) -> Callable[..., None]:
    """``command`` with single options in its signature instead of groups.

    Parameters
    ----------
    command : callable
        Each parameter is a group, a dataclass of options, or an option of its own.
    offered : str
        Names of the options that the command has of its groups, with spaces between; the others
        keep their defaults.
    """
    missing, groups, flat = set(offered.split()), {}, []
    hints = get_type_hints(command, include_extras=True)
    for name, parameter in inspect.signature(command).parameters.items():
        if not is_dataclass(group := hints[name]):
            flat.append(_option(name, group, parameter.default))
            continue
        inner = get_type_hints(group, include_extras=True)
        taken = [field for field in fields(group) if field.name in missing]
        missing -= {field.name for field in taken}
        groups[name] = (group, [field.name for field in taken])
        flat += [_option(field.name, inner[field.name], field.default) for field in taken]
    if missing:
        raise ValueError(f"no group of the command has {missing}")

    def made_groups(**given: Any) -> None:
        made = {
            name: group(**{taken: given.pop(taken) for taken in names})
            for name, (group, names) in groups.items()
        }
        command(**made, **given)

    made_groups.__doc__ = command.__doc__
    made_groups.__annotations__ = {option.name: option.annotation for option in flat}
    made_groups.__signature__ = inspect.Signature(flat)
    return made_groups


def _option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    """One option; where it has a choice of names, a wrong one is refused in our words."""
    kind, told = get_args(annotation)
    known = [
        choice
        for part in (kind, *get_args(kind))
        if get_origin(part) is Literal
        for choice in get_args(part)
    ]

    def check(given: str | None) -> str | None:
        if given is not None and given not in known:
            raise ConfigError(
                f"{told.default}: expected {' or '.join(known)}, found {given!r}"
                f"{did_you_mean(given, known)}"
            )
        return given

    if known:
        told.callback, told.autocompletion = check, lambda: known
        annotation = Annotated[str | None, told]
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, keyword, default=default, annotation=annotation)


class PanelCommand(TyperCommand):
    """A command whose help has the options by panel, and which refuses those that conflict."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The options under headings, in plain text."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if record := param.get_help_record(ctx):
                of_option = getattr(param, "rich_help_panel", None) or _PANELS[-1]
                title = of_option if param.param_type_name == "option" else _PANELS[0]
                panels.setdefault(title, []).append(record)
        for title in filter(panels.__contains__, _PANELS):
            with formatter.section(title):
                formatter.write_dl(panels[title])

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """What is left of the arguments.

        Raises
        ------
        ConfigError
            If options conflict that were given.
        """
        rest = super().parse_args(ctx, args)
        given: dict[str, Any] = {}
        for param in self.params:
            source = ctx.get_parameter_source(param.name)
            if source is not None and source.name == "COMMANDLINE":
                given[param.opts[0]] = ctx.params[param.name]
        if not ctx.resilient_parsing:
            refuse_conflicts(self.name or "", given)
        return rest
