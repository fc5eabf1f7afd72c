"""Audio files of any rate and channel count, read as 16 kHz mono."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from synergy.audio.sound_chunks import missing_bytes
from synergy.errors import DataError
from synergy.files import UnfitFileError, open_regular
from synergy.machine import MachineError

SAMPLE_RATE_HZ = 16_000

LONGEST_S = 4 * 3600.0
"""Longest recording in a corpus, in seconds, more than any meeting; whoever reads may ask for less.

Reading takes 130 kB of memory for each second, features of them about 0.6 MB.
"""

RATES_HZ = (1000, 768_000)
"""Sampling rates that are read.

Below, nothing of speech is left; above twice the 384 kHz of the fastest studio recorders there is
nothing but damaged headers.
"""

MOST_CHANNELS = 64
"""Channels that are read: those of the largest microphone arrays, ambisonics of order 7."""

SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64"}
)
"""How the names of recordings end, in lower case, where a folder is searched for them."""

# Others are no recordings of anybody; some of their decoders print to stdout.
_CONTAINERS = frozenset(
    {"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "NIST", "FLAC", "OGG", "MP3", "MPEG"}
)
# Samples of all channels that are decoded at once.
_BLOCK = 2**18
# The length in these headers is an estimate, so a shorter stream is not a damaged one.
_ESTIMATED_LENGTH = frozenset({"MP3", "MPEG"})
# What libsndfile says of a stream whose header leaves the length open.
_UNKNOWN_LENGTH = 2**63 - 1


def read_waveform(
    path: str | Path, longest_s: float = LONGEST_S, content: bytes | BinaryIO | None = None
) -> np.ndarray:
    """Read a WAV, FLAC, OGG or MP3 file; channels are averaged, other rates resampled.

    Nothing is decoded of a file whose header announces more than ``longest_s`` seconds. With its
    ``content``, or the open file that has it, the path is only its name.

    Returns
    -------
    ndarray, shape (T,)
        float32 at 16 kHz, full scale 1; T >= 1.

    Raises
    ------
    DataError
        If the file is missing, no regular file, damaged, cut off, empty, too long, of a rate or a
        number of channels outside `RATES_HZ` and `MOST_CHANNELS`, or holds values that are not
        finite.
    """
    parts = list(read_blocks(path, longest_s, content))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def read_blocks(
    path: str | Path, longest_s: float = LONGEST_S, content: bytes | BinaryIO | None = None
) -> Iterator[np.ndarray]:
    """The waveform of `read_waveform` piece by piece, to the bit, in bounded memory.

    The same errors; what is damaged further on is found when it is reached.
    """
    samples = 0
    with _decoder(path, longest_s, content) as file:
        for block in _resampled(path, file):
            samples += len(block)
            yield block
    if not samples:
        raise DataError(f"{path}: too short, nothing is left at {SAMPLE_RATE_HZ} Hz")


def read_duration(
    path: str | Path, longest_s: float = LONGEST_S, content: bytes | BinaryIO | None = None
) -> float:
    """Duration in seconds by the header of a file; a DataError as for `read_waveform`."""
    with _decoder(path, longest_s, content) as file:
        return file.frames / file.samplerate


class _Stream(soundfile.SoundFile):
    """Decoded from its start to its end: seeking after each block would restart the decoder."""

    def seekable(self) -> bool:
        return False


def _resampled(path: str | Path, file: soundfile.SoundFile) -> Iterator[np.ndarray]:
    """The mean of the channels at `SAMPLE_RATE_HZ`, piece by piece."""
    left, rate = file.frames, file.samplerate
    resampler = None
    if rate != SAMPLE_RATE_HZ:  # the pieces together are, to the bit, what the whole would be
        resampler = soxr.ResampleStream(rate, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")
    while left > 0:
        count = min(left, max(1, _BLOCK // file.channels))
        samples = file.read(count, dtype="float32", always_2d=True)
        left -= len(samples)
        if len(samples) < count:
            if file.format not in _ESTIMATED_LENGTH or left == file.frames:
                raise DataError(
                    f"{path}: the file is damaged, {file.frames - left} of its {file.frames} "
                    "samples can be decoded"
                )
            left = 0
        waveform = samples[:, 0]
        if file.channels > 1:
            with np.errstate(over="ignore", invalid="ignore"):  # looked for below
                waveform = samples.mean(axis=1, dtype=np.float32)
        if resampler is not None:
            waveform = resampler.resample_chunk(waveform, last=not left)
        if not np.isfinite(waveform).all():  # what is not in the file is not after resampling
            raise DataError(f"{path}: expected finite samples, found NaN or infinity")
        yield waveform


@contextmanager
def _decoder(
    path: str | Path, longest_s: float, content: bytes | BinaryIO | None
) -> Iterator[soundfile.SoundFile]:
    """A file whose header says that it can be read; what the decoder raises is one sentence."""
    given = None if content is None else _descriptor(content)  # a full disk is no fault of the file
    try:
        handle = open_regular(Path(path)) if given is None else given
        try:
            if missing := missing_bytes(handle):
                raise DataError(
                    f"{path}: the file is damaged, {missing:,} of the bytes that its header "
                    "announces are missing at its end; copy it again or write it anew"
                )
            # Not by its name: the decoder would encode that in a way of its own, take anything
            # that is called .raw or .vox for sound, and look for a resource fork beside it.
            with _Stream(f"/dev/fd/{handle}") as file:
                _refuse_unusable(path, file, longest_s)
                yield file
        finally:
            os.close(handle)
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected an audio file, found no such file") from error
    except UnfitFileError as error:
        raise DataError(f"{path}: {error}") from error
    except (DataError, MachineError):
        raise
    except Exception as error:  # of whatever class: it comes from what lies in the file
        # its own words, without the path that the message has already
        text = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
        reason = " ".join(str(text).split()).rstrip(".") or type(error).__name__
        raise DataError(f"{path}: cannot be decoded as audio ({reason})") from error


def _descriptor(content: bytes | BinaryIO) -> int:
    """The descriptor of a file, at its start, that has this content."""
    if not isinstance(content, bytes):
        content.seek(0)
        return os.dup(content.fileno())
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        return os.dup(file.fileno())


def _refuse_unusable(path: str | Path, file: soundfile.SoundFile, longest_s: float) -> None:
    """Raise a DataError on what the header announces, before anything is decoded."""
    frames, rate, channels = file.frames, file.samplerate, file.channels
    low, high = RATES_HZ
    if file.format not in _CONTAINERS:
        raise DataError(f"{path}: expected WAV, FLAC, OGG or MP3, found {file.format_info}")
    if frames <= 0:
        raise DataError(f"{path}: expected audio, found a file without samples")
    if not low <= rate <= high:
        raise DataError(f"{path}: expected a rate of {low} to {high} Hz, found {rate}")
    if channels > MOST_CHANNELS:
        raise DataError(f"{path}: expected at most {MOST_CHANNELS} channels, found {channels}")
    if frames == _UNKNOWN_LENGTH:
        raise DataError(f"{path}: its header leaves the length open; write the file anew")
    if frames > longest_s * rate:
        raise DataError(
            f"{path}: expected at most {longest_s:.0f} s of audio, found {frames / rate:.0f} s; "
            "cut it into parts"
        )
