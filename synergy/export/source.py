"""Modules as source code.

Layers of torch are written from the parameters of their constructors (`LAYERS`), any other class
as it says itself (`Written`).
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import nn

from synergy.errors import ModelError
from synergy.network import TreeNetwork, head_name
from synergy.tasks import TASK_KINDS

WIDTH = 100


LAYERS: dict[type[nn.Module], int] = {
    nn.BatchNorm2d: 1,
    nn.Conv2d: 2,
    nn.GRU: 2,
    nn.Linear: 2,
    nn.MaxPool2d: 1,
    nn.ReLU: 0,
}
"""How many arguments of a layer of torch are passed by position; others where not the default."""


@runtime_checkable
class Written(Protocol):
    """A module that says how it is written into an exported model."""

    def source(self) -> str:
        """A class of the same name with the same submodules and parameters.

        It imports nothing: ``torch``, ``nn`` and ``Tensor`` are there. ``forward`` takes what a
        block or a decoder takes, without valid frames. A static or class method.
        """
        ...

    def source_arguments(self) -> tuple[Any, ...]:
        """What that class is called with for a module like this one: literals."""
        ...


def literal(value: Any) -> str:
    """Python source of a string, a number, None or a tuple of them; strings in double quotes."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple):
        inside = ", ".join(map(literal, value))
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    return repr(value)


def assignment(start: str, values: Sequence[Any], end: str) -> str:
    """``start(values)end``, one value a line where it would be wider than `WIDTH`."""
    line = f"{start}{literal(tuple(values))}{end}"
    if len(line) <= WIDTH:
        return line
    indent = " " * (len(line) - len(line.lstrip()))
    return "\n".join(
        [f"{start}(", *(f"{indent}    {literal(v)}," for v in values), f"{indent}){end}"]
    )


def module_lines(module: nn.Module, comment: str = "") -> list[str]:
    """Source of an expression that makes ``module``, its last line ended by a comma.

    Raises
    ------
    ModelError
        If ``module`` or one inside is none of `LAYERS`, `Written` and ``nn.Sequential``.
    """
    comment = f"  # {comment}" if comment else ""
    if type(module) is nn.Sequential:
        names = [name for name, _ in module.named_children()]
        if names != [str(number) for number in range(len(names))]:
            raise ModelError(f"expected nn.Sequential with numbered parts, found {names}")
        inside = [f"    {line}" for part in module for line in module_lines(part)]
        return [f"nn.Sequential({comment}", *inside, "),"] if inside else ["nn.Sequential(),"]
    name = type(module).__name__
    if type(module) in LAYERS:
        return [f"nn.{name}({', '.join(_arguments(module))}),{comment}"]
    if isinstance(module, Written):
        return [f"{name}({', '.join(map(literal, module.source_arguments()))}),{comment}"]
    raise ModelError(
        f"{name} cannot be exported: expected one of "
        f"{', '.join(kind.__name__ for kind in LAYERS)}, or a class with source() and "
        "source_arguments()"
    )


def _arguments(module: nn.Module) -> Iterator[str]:
    constructor = nn.RNNBase if isinstance(module, nn.RNNBase) else type(module)
    parameters = [
        parameter
        for parameter in inspect.signature(constructor).parameters.values()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        and parameter.name not in ("mode", "device", "dtype")
    ]
    for place, parameter in enumerate(parameters):
        value, usual = _value(module, parameter.name), parameter.default
        if parameter.name == "stride" and usual is None:
            usual = _value(module, "kernel_size")
        if place < LAYERS[type(module)]:
            yield literal(value)
        elif value != usual:
            yield f"{parameter.name}={literal(value)}"


def _value(module: nn.Module, name: str) -> Any:
    """An attribute as it was passed to the constructor: a bias as True."""
    value = getattr(module, name)
    if name == "bias":
        return value if isinstance(value, bool) else value is not None
    if isinstance(module, nn.modules.conv._ConvNd) and isinstance(value, tuple):
        return value[0] if len(set(value)) == 1 else value  # torch makes (3, 3) of 3
    return value


def submodule_lines(network: TreeNetwork, order: Iterable[str]) -> list[str]:
    """Statements that make the branches and decoders of ``network``, as attributes of self."""
    lines: list[str] = []
    for branch in network.tree.branches():
        if branch.blocks is None:
            continue
        name = network.branch_names[id(branch)]
        lines.append(f"self.{name} = nn.Sequential(")
        blocks = network.get_submodule(name).children()
        for number, block in zip(branch.block_numbers, blocks, strict=True):
            lines += [f"    {line}" for line in module_lines(block, f"block {number}")]
        lines.append(")")
    for task in order:
        made = module_lines(network.get_submodule(head_name(task)))
        made[0] = f"self.{head_name(task)} = {made[0]}"
        lines += [*made[:-1], made[-1].removesuffix(",")]
    return lines


def forward_lines(network: TreeNetwork, order: Sequence[str]) -> list[str]:
    """Statements that run the branches on ``features`` and return the logits of all tasks."""
    lines: list[str] = []
    inputs, encoded = {id(network.tree.root): "features"}, {}
    for branch in network.tree.branches():
        made = inputs[id(branch)]
        if branch.blocks is not None:
            name = network.branch_names[id(branch)]
            lines.append(f"{name} = self.{name}({made})")
            made = name
        if branch.is_leaf:
            encoded[branch.tasks[0]] = made
        inputs |= {id(child): made for child in branch.children}
    lines.append("return {")
    for task in order:
        kind = TASK_KINDS[network.specs[task].kind]
        logits = kind.exported_logits(f"self.{head_name(task)}({encoded[task]})")
        lines.append(f"    {literal(task)}: {logits},")
    lines.append("}")
    return lines


def class_texts(network: TreeNetwork) -> list[str]:
    """Definitions of the classes in ``network`` that are `Written`, each once, sorted by name."""
    texts = {type(m).__name__: m.source() for m in network.modules() if isinstance(m, Written)}
    return [texts[name].strip() for name in sorted(texts)]
