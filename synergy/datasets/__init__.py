"""Corpora: one module per format, and the store of their features.

`DATASETS` names the formats. To add one, write a module with a configuration whose ``format``
is a literal and a loader ``load(name, config, progress) -> Corpus``, and add it to both here. The
name is for messages and results. A loader raises a DataError that names all problems together, and
a ConfigError where the folder names an environment variable that is not set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from synergy.datasets.base import Corpus, Progress
from synergy.datasets.demo_speech import DemoSpeechConfig, load_demo_speech
from synergy.datasets.manifest import ManifestConfig, load_manifest
from synergy.datasets.speech_commands import SpeechCommandsConfig, load_speech_commands
from synergy.files import StrictModel

DATASETS: dict[str, tuple[type[StrictModel], Callable[[str, Any, Progress | None], Corpus]]] = {
    "manifest": (ManifestConfig, load_manifest),
    "speech_commands": (SpeechCommandsConfig, load_speech_commands),
    "demo_speech": (DemoSpeechConfig, load_demo_speech),
}

CorpusConfig = Annotated[
    ManifestConfig | SpeechCommandsConfig | DemoSpeechConfig, Field(discriminator="format")
]
"""Settings of a corpus of any format: the classes in `DATASETS`."""
