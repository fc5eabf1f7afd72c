"""Headers that announce more sound than the file holds, and those that cannot know it."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from small_corpora import noise

from synergy.audio.reading import SAMPLE_RATE_HZ, read_duration, read_waveform
from synergy.audio.sound_chunks import missing_bytes
from synergy.errors import DataError

FMT = struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
SOUND = (10_000 * noise(0.1, 1)).astype("<i2").tobytes()
CHUNKED = ["WAV", "WAVEX", "RF64", "W64", "AIFF"]


def wav(announced: int, sound: bytes = SOUND, before: bytes = b"", magic: bytes = b"RIFF") -> bytes:
    """A WAV of 16-bit mono with any chunks before the sound."""
    body = b"WAVE" + before + b"fmt " + FMT + b"data" + struct.pack("<I", announced) + sound
    return magic + struct.pack("<I", len(body)) + body


def missing(file: Path) -> int:
    handle = os.open(file, os.O_RDONLY)
    try:
        return missing_bytes(handle)
    finally:
        os.close(handle)


@pytest.mark.parametrize("form", CHUNKED)
@pytest.mark.parametrize("endian", ["FILE", "BIG"])
def test_a_file_that_was_cut_off_is_refused_and_a_whole_one_is_not(tmp_path, form, endian):
    file = tmp_path / "a.wav"
    if form != "WAV" and endian == "BIG":
        endian = "FILE"
    soundfile.write(file, noise(0.5, 1), SAMPLE_RATE_HZ, "PCM_16", endian, form)
    assert missing(file) == 0
    assert len(read_waveform(file)) == SAMPLE_RATE_HZ // 2
    content = file.read_bytes()
    file.write_bytes(content[:-1000])
    assert missing(file) == 1000
    for read in (read_waveform, read_duration):
        with pytest.raises(DataError, match=r"a\.wav: the file is damaged, 1,000 of the bytes"):
            read(file)


@pytest.mark.parametrize("form", ["FLAC", "OGG", "MP3", "AU", "CAF", "NIST"])
def test_other_containers_announce_nothing_here(tmp_path, form):
    soundfile.write(tmp_path / "a", noise(0.2, 1), SAMPLE_RATE_HZ, format=form)
    assert missing(tmp_path / "a") == 0


@pytest.mark.parametrize("announced", [0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_a_wav_from_a_pipe_is_read_to_its_end(tmp_path, announced):
    (tmp_path / "a.wav").write_bytes(wav(announced))
    assert len(read_waveform(tmp_path / "a.wav")) == len(SOUND) // 2
    assert read_duration(tmp_path / "a.wav") == pytest.approx(0.1)


def test_a_wav_that_announces_nothing_has_no_samples(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav(0))
    with pytest.raises(DataError, match="without samples"):
        read_waveform(tmp_path / "a.wav")


@pytest.mark.parametrize("long_size", [0, 2**63 - 1, 2**64 - 1])
def test_an_rf64_whose_writer_did_not_come_back_is_read_to_its_end(tmp_path, long_size):
    sizes = b"ds64" + struct.pack("<IQQQI", 28, 0, long_size, 0, 0)
    (tmp_path / "a.wav").write_bytes(wav(0xFFFFFFFF, before=sizes, magic=b"RF64"))
    assert missing(tmp_path / "a.wav") == 0


def test_chunks_of_odd_length_are_padded(tmp_path):
    note = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    (tmp_path / "a.wav").write_bytes(wav(len(SOUND), before=note) + note)
    assert len(read_waveform(tmp_path / "a.wav")) == len(SOUND) // 2
    (tmp_path / "a.wav").write_bytes(wav(len(SOUND) + 2, before=note))
    with pytest.raises(DataError, match="2 of the bytes"):
        read_waveform(tmp_path / "a.wav")


def test_chunks_without_end_are_not_followed_for_ever(tmp_path, monkeypatch):
    (tmp_path / "a.wav").write_bytes(b"RIFF" + bytes(100_000))
    read, calls = os.pread, []
    monkeypatch.setattr(os, "pread", lambda *given: calls.append(given) or read(*given))
    assert missing(tmp_path / "a.wav") == 0
    assert len(calls) < 2000


@given(st.binary(max_size=200), st.sampled_from([b"RIFF", b"RF64", b"riff", b"FORM", b"RIFX"]))
def test_any_header_is_answered(tmp_path_factory, rest, magic):
    file = tmp_path_factory.getbasetemp() / "any.wav"
    file.write_bytes(magic + rest)
    try:
        assert missing(file) >= 0
    except OverflowError:  # a place beyond every file
        pytest.fail("a size of 64 bits is not checked")
    try:
        waveform = read_waveform(file)
    except DataError:
        return
    assert np.isfinite(waveform).all()
