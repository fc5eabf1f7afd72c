"""Modules as source code.

Layers of torch are written from their attributes (`LAYERS`), classes of this package as a
template that defines them (`CLASSES`). Nothing else can be exported: a new layer or class in an
encoder or decoder needs one entry in one of the two.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from synergy.errors import ModelError
from synergy.network import TreeNetwork, head_name
from synergy.tasks.clip_classification import AttentionDecoder
from synergy.tasks.frame_activity import GruDecoder
from synergy.tree import Branch

WIDTH = 100


@dataclass(frozen=True)
class Layer:
    """How a layer of torch is written.

    Attributes
    ----------
    positional : tuple of str
        Attributes that are passed by position.
    keywords : dict of str to value
        The other arguments with torch's defaults, which are not written. ``bias`` stands for
        whether there is one; a value that is the name of another attribute for that attribute.
    """

    positional: tuple[str, ...]
    keywords: Mapping[str, Any]


LAYERS: dict[type[nn.Module], Layer] = {
    nn.Conv2d: Layer(
        ("in_channels", "out_channels"),
        {
            "kernel_size": None,
            "stride": 1,
            "padding": 0,
            "dilation": 1,
            "groups": 1,
            "bias": True,
            "padding_mode": "zeros",
        },
    ),
    nn.BatchNorm2d: Layer(
        ("num_features",),
        {"eps": 1e-5, "momentum": 0.1, "affine": True, "track_running_stats": True},
    ),
    nn.ReLU: Layer((), {"inplace": False}),
    nn.MaxPool2d: Layer(
        ("kernel_size",),
        {
            "stride": "kernel_size",
            "padding": 0,
            "dilation": 1,
            "return_indices": False,
            "ceil_mode": False,
        },
    ),
    nn.Linear: Layer(("in_features", "out_features"), {"bias": True}),
    nn.GRU: Layer(
        ("input_size", "hidden_size"),
        {
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0.0,
            "bidirectional": False,
        },
    ),
}


@dataclass(frozen=True)
class WrittenClass:
    """How a class of this package is written.

    Attributes
    ----------
    template : str
        File in ``templates/`` that defines a class of the same name, with the same submodules.
    arguments : callable
        From an instance to the arguments with which the template's class makes the same one.
    """

    template: str
    arguments: Callable[[Any], Sequence[int]]


CLASSES: dict[type[nn.Module], WrittenClass] = {
    AttentionDecoder: WrittenClass(
        "attention_decoder.py.jinja",
        lambda decoder: (decoder.classify.in_features, decoder.classify.out_features),
    ),
    GruDecoder: WrittenClass(
        "gru_decoder.py.jinja",
        lambda decoder: (decoder.gru.input_size, decoder.gru.hidden_size),
    ),
}


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
        If ``module`` or one inside is none of `LAYERS`, `CLASSES` and ``nn.Sequential``.
    """
    comment = f"  # {comment}" if comment else ""
    if type(module) is nn.Sequential:
        names = [name for name, _ in module.named_children()]
        if names != [str(number) for number in range(len(names))]:
            raise ModelError(f"expected nn.Sequential with numbered parts, found {names}")
        inside = [f"    {line}" for part in module for line in module_lines(part)]
        return [f"nn.Sequential({comment}", *inside, "),"] if inside else ["nn.Sequential(),"]
    if type(module) in CLASSES:
        arguments = ", ".join(map(literal, CLASSES[type(module)].arguments(module)))
        return [f"{type(module).__name__}({arguments}),{comment}"]
    if type(module) in LAYERS:
        arguments = ", ".join(_arguments(module, LAYERS[type(module)]))
        return [f"nn.{type(module).__name__}({arguments}),{comment}"]
    raise ModelError(
        f"{type(module).__name__} cannot be exported: expected one of "
        f"{', '.join(sorted(kind.__name__ for kind in {**LAYERS, **CLASSES}))}; add it to LAYERS "
        "or CLASSES in synergy/export/source.py"
    )


def _arguments(module: nn.Module, layer: Layer) -> Iterator[str]:
    for name in layer.positional:
        yield literal(_value(module, name))
    for name, default in layer.keywords.items():
        value = _value(module, name)
        usual = default
        if isinstance(default, str) and hasattr(module, default):
            usual = _value(module, default)
        if value != usual:
            yield f"{name}={literal(value)}"


def _value(module: nn.Module, name: str) -> Any:
    """An attribute as it is passed to the constructor: (3, 3) as 3, a bias as True."""
    value = getattr(module, name)
    if name == "bias":
        return value if isinstance(value, bool) else value is not None
    if isinstance(value, tuple) and len(set(value)) == 1:
        return value[0]
    return value


def submodule_lines(network: TreeNetwork, order: Iterable[str]) -> list[str]:
    """Statements that make the branches and decoders of ``network``, as attributes of self."""
    lines: list[str] = []
    for branch in network.tree.branches():
        if branch.blocks is None:
            continue
        lines.append(f"self.{network.names[branch]} = nn.Sequential(")
        for number, block in network.blocks_of(branch).items():
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
    encoded: dict[str, str] = {}

    def run(branch: Branch, source: str) -> None:
        if branch.blocks is not None:
            name = network.names[branch]
            lines.append(f"{name} = self.{name}({source})")
            source = name
        if branch.is_leaf:
            encoded[branch.tasks[0]] = source
        for child in branch.children:
            run(child, source)

    run(network.tree.root, "features")
    lines.append("return {")
    for task in order:
        logits = f"self.{head_name(task)}({encoded[task]})"
        if network.specs[task].rules.threshold is not None:
            logits = f"per_feature_frame({logits}, features.shape[3])"
        lines.append(f"    {literal(task)}: {logits},")
    lines.append("}")
    return lines


def class_templates(network: TreeNetwork) -> list[str]:
    """Templates of the classes that occur in ``network``, each once, sorted."""
    used = {CLASSES[type(m)].template for m in network.modules() if type(m) in CLASSES}
    return sorted(used)
