from __future__ import annotations

import os
import struct
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from small_corpora import noise

from synergy.audio import reading
from synergy.audio.reading import SAMPLE_RATE_HZ, read_duration, read_waveform
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


@pytest.mark.parametrize("samples", [(np.inf, -np.inf), (3e38, 3e38), (np.nan, 0.0), (1e300, 0.0)])
def test_channels_whose_mean_is_not_finite_are_refused_without_a_warning(tmp_path, samples):
    file = tmp_path / "a.wav"
    soundfile.write(file, np.array([samples] * 500), SAMPLE_RATE_HZ, subtype="DOUBLE")
    with pytest.raises(DataError, match="NaN or infinity"):
        read_waveform(file)


# -- what every format is, and what it costs ----------------------------------------------------

# At least so many encodings of a container are read.
READ = {"WAV": 14, "W64": 10, "AIFF": 9, "AU": 10, "CAF": 10, "FLAC": 3, "OGG": 2, "MP3": 1}


@pytest.mark.parametrize("form", soundfile.available_formats())
def test_every_encoding_is_read_or_refused_in_one_sentence(tmp_path, form):
    tone = 0.3 * np.sin(np.arange(SAMPLE_RATE_HZ) / 5)
    read = 0
    for subtype in soundfile.available_subtypes(form):
        file = tmp_path / f"{subtype}.sound"
        try:
            soundfile.write(file, tone, SAMPLE_RATE_HZ, format=form, subtype=subtype)
        except soundfile.SoundFileError:  # listed, but not for one channel of this rate
            continue
        try:
            found = read_waveform(file)
        except DataError:
            continue
        read += 1
        assert np.abs(found).max() > 0.1, subtype
        assert read_duration(file) == pytest.approx(len(found) / SAMPLE_RATE_HZ, abs=1e-3), subtype
    assert read >= READ.get(form, 0)


@pytest.mark.parametrize(
    ("form", "subtype"),
    [("WAV", "GSM610"), ("WAV", "G721_32"), ("AU", "G723_24"), ("WAV", "NMS_ADPCM_32")],
)
def test_telephone_codecs_keep_a_tone(tmp_path, form, subtype):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
    soundfile.write(tmp_path / "a", tone, 8000, format=form, subtype=subtype)
    assert np.abs(np.fft.rfft(read_waveform(tmp_path / "a")[:16_000])).argmax() == 440


@settings(max_examples=25)
@given(
    frames=st.integers(1, 3000),
    channels=st.integers(1, 9),
    rate=st.sampled_from([8000, 16_000, 22_050, 48_000]),
    block=st.integers(1, 4000),
)
def test_decoding_in_blocks_gives_the_bits_of_the_whole(
    tmp_path_factory, frames, channels, rate, block
):
    file = tmp_path_factory.getbasetemp() / "blocks.wav"
    samples = 0.1 * np.random.default_rng(frames).standard_normal((frames, channels))
    soundfile.write(file, samples, rate, subtype="FLOAT")
    expected = samples.astype(np.float32).mean(axis=1, dtype=np.float32)
    if rate != SAMPLE_RATE_HZ:
        expected = soxr.resample(expected, rate, SAMPLE_RATE_HZ, quality="HQ")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_BLOCK", block)
        if len(expected):
            np.testing.assert_array_equal(read_waveform(file), expected)
        else:
            with pytest.raises(DataError, match="too short"):
                read_waveform(file)


@pytest.mark.parametrize("name", ["a.ogg", "a.mp3", "a.flac"])
def test_compressed_audio_in_blocks_gives_the_bits_of_the_whole(tmp_path, name, monkeypatch):
    soundfile.write(tmp_path / name, np.stack([noise(2.0, 1), noise(2.0, 2)], axis=1), 16_000)
    whole = read_waveform(tmp_path / name)
    monkeypatch.setattr(reading, "_BLOCK", 5000)
    np.testing.assert_array_equal(read_waveform(tmp_path / name), whole)


# -- what is refused before anything is decoded -------------------------------------------------


