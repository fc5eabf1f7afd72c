"""The format ``torch``: readable PyTorch source, safetensors, specification and model card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from synergy.audio.features import LOG_OFFSET, FeatureConfig, mel_filterbank
from synergy.encoders import Encoder
from synergy.errors import ModelError
from synergy.export import source
from synergy.export.folder import write_folder
from synergy.export.spec import INTERFACE_KEY, SPEC_FILE, WEIGHTS_FILE, About, Spec, build_spec
from synergy.files import json_text, sealed
from synergy.network import TreeNetwork
from synergy.tasks import TaskSpec
from synergy.tree import SharingTree

FEATURE_PREFIX = "log_mel."
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def export_model(
    folder: Path,
    network: TreeNetwork,
    encoder: Encoder,
    features: FeatureConfig,
    mean: np.ndarray,
    std: np.ndarray,
    about: About,
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
    encoder : Encoder
        What the blocks of ``network`` were built from.
    features : FeatureConfig
    mean, std : float32 arrays [M]
        Normalisation per mel band; std > 0.
    about : About

    Raises
    ------
    ModelError
        If the arguments do not belong together, a weight is not finite, a module cannot be
        written (`check_exportable`), or the folder holds something else or cannot be written.
    """
    source.check_exportable(network, encoder)
    tensors = {name: _stored(value) for name, value in network.state_dict().items()}
    tensors |= feature_tensors(features, mean, std)
    built = meta_network(network.tree, encoder, tuple(network.specs.values()), features)
    if repr(built) != repr(network):
        raise ModelError(
            f"expected a network of encoder {encoder.name} with the settings given, found one "
            "with other layers; pass the encoder that it was built from"
        )
    check_tensors(tensors, built, features, "the network")
    spec = build_spec(network, encoder, features, about)
    # Weights carry the digest of their interface, and the specification that of the weights.
    weights = safetensors.torch.save(tensors, {INTERFACE_KEY: spec.interface()})
    origin = spec.weights.model_copy(update={"sha256": hashlib.sha256(weights).hexdigest()})
    spec = spec.model_copy(update={"weights": origin})
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters |= {"cell": cell, "json": json.dumps}
    values = {
        "spec": spec,
        "order": list(about.tasks),
        "network": network,
        "source": source,
        "per_frame": any(
            "per_feature_frame(" in s.rules.exported_logits("") for s in network.specs.values()
        ),
        "log_offset": LOG_OFFSET,
    }
    texts = {
        "model.py": environment.get_template("model.py.jinja").render(values),
        "README.md": environment.get_template("README.md.jinja").render(values),
        "spec.schema.json": json_text({"$schema": _DIALECT, **Spec.model_json_schema()}),
    }
    files = {name: text.encode() for name, text in texts.items()}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    spec = spec.model_copy(update={"files": digests})
    told = json_text(sealed(spec.model_dump(mode="json", exclude={"checksum"})))
    write_folder(folder, {WEIGHTS_FILE: weights, SPEC_FILE: told.encode(), **files})


def cell(text: Any) -> str:
    """Text that stays one cell of a Markdown table, whatever a corpus or class is called."""
    plain = " ".join(str(text).split())
    for mark in "\\`*_[]<>|#":
        plain = plain.replace(mark, f"\\{mark}")
    return plain


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


def meta_network(
    tree: SharingTree, encoder: Encoder, tasks: Sequence[TaskSpec], features: FeatureConfig
) -> TreeNetwork:
    """The network of a tree, with tensors that have a shape and no values, ready to be run."""
    with torch.device("meta"):
        return TreeNetwork(tree, encoder, tasks, features.mels).eval()


def check_tensors(
    tensors: dict[str, Tensor], network: TreeNetwork, features: FeatureConfig, where: str
) -> None:
    """Raise ModelError unless these are finite tensors of the names, shapes and types needed."""
    constants = feature_tensors(features, np.zeros(features.mels), np.ones(features.mels))
    expected = {**network.state_dict(), **constants}
    problems = [f"{name} is missing" for name in sorted(set(expected) - set(tensors))]
    problems += [f"{name} is unknown" for name in sorted(set(tensors) - set(expected))]
    for name in sorted(set(expected) & set(tensors)):
        found, wanted = tensors[name], expected[name]
        if found.shape != wanted.shape:
            problems.append(f"{name} is {list(found.shape)} instead of {list(wanted.shape)}")
        elif found.dtype != wanted.dtype:
            problems.append(f"{name} is {found.dtype} instead of {wanted.dtype}")
        elif not torch.isfinite(found).all():
            problems.append(f"{name} holds NaN or infinity")
        elif name == f"{FEATURE_PREFIX}std" and not (found > 0).all():
            problems.append(f"{name} is not positive")
    if problems:
        more = f" and {len(problems) - 4} more" if len(problems) > 4 else ""
        raise ModelError(f"{where} cannot be used: {', '.join(problems[:4])}{more}")


def _stored(value: Tensor) -> Tensor:
    # Training may leave channels_last tensors behind; safetensors wants plain ones.
    return value.detach().to("cpu", memory_format=torch.contiguous_format, copy=True).contiguous()
