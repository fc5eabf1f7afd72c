"""Tiny corpora on disk for the tests: seeded noise with any labels."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from synergy.datasets.base import Clip, Corpus, Segment


def noise(seconds: float, seed: int, rate: int = 16_000) -> np.ndarray:
    """Seeded noise, [T] float32."""
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(round(seconds * rate))).astype(np.float32)


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
