"""Modules as source code.

Layers of torch are written from the parameters of their constructors (`LAYERS`), ``nn.Sequential``
by its parts. Any other class can be exported when it says how (`Written`), whoever wrote it:

    class Gate(nn.Module):
        def __init__(self, channels: int) -> None: ...
        def forward(self, x: Tensor) -> Tensor: ...

        @staticmethod
        def source() -> str:
            return Path(__file__).with_name("gate.py.txt").read_text(encoding="utf-8")

        def source_arguments(self) -> tuple[int]:
            return (self.channels,)

`check_exportable` tells before any training whether a network can be exported.
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

from pydantic import ValidationError
from torch import nn

from synergy.encoders import Encoder, read_encoder
from synergy.errors import ConfigError, ModelError
from synergy.files import StrictModel
from synergy.network import TreeNetwork, head_name

WIDTH = 100
_OWN_NAMES = ("LogMel", "Network", "Path", "Tensor")  # in every model.py


LAYERS: dict[type[nn.Module], int] = {
    nn.AdaptiveAvgPool2d: 1,
    nn.AvgPool2d: 1,
    nn.BatchNorm1d: 1,
    nn.BatchNorm2d: 1,
    nn.Conv1d: 2,
    nn.Conv2d: 2,
    nn.Dropout: 0,
    nn.ELU: 0,
    nn.Flatten: 0,
    nn.GELU: 0,
    nn.GRU: 2,
    nn.GroupNorm: 2,
    nn.Hardswish: 0,
    nn.Identity: 0,
    nn.LayerNorm: 1,
    nn.LeakyReLU: 0,
    nn.Linear: 2,
    nn.MaxPool2d: 1,
    nn.PReLU: 0,
    nn.ReLU: 0,
    nn.ReLU6: 0,
    nn.SiLU: 0,
    nn.Sigmoid: 0,
    nn.Tanh: 0,
}
"""How many arguments of a layer of torch are passed by position; others where not the default."""


@runtime_checkable
class Written(Protocol):
    """A module that says how it is written into an exported model."""

    def source(self) -> str:
        """Definition of a class of the same name, submodules and parameters, for ``model.py``.

        It uses ``torch``, ``nn`` and ``Tensor``, which are imported there, and the classes of
        submodules that are `Written` themselves; it imports torch or nothing. ``forward`` takes
        what a block takes, or a decoder, without valid frames. May be a static or class method.
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


