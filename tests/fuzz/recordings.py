"""Audio files, corpus folders, and the caches that are made of them."""

from __future__ import annotations

import csv
import io
import os
import shutil
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import soundfile
from small_corpora import noise as sound
from small_corpora import write_manifest

from fuzz.judging import BrokenLawError
from fuzz.mutations import NAMES, NUMBERS, PATHS, noise, spoiled
from fuzz.target import Case, Target
from synergy.audio.features import FeatureConfig, log_mel
from synergy.audio.reading import read_duration, read_waveform
from synergy.datasets.base import Corpus
from synergy.datasets.feature_store import FeatureStore, open_store
from synergy.datasets.manifest import ManifestConfig, load_manifest

FEATURES = FeatureConfig(mels=16)

# Container, subtype and rate of the recordings that are spoiled.
FORMS = (
    *(("WAV", "PCM_16", 16_000), ("WAV", "PCM_24", 44_100), ("WAV", "FLOAT", 16_000)),
    *(("WAV", "DOUBLE", 8_000), ("WAV", "PCM_U8", 8_000), ("WAV", "ULAW", 8_000)),
    *(("WAV", "GSM610", 8_000), ("WAV", "IMA_ADPCM", 22_050), ("WAV", "G721_32", 8_000)),
    *(("WAVEX", "PCM_16", 48_000), ("RF64", "PCM_16", 16_000), ("W64", "PCM_16", 16_000)),
    *(("FLAC", "PCM_16", 16_000), ("FLAC", "PCM_24", 48_000), ("OGG", "VORBIS", 16_000)),
    *(("OGG", "OPUS", 48_000), ("MP3", "MPEG_LAYER_III", 16_000), ("AIFF", "PCM_16", 16_000)),
    *(("AU", "PCM_16", 8_000), ("CAF", "PCM_16", 16_000), ("NIST", "PCM_16", 16_000)),
)
FIELDS = (0, 1, 2, 7, 8, 16, 255, 1000, 16_000, 65_535, 2**31 - 1, 2**31, 2**32 - 1)
SAMPLES = (float("nan"), float("inf"), 1e20, 1e30, 3e38, -3e38, 1e-45, 1.0, 1000.0)


def _encoded(container: str, subtype: str, rate: int) -> bytes:
    stream = io.BytesIO()
    stereo = np.stack([sound(0.1, 1, rate), sound(0.1, 2, rate)], axis=1)
    mono = subtype in ("GSM610", "G721_32")
    samples = stereo[:, 0] if mono else stereo
    soundfile.write(stream, samples, rate, subtype, format=container)
    return stream.getvalue()


class AudioTarget(Target):
    """Recordings for `read_waveform`, `read_duration` and `log_mel`."""

    name = "audio"

    def prepare(self) -> None:
        known = soundfile.available_formats()
        self._sounds = [_encoded(*form) for form in FORMS if form[0] in known]

    def case(self, rng: Random) -> Case:
        content = rng.choice(self._sounds)
        match rng.randrange(20):
            case 0:
                content = noise(rng)
            case 1:
                samples = sound(rng.choice((0.0, 0.001, 0.01, 0.1)), 0)
                if len(samples):
                    samples[rng.randrange(len(samples))] = rng.choice(SAMPLES)
                stream = io.BytesIO()
                rate = rng.choice((1, 7, 100, 8000, 16_000, 192_000, 2**31 - 1))
                soundfile.write(stream, samples, rate, "FLOAT", format="WAV")
                content = stream.getvalue()
            case n if n < 10:
                content = _header_spoiled(rng, content)
            case n if n < 14:
                head = rng.randrange(min(200, len(content)))
                content = spoiled(rng, content[:head], self._sounds) + content[head:]
            case n if n < 17:
                content = content[: rng.randrange(len(content))]
            case _:
                content = spoiled(rng, content, self._sounds)
        return Case({"clip.wav": content})

    def attempt(self, case: Case) -> object:
        file = self.folder / "clip.wav"
        duration_s = read_duration(file)
        if not duration_s > 0:
            raise BrokenLawError(f"a duration of {duration_s} s")
        waveform = read_waveform(file)
        if waveform.dtype != np.float32 or waveform.ndim != 1 or not len(waveform):
            raise BrokenLawError("another form of waveform")
        return duration_s, waveform, log_mel(waveform, FEATURES).numpy()


