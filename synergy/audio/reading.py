"""Audio files of any rate and channel count, read as 16 kHz mono; and where caches lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
import soxr

from synergy.errors import DataError

SAMPLE_RATE_HZ = 16_000

# The length in these headers is an estimate, so a shorter stream is not a damaged one.
_ESTIMATED_LENGTH = frozenset({"MP3", "MPEG"})


def cache_folder() -> Path:
    """Folder of everything that can be computed again: ``SYNERGY_CACHE`` or ~/.cache/synergy.

    The folder need not exist yet.
    """
    chosen = os.environ.get("SYNERGY_CACHE")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "synergy"


def read_waveform(path: str | Path) -> np.ndarray:
    """Read a WAV, FLAC, OGG or MP3 file; channels are averaged, other rates resampled.

    Returns
    -------
    ndarray, shape (T,)
        float32 at 16 kHz, full scale 1; T >= 1.

    Raises
    ------
    DataError
        If the file is missing, damaged, empty or holds values that are not finite.
    """
    with _decoding(path), soundfile.SoundFile(path) as file:
        expected, rate, container = file.frames, file.samplerate, file.format
        samples = file.read(dtype="float32", always_2d=True)
    if not len(samples):
        raise DataError(f"{path}: expected audio, found a file without samples")
    if len(samples) < expected and container not in _ESTIMATED_LENGTH:
        raise DataError(
            f"{path}: the file is damaged, {len(samples)} of its {expected} samples can be decoded"
        )
    waveform = samples.mean(axis=1, dtype=np.float32)
    if not np.isfinite(waveform).all():
        raise DataError(f"{path}: expected finite samples, found NaN or infinity")
    if rate != SAMPLE_RATE_HZ:
        waveform = soxr.resample(waveform, rate, SAMPLE_RATE_HZ, quality="HQ")
    if not len(waveform):
        raise DataError(f"{path}: too short, nothing is left at {SAMPLE_RATE_HZ} Hz")
    return np.ascontiguousarray(waveform, dtype=np.float32)


def read_duration(path: str | Path) -> float:
    """Duration in seconds by the header of a file; DataError where there is none or no sample."""
    with _decoding(path):
        info = soundfile.info(path)
    if info.frames <= 0 or info.samplerate <= 0:
        raise DataError(f"{path}: expected audio, found a file without samples")
    return info.frames / info.samplerate


@contextmanager
def _decoding(path: str | Path) -> Iterator[None]:
    """Turn whatever the decoder raises into one sentence."""
    if not Path(path).is_file():
        found = "a folder" if Path(path).is_dir() else "no such file"
        raise DataError(f"{path}: expected an audio file, found {found}")
    try:
        yield
    except (soundfile.SoundFileError, OSError, MemoryError) as error:
        # its own words, without the path that the message has already
        text = getattr(error, "error_string", None) or str(error) or type(error).__name__
        reason = " ".join(text.split()).rstrip(".")
        raise DataError(f"{path}: cannot be decoded as audio ({reason})") from error
