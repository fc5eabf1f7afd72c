from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, reject
from hypothesis import strategies as st
from pydantic import ValidationError
from small_corpora import noise

from synergy.audio.features import (
    LOG_OFFSET,
    FeatureConfig,
    Normalisation,
    crop_frames,
    log_mel,
    mel_filterbank,
)
from synergy.errors import DataError

CONFIGS = [
    FeatureConfig(),
    FeatureConfig(mels=40, window_ms=32, hop_ms=16, f_min_hz=50, f_max_hz=7600),
    FeatureConfig(mels=80, window_ms=64, hop_ms=12.5),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config.mels} mels")
def test_equals_stft_and_filterbank(config):
    waveform = torch.from_numpy(noise(1.0, 3))
    window = torch.hann_window(config.window_samples, periodic=True)
    spectrum = torch.stft(
        waveform,
        n_fft=config.fft_samples,
        hop_length=config.hop_samples,
        win_length=config.window_samples,
        window=window,
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )
    power = spectrum.abs().square()
    expected = torch.log(power.T @ torch.from_numpy(mel_filterbank(config)) + LOG_OFFSET)
    assert log_mel(waveform, config).numpy() == pytest.approx(expected.numpy(), abs=1e-4)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config.mels} mels")
def test_filterbank_has_htk_triangles(config):
    bank = mel_filterbank(config)
    assert bank.shape == (config.fft_samples // 2 + 1, config.mels)
    low, high = (2595 * np.log10(1 + f / 700) for f in (config.f_min_hz, config.f_max_hz))
    edges = 700 * (10 ** (np.linspace(low, high, config.mels + 2) / 2595) - 1)
    hz = np.linspace(0, 8000, len(bank))[:, None]
    rising = (hz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hz) / (edges[2:] - edges[1:-1])
    assert bank == pytest.approx(np.clip(np.minimum(rising, falling), 0, None), abs=1e-4)
    assert (bank.max(axis=0) > 0).all()


@given(samples=st.integers(257, 6000), hop_ms=st.sampled_from([5.0, 10.0, 12.5, 25.0]))
def test_frame_count_is_that_of_the_features(samples, hop_ms):
    config = FeatureConfig(hop_ms=hop_ms)
    features = log_mel(np.zeros(samples, np.float32), config)
    assert features.shape == (samples // config.hop_samples + 1, config.mels)
    assert features.dtype == torch.float32


@pytest.mark.parametrize("frame", [5, 40, 77])
def test_frames_are_centred_at_multiples_of_the_hop(frame):
    config = FeatureConfig()
    click = np.zeros(16_000, np.float32)
    click[frame * config.hop_samples] = 1.0
    assert int(log_mel(click, config).sum(dim=1).argmax()) == frame


def test_float16_keeps_the_values():
    config = FeatureConfig()
    loud = np.sign(noise(0.5, 1))
    for waveform in (np.zeros(8000, np.float32), noise(0.5, 1), loud):
        features = log_mel(waveform, config).numpy()
        assert np.abs(features.astype(np.float16) - features).max() < 0.005


def test_read_only_samples_and_tensors_give_the_same():
    waveform = noise(0.3, 1)
    waveform.flags.writeable = False
    found = log_mel(waveform, FeatureConfig())
    assert torch.equal(found, log_mel(torch.tensor(waveform), FeatureConfig()))


@pytest.mark.parametrize("shape", [(256,), (0,), (1, 16_000)])
def test_refuses_too_short_and_batched_waveforms(shape):
    with pytest.raises(DataError, match="expected"):
        log_mel(np.zeros(shape, np.float32), FeatureConfig())


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"mels": 4}, "greater than or equal to 8"),
        ({"hop_ms": 30}, "must not exceed window_ms = 25"),
        ({"hop_ms": 10.01}, "whole samples"),
        ({"f_min_hz": 8000}, "must be above f_min_hz"),
        ({"f_max_hz": 8001}, "less than or equal to 8000"),
        ({"mels": 200}, "mel bands hold no FFT bin"),
        ({"melz": 64}, "melz"),
    ],
)
def test_impossible_configurations_are_refused(values, says):
    with pytest.raises(ValidationError, match=says):
        FeatureConfig(**values)


@given(mels=st.integers(8, 256), window_ms=st.sampled_from([8.0, 16.0, 25.0, 32.0, 64.0]))
def test_every_band_of_an_accepted_configuration_hears_something(mels, window_ms):
    try:
        config = FeatureConfig(mels=mels, window_ms=window_ms, hop_ms=8)
    except ValidationError:
        reject()
    assert (mel_filterbank(config).max(axis=0) > 0).all()


@given(st.integers(0, 2**16), st.sampled_from([np.float16, np.float32]))
def test_normalised_features_are_the_quotient_to_the_bit(seed, dtype):
    rng = np.random.default_rng(seed)
    features = rng.normal(-6, 4, (7, 5)).astype(dtype)
    normalisation = Normalisation(*rng.uniform(0.5, 9, (2, 5)).astype(np.float32))
    found, before = normalisation(features), features.copy()
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, (features - normalisation.mean) / normalisation.std)
    in_place = features.astype(np.float32)
    in_place -= normalisation.mean
    in_place /= normalisation.std
    np.testing.assert_array_equal(found, in_place)
    mean, std = map(torch.from_numpy, normalisation)
    tensor = (torch.from_numpy(features.astype(np.float32)) - mean) / std
    np.testing.assert_array_equal(found, tensor.numpy())
    np.testing.assert_array_equal(features, before)


@given(st.integers(1, 9), st.integers(-12, 12), st.integers(1, 12))
def test_a_crop_repeats_the_edges(frames, start, count):
    expected = [min(max(place, 0), frames - 1) for place in range(start, start + count)]
    assert crop_frames(np.arange(frames), start, count).tolist() == expected
