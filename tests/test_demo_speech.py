"""The embedded corpus: balanced, with known truth, and the same samples whatever the order."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from synergy import limits
from synergy.audio.reading import SAMPLE_RATE_HZ, read_waveform
from synergy.datasets import espeak, espeak_voice
from synergy.datasets.base import Corpus
from synergy.datasets.demo_plan import ACCENTS, AGE_GROUPS, GENDERS, VARIANTS, plan_clips
from synergy.datasets.demo_sound import NOISES, draw_noise, render_clip
from synergy.datasets.demo_speech import DemoSpeechConfig, load_demo_speech, render_demo_speech
from synergy.datasets.espeak_voice import EspeakVoice
from synergy.errors import DataError, MissingExtraError
from synergy.wording import SPLITS

needs_espeak = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="the extra demo is not installed"
)

TINY = {
    "words": ["go", "stop"],
    "clips": {"train": 12, "valid": 12, "test": 12},
    "speakers": {"train": 6, "valid": 6, "test": 6},
    "snr_db": [20.0, 22.0],
}
REQUEST = {
    "text": "yes",
    "accent": "en-us",
    "variant": "f3",
    "rate": 170,
    "pitch": 50,
    "range": 50,
}


def tiny(**changes: object) -> DemoSpeechConfig:
    return DemoSpeechConfig.model_validate({**TINY, **changes})


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_demo_speech("demo", tiny())


# -- the plan ---------------------------------------------------------------------------------


@given(
    seed=st.integers(0, limits.SEED),
    words=st.integers(2, 9),
    in_group=st.integers(1, 5),
    clips=st.integers(60, 200),
)
def test_every_split_is_balanced_and_has_speakers_of_its_own(seed, words, in_group, clips):
    config = tiny(
        seed=seed,
        words=["a" * (i + 1) for i in range(words)],
        clips=dict.fromkeys(SPLITS, clips),
        speakers=dict.fromkeys(SPLITS, 6 * in_group),
    )
    plans = plan_clips(config)
    splits = {split: [plan for plan in plans if plan.split == split] for split in SPLITS}
    speakers = [{plan.speaker.name for plan in splits[split]} for split in SPLITS]
    assert [len(names) for names in speakers] == [6 * in_group] * 3
    assert len(set.union(*speakers)) == 18 * in_group
    for split in SPLITS:
        cells = Counter((p.speaker.gender, p.speaker.age_group, p.word) for p in splits[split])
        assert len(cells) == 6 * words
        assert max(cells.values()) - min(cells.values()) <= 1


def test_default_speakers_do_not_repeat_a_word():
    spoken = Counter((plan.speaker.name, plan.word) for plan in plan_clips(DemoSpeechConfig()))
    assert set(spoken.values()) == {1}


def test_another_seed_or_another_split_means_other_speakers():
    def voices(seed: int) -> set[float]:
        return {plan.speaker.f0_hz for plan in plan_clips(tiny(seed=seed))}

    assert len(voices(0)) == 18
    assert not voices(0) & voices(1)


def test_a_larger_train_split_leaves_the_other_clips_alone():
    def test_clips(train: int) -> list[tuple[object, ...]]:
        config = tiny(clips={**TINY["clips"], "train": train})
        return [
            (plan.path, plan.word, plan.entropy, plan.speaker.f0_hz)
            for plan in plan_clips(config)
            if plan.split == "test"
        ]

    assert test_clips(12) == test_clips(30)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"words": ["go", True]}, "yes, no, on and off need quotes"),
        ({"words": ["go", "go"]}, "each once"),
        ({"words": ["go"]}, "at least two words"),
        ({"words": ["go", "Stop!"]}, "letters a to z, found 'Stop!'"),
        ({"snr_db": [20.0, 5.0]}, "lowest level first"),
        ({"snr_db": [5.0, 500.0]}, "less than or equal to 60"),
        ({"speakers": {"train": 7, "valid": 6, "test": 6}}, "multiple of 6, found 7"),
        ({"clips": {"train": 11, "valid": 12, "test": 12}}, "clips.train: expected at least 12"),
        ({"voice": "f3"}, "Extra inputs are not permitted"),
        ({"seed": -1}, "greater than or equal to 0"),
    ],
)
def test_an_impossible_configuration_is_refused(changes, said):
    with pytest.raises(ValidationError) as refused:
        tiny(**changes)
    assert said in str(refused.value)


# -- the sound --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NOISES)
def test_noise_has_unit_power_and_follows_its_generator(kind):
    noise = draw_noise(kind, np.random.default_rng(1))
    assert noise.shape == (SAMPLE_RATE_HZ,)
    assert np.mean(noise**2) == pytest.approx(1.0)
    assert np.array_equal(noise, draw_noise(kind, np.random.default_rng(1)))
    assert not np.array_equal(noise, draw_noise(kind, np.random.default_rng(2)))


def test_an_unknown_noise_is_refused():
    with pytest.raises(ValueError, match="found 'silence'"):
        draw_noise("silence", np.random.default_rng(1))


@needs_espeak
def test_the_same_samples_in_any_order_and_with_any_number_of_processes(tmp_path, corpus):
    time.sleep(1.1)  # eSpeak NG seeds its noise with the second in which it starts
    for workers in (1, 3):
        render_demo_speech(tmp_path / str(workers), tiny(), workers=workers)
    files = [p.relative_to(tmp_path / "1") for p in (tmp_path / "1").rglob("*") if p.is_file()]
    assert len(files) == 36 + 2
    for file in files:
        content = (corpus.folder / file).read_bytes()
        assert (tmp_path / "1" / file).read_bytes() == content, file
        assert (tmp_path / "3" / file).read_bytes() == content, file
    with EspeakVoice() as voice:
        for plan in reversed(plan_clips(tiny())[::5]):
            samples = render_clip(plan, voice.speak).samples / np.float32(32768)
            assert np.array_equal(samples, read_waveform(corpus.folder / plan.path)), plan.path


@needs_espeak
def test_every_planned_voice_exists():
    with EspeakVoice() as voice:
        for gender in GENDERS:
            for variant in VARIANTS[gender]:
                voice.speak({**REQUEST, "variant": variant})
        for accent in ACCENTS:
            voice.speak({**REQUEST, "accent": accent})


@needs_espeak
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"variant": "f33"}, "expected a voice variant of eSpeak NG"),
        ({"variant": ""}, "found ''"),
        ({"accent": "en-zz"}, "expected an accent of eSpeak NG"),
        ({"pitch": 100}, "expected pitch in 0..99, found 100"),
        ({"text": " "}, "expected a text"),
    ],
)
def test_what_espeak_would_silently_replace_is_refused(changes, said):
    with EspeakVoice() as voice:
        with pytest.raises(DataError, match=said):
            voice.speak({**REQUEST, **changes})
        assert len(voice.speak(REQUEST)[0])  # and it goes on after that


@needs_espeak
def test_a_long_word_is_spoken_faster_until_it_fits_or_is_refused():
    long = "uncharacteristically"
    plans = [plan for plan in plan_clips(tiny(words=["go", long])) if plan.word == long]
    with EspeakVoice() as voice:
        rates: list[int] = []

        def speak(request: dict[str, int]) -> tuple[np.ndarray, int]:
            rates.append(request["rate"])
            return voice.speak(request)

        ((start, end),) = render_clip(plans[0], speak).segments
        assert 0.5 * SAMPLE_RATE_HZ < end - start <= 0.86 * SAMPLE_RATE_HZ
        assert len(rates) > 1
        assert rates == sorted(rates)
        with pytest.raises(DataError, match="choose a shorter word"):
            render_clip(replace(plans[0], word=5 * long), voice.speak)


def pitch_hz(samples: np.ndarray) -> float:
    """Median over loud frames of the strongest period of 65 to 420 Hz."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 640)[::160]
    frames = frames[np.mean(frames**2, axis=1) > 0.2 * np.mean(frames**2, axis=1).max()]
    low, high = SAMPLE_RATE_HZ // 420, SAMPLE_RATE_HZ // 65
    periods = [low + int(np.correlate(f, f, "full")[639:][low:high].argmax()) for f in frames]
    return float(SAMPLE_RATE_HZ / np.median(periods))


