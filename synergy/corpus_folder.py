"""A corpus in memory, written as a folder that the corpus format ``manifest`` reads."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import soundfile

from synergy.audio.reading import RATES_HZ, SAMPLE_RATE_HZ, read_waveform
from synergy.datasets.manifest import ManifestConfig, load_manifest
from synergy.errors import DataError
from synergy.files import checksum, partial_path
from synergy.machine import refusal
from synergy.wording import quoted, short_list, shown

_MANIFEST, _SEGMENTS, _MARK = "manifest.csv", "segments.csv", ".written-by-synergy"
_OWN = ("path", "split", "speaker")


class Recording(NamedTuple):
    """A clip of a corpus with what is known of it; a plain tuple in this order does as well.

    Attributes
    ----------
    audio : path or array, shape (T,)
        A WAV, FLAC, OGG or MP3 file, or samples: floats in [-1, 1] or 16-bit integers.
    labels : mapping of str to str
        A value for each column, such as ``{"word": "yes"}``.
    split : {"train", "valid", "test"}
    speaker : str
        A speaker is in one split only; empty if unknown.
    segments : sequence of (start_s, end_s, label)
        Stretches with an activity, in seconds.
    """

    audio: str | os.PathLike[str] | np.ndarray
    labels: Mapping[str, object]
    split: str
    speaker: str = ""
    segments: Sequence[tuple[float, float, str]] = ()


def write_corpus(
    folder: str | os.PathLike[str],
    recordings: Iterable[Recording | tuple],
    rate: int = SAMPLE_RATE_HZ,
) -> Path:
    """Write recordings as a corpus: mono WAV files of 16 bit, ``manifest.csv``, ``segments.csv``.

    Recordings are taken one after the other, so they need not fit into memory. The folder appears
    complete or not at all.

    Parameters
    ----------
    folder : path
        A new or an empty one, or a corpus of this function to whose files nobody added any and
        whose CSV files are as they were written: that is replaced.
    recordings : iterable of Recording or tuple
    rate : int
        Of the samples that are given as arrays, in Hz, 1 to 768 kHz; files are written at 16 kHz.

    Returns
    -------
    Path
        The folder, absolute: the ``folder`` of ``{"format": "manifest", "folder": ...}``.

    Raises
    ------
    DataError
        If a recording cannot be used, they are no corpus together, the folder holds something else
        or cannot be written; it is then as it was.
    """
    place = Path(os.path.abspath(folder))
    low, high = RATES_HZ
    if not isinstance(rate, int) or not low <= rate <= high:
        raise DataError(f"expected a rate of {low} to {high} Hz, found {quoted(rate)}")
    new, old = partial_path(place), partial_path(place)
    try:
        _refuse_foreign(place)
        new.mkdir(parents=True)
        _write(new, recordings, rate)
        load_manifest(place.name, ManifestConfig(folder=str(new)))
        if place.exists():
            place.replace(old)
        try:
            new.replace(place)
        except OSError:
            if old.exists():
                old.replace(place)
            raise
    except OSError as error:
        raise DataError(
            f"the corpus {place} cannot be written: {refusal(error, place, 'name another folder')}"
        ) from error
    finally:
        for each in (new, old):
            shutil.rmtree(each, ignore_errors=True)
    return place


def _write(folder: Path, recordings: Iterable[Recording | tuple], rate: int) -> None:
    rows: list[dict[str, str]] = []
    segments: list[tuple[object, ...]] = []
    for number, given in enumerate(recordings):
        where, path = f"recording {number}", f"{number:06d}.wav"
        try:
            each = Recording(*cast("tuple[Any, ...]", given))
        except TypeError as error:
            raise DataError(
                f"{where}: expected audio, labels, split and speaker, found {quoted(given)}"
            ) from error
        samples, of_clip = _samples(where, each.audio, rate)
        sound = io.BytesIO()  # libsndfile tells no cause when a disk is full
        soundfile.write(sound, samples, of_clip, subtype="PCM_16", format="WAV")
        (folder / path).write_bytes(sound.getvalue())
        if not isinstance(each.labels, Mapping):
            raise DataError(
                f"{where}: expected labels such as {{'word': 'yes'}}, found {quoted(each.labels)}"
            )
        if taken := [name for name in each.labels if name in _OWN]:
            raise DataError(f"{where}: {short_list(taken)} is no label; name the column otherwise")
        labels = {str(column): str(value) for column, value in each.labels.items()}
        known = zip(_OWN, (path, each.split, each.speaker), strict=True)
        rows.append({**{name: str(value) for name, value in known}, **labels})
        segments += [(path, start_s, end_s, label) for start_s, end_s, label in each.segments]
    columns = list(dict.fromkeys([*_OWN, *(column for row in rows for column in row)]))
    with (folder / _MANIFEST).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    if segments:
        with (folder / _SEGMENTS).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("path", "start_s", "end_s", "label"), *segments])
    (folder / _MARK).write_text(_seal(folder), encoding="utf-8")


def _samples(where: str, audio: object, rate: int) -> tuple[np.ndarray, int]:
    """What is written of a recording, [T], and its rate."""
    if isinstance(audio, str | os.PathLike):
        # a decoder may overshoot full scale
        return np.clip(read_waveform(os.fspath(audio)), -1.0, 1.0), SAMPLE_RATE_HZ
    samples = np.asarray(audio)
    if samples.ndim != 1 or not samples.size:
        raise DataError(f"{where}: expected samples of shape (T,), found shape {samples.shape}")
    if samples.dtype == np.int16:
        return samples, rate
    if not np.issubdtype(samples.dtype, np.floating):
        raise DataError(
            f"{where}: expected samples as floats or 16-bit integers, found {samples.dtype}"
        )
    if not (largest := float(np.abs(samples).max())) <= 1.0:
        raise DataError(
            f"{where}: expected samples in [-1, 1], found {largest:g}; divide by full scale"
        )
    return samples, rate


def _refuse_foreign(folder: Path) -> None:
    """Raise DataError if something else than an unchanged corpus of ours would be replaced."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise DataError(f"expected a folder for the corpus, found the file {folder}")
    found, ours = {path.name for path in folder.iterdir()}, set[str]()
    if _MARK in found and (folder / _MARK).read_bytes() == _seal(folder).encode():
        with (folder / _MANIFEST).open(encoding="utf-8", newline="") as file:
            ours = {_MANIFEST, _SEGMENTS, _MARK, *(row["path"] for row in csv.DictReader(file))}
    if strange := sorted(found - ours, key=lambda name: name == _MARK):
        raise DataError(
            f"expected an empty folder or a corpus of write_corpus in {folder}, found "
            f"{shown(strange[0])}; it is left as it is, name another folder"
        )


def _seal(folder: Path) -> str:
    """Checksum of the lists of a corpus: whoever changed them wants to keep them."""
    lists = [folder / name for name in (_MANIFEST, _SEGMENTS)]
    return checksum(b"\0".join(file.read_bytes() for file in lists if file.exists()))