def _header_spoiled(rng: Random, content: bytes) -> bytes:
    """One to three numbers of the header get a value that means something else."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        size = rng.choice((1, 2, 4))
        place = rng.randrange(min(80, len(content) - size))
        value = rng.choice(FIELDS) % 256**size
        changed[place : place + size] = value.to_bytes(size, rng.choice(("little", "big")))
    return bytes(changed)


class ManifestTarget(Target):
    """Corpus folders for `load_manifest`; a link in the folder leads out of it."""

    name = "manifest"

    def prepare(self) -> None:
        rows = _write_corpus(self.folder)
        for path in ("d/sub.wav", ".hidden"):
            (self.folder / path).parent.mkdir(exist_ok=True)
            shutil.copy(self.folder / str(rows[0]["path"]), self.folder / path)
        (self.folder / "way").symlink_to(self.sandbox.outside)
        (self.folder / "tone-link.wav").symlink_to(self.sandbox.outside / "tone.wav")
        (self.folder / "inner-link.wav").symlink_to("d/sub.wav")
        os.mkfifo(self.folder / "fifo")

    def case(self, rng: Random) -> Case:
        files: dict[str, bytes | None] = {}
        name = rng.choice(("manifest.csv", "manifest.csv", "segments.csv"))
        content = self.files.sound(name)
        match rng.randrange(10):
            case 0:
                files["a0.wav"] = rng.choice((None, _header_spoiled, spoiled))
                if files["a0.wav"] is not None:
                    files["a0.wav"] = files["a0.wav"](rng, self.files.sound("a0.wav"))
            case 1:
                files[name] = noise(rng)
            case 2:
                files[name] = None
            case 3 | 4 | 5:
                files[name] = spoiled(rng, content)
            case _:
                files[name] = _odd_cells(rng, content)
        return Case(files, (rng.choice((0.15, 0.15, 0.4, 1e-9)),))

    def attempt(self, case: Case) -> object:
        config = ManifestConfig(folder=str(self.folder), valid_fraction=case.arguments[0])
        corpus = load_manifest("tones", config)
        folder = self.folder.resolve()
        for clip in corpus.clips:
            if not corpus.audio_path(clip).resolve().is_relative_to(folder):
                raise BrokenLawError("a clip that lies outside of the corpus")
        return corpus

    def paths(self, case: Case) -> tuple[str, ...]:
        return tuple(line.split(",")[0].strip('" ') for line in case.text.splitlines())


def _write_corpus(folder: Path) -> list[dict[str, object]]:
    """Eight clips of six speakers, with labels and segments."""
    splits = ("train", "train", "train", "train", "valid", "valid", "test", "test")
    rows: list[dict[str, object]] = [
        {
            "path": f"a{n}.wav",
            "split": split,
            "speaker": f"s{min(n, 7)}",
            "gender": ("female", "male")[n % 2],
            "word": "up",
            "duration_s": 0.1,
        }
        for n, split in enumerate(splits)
    ]
    segments = [
        {"path": row["path"], "start_s": 0.02, "end_s": 0.08, "label": "speech"} for row in rows
    ]
    write_manifest(folder, rows, segments, seconds=0.1)
    return rows


def _odd_cells(rng: Random, content: bytes) -> bytes:
    rows = list(csv.reader(io.StringIO(content.decode())))
    for _ in range(rng.randint(1, 3)):
        row, column = rng.choice(rows), rng.randrange(len(rows[0]))
        # in the column of paths mostly paths
        odd = PATHS if column == 0 and rng.random() < 0.8 else (*NAMES, *NUMBERS, *PATHS)
        row[column] = rng.choice(odd)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


class CacheTarget(Target):
    """Damaged caches: the features must be those of the recordings, or be refused."""

    name = "cache"

    def prepare(self) -> None:
        self._corpus_folder = self.sandbox.folder("cache-corpus")
        _write_corpus(self._corpus_folder)
        self._sound = self._features()

    def _features(self) -> tuple[Any, ...]:
        config = ManifestConfig(folder=str(self._corpus_folder))
        with patch.dict(os.environ, SYNERGY_CACHE=str(self.folder)):
            corpus = load_manifest("tones", config)
            return _all_of(corpus, open_store(corpus, FEATURES))

    def case(self, rng: Random) -> Case:
        names = [name for name in self.files.names if not name.endswith(".lock")]
        files: dict[str, bytes | None] = {}
        for name in rng.sample(names, rng.choice((1, 1, 1, 2))):
            content = self.files.sound(name)
            match rng.randrange(10):
                case 0:
                    files[name] = None
                case 1:
                    files[name] = self.files.sound(rng.choice(names))
                case 2 | 3 | 4 | 5:
                    place = rng.randrange(len(content))
                    flipped = content[place] ^ 1 << rng.randrange(8)
                    files[name] = content[:place] + bytes([flipped]) + content[place + 1 :]
                case _:
                    files[name] = spoiled(rng, content, most=2)
        return Case(files)

    def attempt(self, case: Case) -> object:
        for _ in range(2):  # damage may be noticed late, or repaired wrongly
            if self._features() != self._sound:
                raise BrokenLawError("other features than those of the recordings")
        return None


def _all_of(corpus: Corpus, store: FeatureStore) -> tuple[Any, ...]:
    """Everything that a training takes from a corpus and its features, to be compared."""
    return (
        corpus,
        store.digest,
        {clip.path: store.clip(clip.path).tobytes() for clip in corpus.clips},
        store.train_sum.tobytes(),
        store.train_squares.tobytes(),
        store.train_frames,
    )
