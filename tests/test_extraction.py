"""Features of a corpus: finite ones, or a sentence that names the file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import soundfile
from small_corpora import corpus_of, noise

from synergy.audio.features import FeatureConfig
from synergy.datasets import extraction
from synergy.datasets.base import Corpus
from synergy.datasets.extraction import extract
from synergy.executors import SerialExecutor


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    made = corpus_of("mine", [("train", {})] * 3, ())
    object.__setattr__(made, "folder", tmp_path)
    for clip in made.clips:
        soundfile.write(made.audio_path(clip), noise(0.2, 1), 16_000, subtype="FLOAT")
    return made


def rewrite(corpus: Corpus, number: int, samples: np.ndarray) -> str:
    file = corpus.audio_path(corpus.clips[number])
    soundfile.write(file, samples, 16_000, subtype="FLOAT")
    return str(file)


@pytest.mark.parametrize("peak", [1e20, 1e30, 3e38])
def test_samples_that_overflow_are_told_with_file_and_peak(corpus, peak):
    everywhere = rewrite(corpus, 0, np.sign(noise(0.2, 1)) * np.float32(peak))
    samples = noise(0.2, 1)
    samples[1000] = peak
    one = rewrite(corpus, 1, samples)
    first, second, third = extract(corpus, FeatureConfig(), SerialExecutor())
    for file, said in ((everywhere, first), (one, second)):
        assert said == (
            f"{file}: expected samples between about -1 and 1, found a peak of {peak:g}, "
            "of which no features can be computed"
        )
    assert isinstance(third, np.ndarray)
    assert np.isfinite(third).all()


@pytest.mark.parametrize("peak", [1e-30, 1.0, 32768.0, 1e9])
def test_what_is_finite_fits_into_float16(corpus, peak):
    rewrite(corpus, 0, noise(0.2, 1) * np.float32(10 * peak))
    (features, *_) = extract(corpus, FeatureConfig(), SerialExecutor())
    assert isinstance(features, np.ndarray)
    assert features.dtype == np.float16
    assert np.isfinite(features).all()


def test_a_file_is_named_once_whatever_its_name(corpus):
    clip = corpus.clips[0]
    for name in ("a\x1b[31m.wav", "b\udcef.wav", clip.path):
        object.__setattr__(clip, "path", name)
        for content in (b"RIFF", None):  # no audio, and too short for a window
            file = corpus.audio_path(clip)
            if content:
                file.write_bytes(content)
            else:
                with file.open("wb") as stream:
                    soundfile.write(stream, noise(0.001, 1), 16_000, format="WAV")
            (said, *_) = extract(corpus, FeatureConfig(), SerialExecutor())
            assert isinstance(said, str)
            assert said.count(".wav: ") == 1


@pytest.mark.parametrize(
    ("seconds", "sizes"), [(1.0, [32, 32, 6]), (400.0, [1] * 70), (300.0, [2] * 35)]
)
def test_chunks_are_of_few_clips_or_of_few_minutes(corpus, seconds, sizes):
    clips = tuple(replace(corpus.clips[0], path=str(n), duration_s=seconds) for n in range(70))
    long = replace(corpus, clips=clips)
    chunks = list(extraction._chunks(long))
    assert [len(chunk) for chunk in chunks] == sizes
    assert [file for chunk in chunks for file in chunk] == [str(long.audio_path(c)) for c in clips]


def test_a_recording_that_cannot_be_read_travels_as_its_reason(tmp_path):
    gone = extraction._travelling(str(tmp_path / "none.wav"))
    (found,) = extraction._features(FeatureConfig(), [gone], lambda _: None)
    assert found == f"{tmp_path}/none.wav: expected an audio file, found no such file"