@needs_espeak
def test_speakers_have_the_pitch_that_was_planned():
    found = {gender: [] for gender in GENDERS}
    with EspeakVoice() as voice:
        for plan in plan_clips(tiny(words=["go", "no"], snr_db=[40.0, 40.0])):
            clip = render_clip(plan, voice.speak)
            start, end = clip.segments[0]
            octaves = np.log2(pitch_hz(clip.samples[start:end] / 32768.0) / plan.speaker.f0_hz)
            found[plan.speaker.gender].append(octaves)
    for gender in GENDERS:
        assert abs(np.median(found[gender])) < 0.15
        assert np.mean(np.abs(found[gender]) < 0.35) > 0.9


# -- the corpus -------------------------------------------------------------------------------


@needs_espeak
def test_every_clip_carries_all_labels_and_speech_inside_its_second(corpus):
    assert len(corpus.clips) == 36
    for clip in corpus.clips:
        assert clip.duration_s == 1.0
        assert clip.labels["gender"] in GENDERS
        assert clip.labels["age_group"] in AGE_GROUPS
        assert clip.labels["word"] in TINY["words"]
        assert clip.segments
        assert clip.segments[0].start_s >= 0.02
        assert clip.segments[-1].end_s <= 0.98
        assert {(s.label, s.label_source) for s in clip.segments} == {("speech", "synthesis")}
        samples = read_waveform(corpus.audio_path(clip))
        assert samples.shape == (SAMPLE_RATE_HZ,)
        assert 0.001 < np.abs(samples).max() < 0.995