def module_lines(module: nn.Module, path: str = "module", comment: str = "") -> list[str]:
    """Source of an expression that makes ``module``, its last line ended by a comma.

    A ModelError is raised if ``module``, which stands at ``path``, or one inside is none of
    `LAYERS`, `Written` and ``nn.Sequential``.
    """
    comment = f"  # {comment}" if comment else ""
    name = type(module).__name__
    if type(module) is nn.Sequential:
        parts = dict(module.named_children())
        if list(parts) != [str(number) for number in range(len(parts))]:
            raise ModelError(
                f"{path}: expected nn.Sequential with numbered parts, found {list(parts)}"
            )
        inner = (module_lines(part, f"{path}.{number}") for number, part in parts.items())
        inside = [f"    {line}" for lines in inner for line in lines]
        return [f"nn.Sequential({comment}", *inside, "),"] if inside else ["nn.Sequential(),"]
    if type(module) in LAYERS:
        return [f"nn.{name}({', '.join(_arguments(module))}),{comment}"]
    if isinstance(module, Written):
        return [f"{name}({', '.join(map(literal, module.source_arguments()))}),{comment}"]
    raise ModelError(
        f"{path}: {name} cannot be exported: expected one of "
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
        value, usual = getattr(module, parameter.name), parameter.default
        if parameter.name == "bias" and not isinstance(value, bool):
            value = value is not None
        if parameter.name == "stride" and usual is None:
            usual = module.kernel_size
        if isinstance(module, nn.modules.conv._ConvNd) and isinstance(value, tuple):
            value = value[0] if len(set(value)) == 1 else value  # torch makes (3, 3) of 3
        if place < LAYERS[type(module)]:
            yield literal(value)
        elif value != usual:
            yield f"{parameter.name}={literal(value)}"


def submodule_lines(network: TreeNetwork, order: Iterable[str]) -> list[str]:
    """Statements that make the branches and decoders of ``network``, as attributes of self."""
    lines: list[str] = []
    for branch, name in network.names.items():
        lines.append(f"self.{name} = nn.Sequential(")
        for place, (number, block) in enumerate(network.blocks_of(branch).items()):
            made = module_lines(block, f"{name}.{place}", f"block {number}")
            lines += [f"    {line}" for line in made]
        lines.append(")")
    for name in map(head_name, order):
        made = module_lines(network.get_submodule(name), name)
        made[0] = f"self.{name} = {made[0]}"
        lines += [*made[:-1], made[-1].removesuffix(",")]
    return lines


def forward_lines(network: TreeNetwork, order: Sequence[str]) -> list[str]:
    """Statements that run the branches on ``features`` and return the logits of all tasks."""
    lines: list[str] = []
    inputs, encoded = {id(network.tree.root): "features"}, {}
    for branch in network.tree.branches():
        made = inputs[id(branch)]
        if branch.blocks is not None:
            name = network.names[branch]
            lines.append(f"{name} = self.{name}({made})")
            made = name
        if branch.is_leaf:
            encoded[branch.tasks[0]] = made
        inputs |= {id(child): made for child in branch.children}
    lines.append("return {")
    for task in order:
        rules = network.specs[task].rules
        logits = rules.exported_logits(f"self.{head_name(task)}({encoded[task]})")
        lines.append(f"    {literal(task)}: {logits},")
    lines.append("}")
    return lines


def class_texts(network: TreeNetwork) -> list[str]:
    """Definitions of the classes in ``network`` that are `Written`, each once, sorted by name.

    A ModelError says where one is not the definition that `Written` asks for.
    """
    texts: dict[str, str] = dict.fromkeys(_OWN_NAMES, "")
    for path, module in network.named_modules():
        if isinstance(module, Written):
            name, text = type(module).__name__, module.source().strip()
            problem = _problem(module, name, text)
            if texts.setdefault(name, text) != text:
                problem = "another class has this name"
            if problem:
                raise ModelError(f"{path}: {name} cannot be exported: {problem}")
    return [texts[name] for name in sorted(texts) if texts[name]]


def _problem(module: Written, name: str, text: str) -> str:
    """Why a class cannot be written, empty if it can."""
    arguments = list(map(literal, module.source_arguments()))
    try:
        statements = ast.parse(text).body
        ast.literal_eval(f"[{', '.join(arguments)}]")
    except (SyntaxError, ValueError) as error:
        return f"source() or source_arguments() gives no Python ({error})"
    if [node.name for node in statements if isinstance(node, ast.ClassDef)] != [name]:
        return f"expected the definition of {name} from source()"
    nodes = [node for statement in statements for node in ast.walk(statement)]
    imported = {item.name for node in nodes if isinstance(node, ast.Import) for item in node.names}
    imported |= {node.module or "." for node in nodes if isinstance(node, ast.ImportFrom)}
    strange = sorted(found for found in imported if found.split(".")[0] != "torch")
    return f"its source() imports {', '.join(strange)}" if strange else ""


def check_exportable(network: TreeNetwork, encoder: Encoder) -> None:
    """Raise ModelError for a network that could not be exported; also before it is trained.

    Its blocks were built from ``encoder``; it may be on the meta device, without values. The error
    names the place and the class of the first module that cannot be written.
    """
    if not isinstance(encoder, StrictModel):
        raise ModelError(f"encoder {encoder.name} cannot be exported: it is no configuration")
    try:
        read_encoder(encoder.model_dump(mode="json"))
    except (ConfigError, ValidationError) as error:  # who reads the model has the JSON alone
        raise ModelError(f"encoder {encoder.name} cannot be exported: {error}") from error
    submodule_lines(network, network.tree.tasks)
    class_texts(network)