def header_only(file: Path, *, rate: int = 16_000, channels: int = 1, frames: int = 16_000) -> Path:
    """A 16-bit WAV of silence that takes no room on the disk."""
    size = 2 * channels * frames
    fmt = struct.pack("<IHHIIHH", 16, 1, channels, rate, 2 * rate * channels, 2 * channels, 16)
    with file.open("wb") as stream:
        stream.write(b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt " + fmt)
        stream.write(b"data" + struct.pack("<I", size))
        stream.truncate(44 + size)
    return file


@pytest.fixture
def no_decoding(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a sample was decoded")

    monkeypatch.setattr(soundfile.SoundFile, "read", refuse)


@pytest.mark.usefixtures("no_decoding")
@pytest.mark.parametrize(
    ("header", "says"),
    [
        ({"rate": 1}, "rate of 1000 to 768000 Hz, found 1$"),
        ({"rate": 999}, "found 999$"),
        ({"rate": 768_001}, "found 768001$"),
        ({"channels": 65}, "at most 64 channels, found 65"),
        ({"channels": 1000}, "at most 64 channels, found 1000"),
        ({"frames": 2 * 10**9}, "at most 14400 s of audio, found 125000 s; cut it into parts"),
    ],
)
def test_impossible_headers_are_refused_at_once(tmp_path, header, says):
    file = header_only(tmp_path / "a.wav", **header)
    for read in (read_waveform, read_duration):
        with pytest.raises(DataError, match=says):
            read(file)


@pytest.mark.parametrize("header", [{"rate": 1000}, {"rate": 768_000}, {"channels": 64}])
def test_the_outermost_headers_are_read(tmp_path, header):
    file = header_only(tmp_path / "a.wav", frames=2000, **header)
    assert np.abs(read_waveform(file)).max() == 0


@pytest.mark.parametrize(
    "header", [{"channels": 64, "frames": 200_000}, {"rate": 768_000, "frames": 12_000_000}]
)
def test_decoding_takes_the_memory_of_what_comes_out(tmp_path, header):
    file = header_only(tmp_path / "a.wav", **header)
    tracemalloc.start()
    waveform = read_waveform(file)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 3 * waveform.nbytes + 5 * 2**20 * 4, "it was decoded as a whole"


def test_whoever_reads_may_ask_for_less(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(1.0, 1), SAMPLE_RATE_HZ)
    assert len(read_waveform(tmp_path / "a.wav", longest_s=1.0)) == SAMPLE_RATE_HZ
    with pytest.raises(DataError, match="at most 0 s of audio, found 1 s"):
        read_waveform(tmp_path / "a.wav", longest_s=0.25)


def test_a_flac_whose_header_leaves_the_length_open_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.flac", noise(0.5, 1), SAMPLE_RATE_HZ)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(content)
    for read in (read_waveform, read_duration):
        with pytest.raises(DataError, match="leaves the length open"):
            read(tmp_path / "a.flac")


def test_only_regular_files_are_opened(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "fifo")
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("it was opened"))
    for file, found in [(tmp_path / "fifo", "FIFO"), ("/dev/zero", "device"), (tmp_path, "folder")]:
        for read in (read_waveform, read_duration):
            with pytest.raises(DataError, match=f"expected a regular file, found a {found}"):
                read(file)


def test_the_name_of_a_file_says_nothing_about_its_content(tmp_path):
    for name in ("a.raw", "a.vox", "a.gsm", os.fsdecode(b"na\xefve.wav"), "two\nlines.wav"):
        file = tmp_path / name
        file.write_text("this is not audio, whatever it is called")
        with pytest.raises(DataError, match="cannot be decoded as audio"):
            read_waveform(file)
        with file.open("wb") as stream:
            soundfile.write(stream, noise(0.1, 1), SAMPLE_RATE_HZ, format="WAV")
        assert len(read_waveform(file)) == 1600


@pytest.mark.parametrize("name", ["a.mp3", "a.wav"])
def test_what_a_mac_leaves_beside_a_file_plays_no_part(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    soundfile.write(tmp_path / name, noise(0.2, 1), SAMPLE_RATE_HZ)
    alone = read_waveform(name)
    for fork in ("._", f"._{name}"):
        Path(fork).write_bytes(b"\0\5\x16\7" + bytes(600))
    np.testing.assert_array_equal(read_waveform(name), alone)


def test_names_that_no_file_can_have_are_one_sentence():
    for name in ("a" * 300 + ".wav", "a\0.wav"):
        with pytest.raises(DataError, match="cannot be decoded"):
            read_waveform(name)


@pytest.mark.parametrize("error", [RuntimeError("odd"), ValueError("odd"), MemoryError("odd")])
def test_whatever_a_decoder_raises_is_one_sentence(tmp_path, monkeypatch, error):
    soundfile.write(tmp_path / "a.wav", noise(0.1, 1), SAMPLE_RATE_HZ)

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(soundfile.SoundFile, "read", fail)
    with pytest.raises(DataError, match=r"a\.wav: cannot be decoded as audio \(odd\)"):
        read_waveform(tmp_path / "a.wav")


def test_no_descriptor_stays_open(tmp_path):
    kinds = ["empty file", "no samples", "text", "truncated FLAC", "not finite"]
    for kind in kinds:
        broken(kind, tmp_path / kind)
    os.mkfifo(tmp_path / "fifo")
    soundfile.write(tmp_path / "sound.wav", noise(0.1, 1), SAMPLE_RATE_HZ)
    before = len([*Path("/dev/fd").iterdir()])
    for name in (*kinds, "fifo", "sound.wav", "missing"):
        for read in (read_waveform, read_duration):
            with suppress(DataError):
                read(tmp_path / name)
    assert len([*Path("/dev/fd").iterdir()]) == before


@pytest.mark.parametrize("kind", ["missing", "folder", "empty file", "no samples", "text"])
def test_duration_of_bad_audio(tmp_path, kind):
    broken(kind, tmp_path / "voice.audio")
    with pytest.raises(DataError, match=r"voice\.audio"):
        read_duration(tmp_path / "voice.audio")
