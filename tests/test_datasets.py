"""What every corpus format must do: read it, name it, keep its splits apart."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from small_corpora import gender_rows, noise, write_manifest, write_noise

from synergy.datasets import DATASETS
from synergy.datasets.base import Corpus
from synergy.datasets.demo_speech import DemoSpeechConfig
from synergy.datasets.folders import FoldersConfig
from synergy.datasets.manifest import ManifestConfig
from synergy.datasets.speech_commands import SpeechCommandsConfig
from synergy.files import StrictModel
from synergy.wording import SPLITS


def manifest(folder: Path) -> StrictModel:
    """A corpus in manifest layout."""
    return ManifestConfig(folder=str(write_manifest(folder, gender_rows())))


def folders(folder: Path) -> StrictModel:
    """Folders of classes, in which everybody has one."""
    for path in (f"{w}/{s}/{n}.wav" for w in ("yes", "no") for s in "abcd" for n in (1, 2)):
        write_noise(folder, path)
    return FoldersConfig(folder=str(folder), speaker="folder")


def speech_commands(folder: Path) -> StrictModel:
    """A corpus in the layout of Speech Commands."""
    import soundfile

    for word in ("yes", "no"):
        (folder / word).mkdir(parents=True)
        for number in range(6):
            file = folder / word / f"{number:08x}_nohash_0.wav"
            soundfile.write(file, noise(1.0, number), 16_000)
    for name, numbers in (("validation_list.txt", (0, 1)), ("testing_list.txt", (2, 3))):
        lines = [f"{w}/{n:08x}_nohash_0.wav" for w in ("yes", "no") for n in numbers]
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return SpeechCommandsConfig(folder=str(folder), words=("yes", "no"))


def demo_speech(folder: Path) -> StrictModel:
    """The embedded corpus, as small as it gets."""
    if find_spec("espeakng_loader") is None:  # found, not imported: it is GPL
        pytest.skip("the extra demo is not installed")
    return DemoSpeechConfig.model_validate(
        {
            "words": ["yes", "no"],
            "clips": {"train": 12, "valid": 12, "test": 12},
            "speakers": {"train": 6, "valid": 6, "test": 6},
        }
    )


SMALL: dict[str, Callable[[Path], StrictModel]] = {
    "manifest": manifest,
    "folders": folders,
    "speech_commands": speech_commands,
    "demo_speech": demo_speech,
}


@pytest.mark.parametrize("name", DATASETS)
def test_contract(name: str, tmp_path: Path) -> None:
    settings = SMALL[name](tmp_path)
    config, load = DATASETS[name]
    assert isinstance(settings, config)
    assert config.model_validate(settings.model_dump(mode="json")) == settings
    corpus: Corpus = load("mine", settings, None)
    assert corpus.name == "mine"
    assert {clip.split for clip in corpus.clips} == set(SPLITS)
    assert [clip.path for clip in corpus.clips] == sorted({clip.path for clip in corpus.clips})
    speakers = {
        split: {c.speaker for c in corpus.clips if c.split == split and c.speaker}
        for split in SPLITS
    }
    for split in SPLITS:
        others = set().union(*(speakers[other] for other in SPLITS if other != split))
        assert not speakers[split] & others
    for clip in corpus.clips:
        assert corpus.audio_path(clip).is_file()
        assert clip.duration_s > 0
        assert set(clip.labels) <= set(corpus.columns)
    assert load("yours", settings, None).fingerprint == corpus.fingerprint


def test_every_format_has_a_small_example() -> None:
    assert set(SMALL) == set(DATASETS)
