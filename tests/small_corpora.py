"""Tiny corpora on disk for the tests: seeded noise with any labels."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
import soundfile

from synergy.datasets.base import Clip, Corpus, Segment


def noise(seconds: float, seed: int, rate: int = 16_000) -> np.ndarray:
    """Seeded noise, [T] float32."""
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(round(seconds * rate))).astype(np.float32)


def write_noise(folder: Path, path: str, seconds: float = 0.2) -> None:
    """Write a recording of noise that its path decides."""
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, noise(seconds, crc32(path.encode())), 16_000)


def write_csv(file: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows; the columns are those of the first."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), restval="")
        writer.writeheader()
        writer.writerows(rows)


def row(path: str, split: str, speaker: str = "", **labels: object) -> dict[str, object]:
    """One row of a manifest."""
    return {"path": path, "split": split, "speaker": speaker, **labels}


def write_manifest(
    folder: Path,
    rows: Sequence[Mapping[str, object]],
    segments: Sequence[Mapping[str, object]] = (),
    seconds: float = 0.2,
) -> Path:
    """Write manifest, segments and an audio file for every path that has none yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, entry in enumerate(rows):
        file = folder / str(entry["path"])
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(file, noise(seconds, number), 16_000)
    write_csv(folder / "manifest.csv", rows)
    if segments:
        write_csv(folder / "segments.csv", segments)
    return folder


def gender_rows(per_speaker: int = 2) -> list[dict[str, object]]:
    """Two speakers of either gender in each split."""
    return [
        row(f"{split}/{gender}{take}.wav", split, f"{split}-{gender}", gender=gender)
        for split in ("train", "valid", "test")
        for gender in ("female", "male")
        for take in range(per_speaker)
    ]


def corpus_of(
    name: str,
    labels: Sequence[tuple[str, Mapping[str, str]]],
    columns: Sequence[str],
    segments: Mapping[int, tuple[Segment, ...]] | None = None,
) -> Corpus:
    """A corpus without files: (split, labels) of each clip, segments by its number."""
    clips = tuple(
        Clip(f"{number:03d}.wav", split, "", 1.0, dict(values), (segments or {}).get(number))
        for number, (split, values) in enumerate(labels)
    )
    return Corpus(name, Path("nowhere"), clips, tuple(columns), name)


def tone_clip(high: bool, words: Sequence[float], starts_s: float, seed: int) -> np.ndarray:
    """One second of noise; from ``starts_s`` on a voice: a pitch, then a melody of ``words``."""
    time_s = np.arange(16_000) / 16_000
    pitch = (300.0 if high else 120.0) * (1 + 0.05 * np.random.default_rng(seed).random())
    melody = np.repeat(words, -(-16_000 // len(words)))[:16_000]
    voice = np.sin(2 * np.pi * pitch * time_s) + np.sin(2 * np.pi * np.cumsum(melody) / 16_000)
    return (noise(1.0, seed) * 0.2 + 0.2 * voice * (time_s >= starts_s)).astype(np.float32)


def write_tone_corpus(
    folder: Path, per_split: Sequence[int] = (24, 12, 12), speakers: int = 12
) -> Path:
    """A corpus that three small tasks can learn: gender, word and where the voice is.

    Every split has so many speakers.
    """
    melodies = {"up": (700.0, 1400.0), "down": (1400.0, 700.0), "flat": (2500.0, 2500.0)}
    folder.mkdir(parents=True)
    rows: list[dict[str, object]] = []
    segments: list[dict[str, object]] = []
    for split, count in zip(("train", "valid", "test"), per_split, strict=True):
        for number in range(count):
            gender, word = ("female", "male")[number % 2], list(melodies)[number % 3]
            starts_s = 0.1 + 0.05 * (number % 5)
            path = f"{split}-{number:02d}.wav"
            clip = tone_clip(gender == "female", melodies[word], starts_s, len(rows))
            soundfile.write(folder / path, clip, 16_000)
            rows.append(row(path, split, f"{split}-{number % speakers}", gender=gender, word=word))
            segments.append({"path": path, "start_s": starts_s, "end_s": 1.0, "label": "speech"})
    for segment in segments:
        segment["label_source"] = "synthesis"
    write_csv(folder / "manifest.csv", rows)
    write_csv(folder / "segments.csv", segments)
    return folder


TONE_CONFIG = """\
corpora:
  tones: {format: manifest, folder: tones}
tasks:
  gc: {kind: clip_classification, classes: [female, male], corpora: {tones: {column: gender}}}
  scr: {kind: clip_classification, corpora: {tones: {column: word}}}
  vad: {kind: frame_activity, classes: [speech], corpora: {tones: {segments: speech}}}
features: {mels: 16}
encoder: {channels: [4, 4, 4, 4, 4, 4, 4, 4]}
training: {epochs: 2, steps_per_epoch: 4, clips_per_task: 8}
depths: [4, 8]
max_ar: 60
"""


def write_tone_project(folder: Path, speakers: int = 12) -> Path:
    """The tone corpus with a configuration of a few steps beside it; returns that file."""
    write_tone_corpus(folder / "tones", speakers=speakers)
    file = folder / "tones.yaml"
    file.write_text(TONE_CONFIG, encoding="utf-8")
    return file
