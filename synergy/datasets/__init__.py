"""Corpora: one module per format, and the store of their features.

`DATASETS` names the formats. To add one, write a module with a configuration whose ``format``
is a literal and a loader ``load(name, config, progress) -> Corpus``, and add it to both here. The
name is for messages and results. A loader raises a DataError that names all problems together, and
a ConfigError where the folder names an environment variable that is not set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field, SerializeAsAny, ValidationError, WrapValidator

from synergy.datasets.base import Corpus, Progress
from synergy.datasets.demo_speech import DemoSpeechConfig, load_demo_speech
from synergy.datasets.folders import FoldersConfig, load_folders
from synergy.datasets.manifest import ManifestConfig, load_manifest
from synergy.datasets.speech_commands import SpeechCommandsConfig, load_speech_commands
from synergy.errors import ConfigError
from synergy.extensions import find
from synergy.files import StrictModel, shortly

DATASETS: dict[str, tuple[type[StrictModel], Callable[[str, Any, Progress | None], Corpus]]] = {
    "manifest": (ManifestConfig, load_manifest),
    "folders": (FoldersConfig, load_folders),
    "speech_commands": (SpeechCommandsConfig, load_speech_commands),
    "demo_speech": (DemoSpeechConfig, load_demo_speech),
}


def load_corpus(name: str, settings: Any, progress: Progress | None = None) -> Corpus:
    """Read a corpus of any format, under the name that the configuration gives it.

    Raises
    ------
    DataError
        If its files cannot be used.
    """
    if settings.format in DATASETS:
        return DATASETS[settings.format][1](name, settings, progress)
    return settings.load(name, progress)


def _validated(settings: Any, known: Any) -> Any:
    form = settings.get("format") if isinstance(settings, dict) else None
    if isinstance(settings, StrictModel):
        return settings
    if not isinstance(form, str) or form in DATASETS:
        return known(settings)
    try:
        found = find(form, DATASETS, "synergy.datasets", ("model_validate", "load"))
        return found.model_validate(settings)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    except ValidationError as error:
        raise ValueError(shortly(error)) from error


if TYPE_CHECKING:
    CorpusConfig = Any
else:
    CorpusConfig = Annotated[
        Union[tuple(config for config, _ in DATASETS.values())],  # noqa: UP007  # made of a dict
        Field(discriminator="format"),
        WrapValidator(_validated),
        SerializeAsAny(),
    ]
    """Settings of a corpus of any format, also of a class that only its name tells."""
