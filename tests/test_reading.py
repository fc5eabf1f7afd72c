from __future__ import annotations

import numpy as np
import pytest
import soundfile
from small_corpora import noise

from synergy.audio.reading import SAMPLE_RATE_HZ, cache_folder, read_duration, read_waveform
from synergy.errors import DataError


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("a.wav", {"subtype": "PCM_16"}, 1e-4),
        ("a.wav", {"subtype": "FLOAT"}, 0),
        ("a.flac", {}, 1e-4),
    ],
)
def test_lossless_formats_come_back(tmp_path, name, options, tolerance):
    waveform = noise(0.5, 1)
    soundfile.write(tmp_path / name, waveform, SAMPLE_RATE_HZ, **options)
    found = read_waveform(tmp_path / name)
    assert found.dtype == np.float32
    assert found.shape == waveform.shape
    assert np.abs(found - waveform).max() <= tolerance


@pytest.mark.parametrize("name", ["a.ogg", "a.mp3"])
def test_lossy_formats_keep_a_tone(tmp_path, name):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ)
    soundfile.write(tmp_path / name, tone, SAMPLE_RATE_HZ)
    spectrum = np.abs(np.fft.rfft(read_waveform(tmp_path / name), SAMPLE_RATE_HZ))
    assert spectrum.argmax() == 440


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_other_rates_keep_pitch_and_duration(tmp_path, rate):
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)
    soundfile.write(tmp_path / "a.wav", tone, rate)
    found = read_waveform(tmp_path / "a.wav")
    assert len(found) == SAMPLE_RATE_HZ
    assert np.abs(np.fft.rfft(found)).argmax() == 1000
    assert np.abs(found).max() == pytest.approx(0.5, abs=0.02)
    assert read_duration(tmp_path / "a.wav") == pytest.approx(1.0)


def test_channels_are_averaged(tmp_path):
    left, right = noise(0.1, 1), noise(0.1, 2)
    soundfile.write(
        tmp_path / "a.wav", np.stack([left, right], axis=1), SAMPLE_RATE_HZ, subtype="FLOAT"
    )
    assert read_waveform(tmp_path / "a.wav") == pytest.approx((left + right) / 2, abs=1e-7)


def broken(kind, file):
    match kind:
        case "missing":
            pass
        case "folder":
            file.mkdir()
        case "empty file":
            file.write_bytes(b"")
        case "no samples":
            soundfile.write(file, np.zeros(0, np.float32), SAMPLE_RATE_HZ, format="WAV")
        case "text":
            file.write_text("this is not audio")
        case "truncated FLAC":
            soundfile.write(file, noise(2.0, 1), SAMPLE_RATE_HZ, format="FLAC")
            file.write_bytes(file.read_bytes()[:20_000])
        case "corrupt FLAC":
            soundfile.write(file, noise(2.0, 1), SAMPLE_RATE_HZ, format="FLAC")
            content = bytearray(file.read_bytes())
            content[8_000:24_000] = bytes(16_000)
            file.write_bytes(content)
        case "not finite":
            samples = noise(0.1, 1)
            samples[7] = np.nan
            soundfile.write(file, samples, SAMPLE_RATE_HZ, subtype="FLOAT", format="WAV")


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "found no such file"),
        ("folder", "found a folder"),
        ("empty file", "cannot be decoded"),
        ("no samples", "without samples"),
        ("text", "cannot be decoded"),
        ("truncated FLAC", "damaged|cannot be decoded"),
        ("corrupt FLAC", "damaged|cannot be decoded"),
        ("not finite", "NaN or infinity"),
    ],
)
def test_bad_audio_is_one_sentence_with_the_name(tmp_path, kind, says):
    file = tmp_path / "voice.audio"
    broken(kind, file)
    with pytest.raises(DataError, match=says) as caught:
        read_waveform(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["missing", "folder", "empty file", "no samples", "text"])
def test_duration_of_bad_audio(tmp_path, kind):
    broken(kind, tmp_path / "voice.audio")
    with pytest.raises(DataError, match=r"voice\.audio"):
        read_duration(tmp_path / "voice.audio")


def test_cache_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNERGY_CACHE", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"
    monkeypatch.delenv("SYNERGY_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "synergy"
