"""The format ``torch``: readable PyTorch source, safetensors, specification and model card."""

from __future__ import annotations

import hashlib
from pathlib import Path

import jinja2
import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from synergy.atomic import json_text
from synergy.audio.features import LOG_OFFSET, FeatureConfig, mel_filterbank
from synergy.encoders import Encoder
from synergy.errors import ModelError
from synergy.export.card import card_values, cell
from synergy.export.facts import ModelFacts
from synergy.export.folder import write_folder
from synergy.export.source import (
    assignment,
    class_templates,
    forward_lines,
    literal,
    submodule_lines,
)
from synergy.export.spec import (
    CARD_FILE,
    INTERFACE_KEY,
    SCHEMA_FILE,
    SOURCE_FILE,
    SPEC_FILE,
    WEIGHTS_FILE,
    Spec,
    build_spec,
    json_schema,
)
from synergy.network import TreeNetwork

FEATURE_PREFIX = "log_mel."


def export_model(
    folder: Path,
    network: TreeNetwork,
    features: FeatureConfig,
    mean: np.ndarray,
    std: np.ndarray,
    about: ModelFacts,
    encoder: Encoder,
) -> None:
    """Write a trained network as a folder that works without this package.

    ``model.py``, ``weights.safetensors``, ``spec.json``, ``spec.schema.json`` and ``README.md``;
    the same bytes for the same arguments. An earlier export in ``folder`` is replaced when the
    new one is complete.

    Parameters
    ----------
    folder : Path
    network : TreeNetwork
        On any device, in either mode; it is not changed.
    features : FeatureConfig
    mean, std : float32 arrays [M]
        Normalisation per mel band; std > 0.
    about : ModelFacts
    encoder : Encoder
        What the blocks of ``network`` were built from.

    Raises
    ------
    ModelError
        If the arguments do not belong together, a weight is not finite, a layer is unknown to
        `synergy.export.source`, or the folder holds something else or cannot be written.
    """
    tensors = {name: _stored(value) for name, value in network.state_dict().items()}
    expected = expected_shapes(network, encoder, features)
    tensors |= feature_tensors(features, mean, std)
    check_tensors(tensors, expected, "the network")
    # Twice, because the interface is part of the weights and their digest part of the spec.
    interface = build_spec(network, features, encoder, about, "0" * 64).interface()
    weights = safetensors.torch.save(tensors, {INTERFACE_KEY: interface})
    spec = build_spec(network, features, encoder, about, hashlib.sha256(weights).hexdigest())
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters |= {"literal": literal, "cell": cell}
    texts = {
        SOURCE_FILE: _source(environment, network, spec),
        SPEC_FILE: json_text(spec.model_dump(mode="json")),
        SCHEMA_FILE: json_text(json_schema()),
        CARD_FILE: environment.get_template("README.md.jinja").render(card_values(spec)),
    }
    files = {name: text.encode() for name, text in texts.items()}
    write_folder(folder, {WEIGHTS_FILE: weights, **files})


def feature_tensors(
    features: FeatureConfig, mean: np.ndarray, std: np.ndarray
) -> dict[str, Tensor]:
    """The constants of the features under their names in the weights, float32."""
    constants = {
        "window": torch.hann_window(features.window_samples),
        "filterbank": torch.from_numpy(mel_filterbank(features)),
        "mean": torch.from_numpy(np.array(mean, dtype=np.float32)),
        "std": torch.from_numpy(np.array(std, dtype=np.float32)),
    }
    return {f"{FEATURE_PREFIX}{name}": value for name, value in constants.items()}


def expected_shapes(
    network: TreeNetwork, encoder: Encoder, features: FeatureConfig
) -> dict[str, torch.Size]:
    """Shape of every tensor in the weights of a network of this tree and these tasks."""
    with torch.device("meta"):
        built = TreeNetwork(network.tree, encoder, list(network.specs.values()), features.mels)
    shapes = {name: value.shape for name, value in built.state_dict().items()}
    constants = feature_tensors(features, np.zeros(features.mels), np.ones(features.mels))
    return shapes | {name: value.shape for name, value in constants.items()}


def check_tensors(
    tensors: dict[str, Tensor], expected: dict[str, torch.Size], where: str
) -> None:
    """Raise ModelError unless the tensors have these names and shapes and are finite."""
    problems = [f"{name} is missing" for name in sorted(set(expected) - set(tensors))]
    problems += [f"{name} is unknown" for name in sorted(set(tensors) - set(expected))]
    for name in sorted(set(expected) & set(tensors)):
        if tensors[name].shape != expected[name]:
            problems.append(
                f"{name} is {list(tensors[name].shape)} instead of {list(expected[name])}"
            )
        elif not torch.isfinite(tensors[name]).all():
            problems.append(f"{name} holds NaN or infinity")
        elif name == f"{FEATURE_PREFIX}std" and not (tensors[name] > 0).all():
            problems.append(f"{name} is not positive")
    if problems:
        more = f" and {len(problems) - 4} more" if len(problems) > 4 else ""
        raise ModelError(f"{where} cannot be used: {', '.join(problems[:4])}{more}")


def _stored(value: Tensor) -> Tensor:
    # Training may leave channels_last tensors behind; safetensors wants plain ones.
    return value.detach().to("cpu", memory_format=torch.contiguous_format, copy=True).contiguous()


def _source(environment: jinja2.Environment, network: TreeNetwork, spec: Spec) -> str:
    order = [task.name for task in spec.tasks]
    features = spec.features
    templates = [environment.get_template(name) for name in class_templates(network)]
    return environment.get_template("model.py.jinja").render(
        tasks=", ".join(order),
        drawing=network.tree.ascii(order).splitlines(),
        sha256=spec.weights.sha256,
        shortest=features.fft_samples // 2 + 1,
        frame_s=features.hop_s,
        frame_stride=network.frame_stride,
        classes=[assignment(f"    {literal(t.name)}: ", t.classes, ",") for t in spec.tasks],
        activities={t.name: t.threshold for t in spec.tasks if t.threshold is not None},
        window=features.window_samples,
        fft=features.fft_samples,
        hop=features.hop_samples,
        mels=features.mels,
        log_offset=LOG_OFFSET,
        class_texts=[template.render() for template in templates],
        submodules=submodule_lines(network, order),
        forward=forward_lines(network, order),
    )
