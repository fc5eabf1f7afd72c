"""The exported model: a folder that works without this package.

``EXPORTERS`` maps the name of a format to the function that writes it; all take what
`export_model` takes. ``facts`` is what the caller knows about the network, ``spec`` the form in
which the folder tells it, ``source`` turns modules into code, ``folder`` makes sure that a
folder is complete or absent.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from synergy.audio.features import FeatureConfig
from synergy.encoders import Encoder
from synergy.export.facts import CorpusFacts, ModelFacts
from synergy.export.torch_model import export_model
from synergy.network import TreeNetwork

Exporter = Callable[
    [Path, TreeNetwork, FeatureConfig, np.ndarray, np.ndarray, ModelFacts, Encoder], None
]

EXPORTERS: dict[str, Exporter] = {
    "torch": export_model,
}

__all__ = ["EXPORTERS", "CorpusFacts", "Exporter", "ModelFacts", "export_model"]