@needs_espeak
def test_noise_has_the_stated_level(corpus):
    for clip in corpus.clips:
        stated = float(clip.labels["snr_db"])
        assert 20.0 <= stated <= 22.0
        if clip.labels["noise"] not in ("white", "pink", "coloured"):
            continue  # what swells or drones does not have the same level everywhere
        power = read_waveform(corpus.audio_path(clip)).astype(np.float64) ** 2
        speech = np.zeros(SAMPLE_RATE_HZ, dtype=bool)
        for segment in clip.segments or ():
            speech[round(segment.start_s * 16000) : round(segment.end_s * 16000)] = True
        noise = power[~speech].mean()
        measured = 10.0 * np.log10((power[speech].mean() - noise) / noise)
        assert measured == pytest.approx(stated, abs=1.0)


@needs_espeak
def test_the_corpus_says_that_it_is_synthetic(corpus):
    (note,) = corpus.notes
    assert "synthetic speech" in note
    assert "eSpeak NG" in note
    assert "no person was recorded" in note


@needs_espeak
def test_it_is_rendered_once_and_what_a_killed_run_left_is_cleared_away(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNERGY_CACHE", str(tmp_path))
    calls: list[tuple[int, int]] = []

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    first = load_demo_speech("demo", tiny(), lambda *call: calls.append(call))
    assert calls == [(done, 36) for done in range(1, 37)]
    assert load_demo_speech("demo", tiny(), killed) == first
    with pytest.raises(KeyboardInterrupt):
        load_demo_speech("demo", tiny(seed=1), killed)
    assert sorted(path.name for path in first.folder.parent.iterdir() if path.is_dir()) == [
        first.folder.name
    ]
    left_over = first.folder.with_name(f".{first.folder.name}.0123456789ab.partial")
    first.folder.rename(left_over)
    (left_over / "manifest.csv").unlink()
    again = load_demo_speech("demo", tiny())
    assert not left_over.exists()
    assert again.fingerprint == first.fingerprint
    other = load_demo_speech("demo", tiny(seed=1))
    assert other.folder != first.folder
    assert other.fingerprint != first.fingerprint


@needs_espeak
def test_the_library_is_loaded_in_a_process_of_its_own(corpus):
    assert corpus.clips
    assert "espeakng_loader" not in sys.modules
    maps = Path("/proc/self/maps")
    if maps.exists():
        assert "espeak" not in maps.read_text()
    program = f"import sys, runpy; runpy.run_path({espeak.__file__!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert not {"torch", "numpy", "synergy"} & set(done.stdout.split())


@needs_espeak
def test_a_process_that_ended_is_an_error_of_one_sentence():
    with EspeakVoice() as voice:
        voice._process.kill()
        voice._process.wait()
        with pytest.raises(DataError, match="has ended"):
            voice.speak(REQUEST)


def test_without_the_extra_the_install_command_is_named(monkeypatch):
    monkeypatch.setattr(espeak_voice.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r'pip install -e "\.\[demo\]"'):
        load_demo_speech("demo", tiny())
