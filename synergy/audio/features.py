"""Log-mel features: the only form in which networks see audio.

Torch and torchaudio are imported on first use, so that configurations load without them.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from synergy.audio.reading import SAMPLE_RATE_HZ
from synergy.errors import DataError
from synergy.files import StrictModel

if TYPE_CHECKING:
    import torch
    from torchaudio.transforms import MelSpectrogram

LOG_OFFSET = 1e-6
"""Added to mel power before the logarithm: silence is log(1e-6) = -13.8, well within float16."""


class FeatureConfig(StrictModel):
    """Log-mel spectrogram: HTK mel scale, power, periodic Hann window, centred frames."""

    mels: int = Field(default=64, ge=8, le=256, description="Mel bands.")
    window_ms: float = Field(
        default=25.0, ge=5.0, le=128.0, description="Window in milliseconds, whole samples."
    )
    hop_ms: float = Field(
        default=10.0, ge=1.0, le=100.0, description="Step between frames in milliseconds."
    )
    f_min_hz: float = Field(default=20.0, ge=0.0, description="Lower edge of the first band, Hz.")
    f_max_hz: float = Field(
        default=8000.0, le=SAMPLE_RATE_HZ / 2, description="Upper edge of the last band, Hz."
    )

    def __hash__(self) -> int:
        return hash(tuple(self))

    @property
    def window_samples(self) -> int:
        """Window length in samples."""
        return round(self.window_ms * SAMPLE_RATE_HZ / 1000)

    @property
    def hop_samples(self) -> int:
        """Samples between the centres of two frames."""
        return round(self.hop_ms * SAMPLE_RATE_HZ / 1000)

    @property
    def hop_s(self) -> float:
        """Seconds between the centres of two frames."""
        return self.hop_samples / SAMPLE_RATE_HZ

    @property
    def fft_samples(self) -> int:
        """FFT length: the window's, rounded up to a power of two."""
        return 1 << (self.window_samples - 1).bit_length()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for key in ("window_ms", "hop_ms"):
            samples = getattr(self, key) * SAMPLE_RATE_HZ / 1000
            if abs(samples - round(samples)) > 1e-6:
                raise ValueError(
                    f"{key} must be whole samples at {SAMPLE_RATE_HZ} Hz (multiples of 0.0625), "
                    f"found {getattr(self, key)}"
                )
        if self.hop_ms > self.window_ms:
            raise ValueError(
                f"hop_ms must not exceed window_ms = {self.window_ms}, found {self.hop_ms}"
            )
        if self.f_max_hz <= self.f_min_hz:
            raise ValueError(
                f"f_max_hz must be above f_min_hz = {self.f_min_hz}, found {self.f_max_hz}"
            )
        if empty := _bands_without_bin(self):
            raise ValueError(
                f"{empty} of {self.mels} mel bands hold no FFT bin at window_ms = "
                f"{self.window_ms}: use fewer mels or a longer window"
            )
        return self


def log_mel(waveform: torch.Tensor | np.ndarray, config: FeatureConfig) -> torch.Tensor:
    """Log-mel spectrogram of one waveform.

    Parameters
    ----------
    waveform : Tensor or ndarray, shape (T,)
        float32 at 16 kHz; the edges are mirrored, so T must exceed half the FFT length.

    Returns
    -------
    Tensor, shape (F, M)
        float32, natural logarithm of mel power + 1e-6; F = T // hop + 1, frame f is centred at
        f * hop.

    Raises
    ------
    DataError
        If the waveform is not one-dimensional, too short, or too loud for finite features.
    """
    import torch

    if isinstance(waveform, np.ndarray):
        waveform = torch.from_numpy(np.array(waveform, dtype=np.float32))
    if waveform.ndim != 1:
        raise DataError(f"expected a waveform of shape [T], found {list(waveform.shape)}")
    shortest = config.fft_samples // 2 + 1
    if len(waveform) < shortest:
        raise DataError(
            f"expected at least {shortest} samples ({1000 * shortest / SAMPLE_RATE_HZ:.0f} ms) "
            f"of audio, found {len(waveform)}"
        )
    with torch.no_grad():
        power = _mel_spectrogram(config)(waveform.to(torch.float32))
        features = torch.log(power + LOG_OFFSET).T.contiguous()
    if not math.isfinite(float(features.sum())):  # what is finite is at most 89: float16 holds it
        raise DataError(
            "expected samples between about -1 and 1, found a peak of "
            f"{float(waveform.abs().max()):g}, of which no features can be computed"
        )
    return features


class Normalisation(NamedTuple):
    """What brings features to mean 0 and variance 1 in each mel band, float32 [M]."""

    mean: np.ndarray
    std: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Normalised features, float32 [..., M], of float16 or float32 ones."""
        normal = np.subtract(features, self.mean, dtype=np.float32)
        normal /= self.std
        return normal


def crop_frames(frames: np.ndarray, start: int, count: int) -> np.ndarray:
    """``count`` frames from ``start``; beyond the clip its first or last frame repeats.

    ``frames`` [F, ...] are features or anything else by frame; ``start`` may lie outside 0..F-1.
    """
    if start >= 0 and start + count <= len(frames):
        return frames[start : start + count]
    return frames[np.clip(np.arange(start, start + count), 0, len(frames) - 1)]


def mel_filterbank(config: FeatureConfig) -> np.ndarray:
    """Triangular HTK filters from a power spectrum to mel power, float32 [fft / 2 + 1, M].

    Their peak is 1, without area normalisation.
    """
    return _mel_spectrogram(config).get_buffer("mel_scale.fb").numpy().copy()


@lru_cache(maxsize=8)
def _mel_spectrogram(config: FeatureConfig) -> MelSpectrogram:
    import torch
    from torchaudio.transforms import MelSpectrogram

    return MelSpectrogram(
        sample_rate=SAMPLE_RATE_HZ,
        n_fft=config.fft_samples,
        win_length=config.window_samples,
        hop_length=config.hop_samples,
        f_min=config.f_min_hz,
        f_max=config.f_max_hz,
        n_mels=config.mels,
        window_fn=torch.hann_window,
        power=2.0,
        center=True,
        pad_mode="reflect",
        norm=None,
        mel_scale="htk",
    )


def _bands_without_bin(config: FeatureConfig) -> int:
    """How many triangles fall between two FFT bins and would be zero for every sound."""
    low, high = (2595 * np.log10(1 + f / 700) for f in (config.f_min_hz, config.f_max_hz))
    edges = 700 * (10 ** (np.linspace(low, high, config.mels + 2) / 2595) - 1)
    bins = np.linspace(0, SAMPLE_RATE_HZ / 2, config.fft_samples // 2 + 1)
    first_above = np.searchsorted(bins, edges[:-2], side="right")
    first_not_below = np.searchsorted(bins, edges[2:], side="left")
    return int((first_above >= first_not_below).sum())
