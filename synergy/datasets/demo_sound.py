"""The sound of the embedded corpus: a spoken word, aged, placed in a second of noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr

from synergy.audio.reading import SAMPLE_RATE_HZ
from synergy.datasets.demo_plan import VARIANTS, ClipPlan, Speaker
from synergy.errors import DataError

CLIP_SAMPLES = SAMPLE_RATE_HZ
EDGE_SAMPLES = SAMPLE_RATE_HZ // 50  # no speech in the first and the last 20 ms
NOISES = ("white", "pink", "brown", "hum", "coloured", "crowd")

Speak = Callable[[dict[str, Any]], tuple[np.ndarray, int]]
"""From a request to eSpeak NG to int16 samples [T] and their rate in Hz."""

_LONGEST_WORD = int(0.86 * SAMPLE_RATE_HZ)
_FADE = SAMPLE_RATE_HZ // 200
_SPEECH_FLOOR_DB = -28.0  # 5 ms this far below the loudest ones are not heard as speech
_OCTAVES_PER_50_PITCH = 0.75  # how eSpeak NG turns its pitch of 0 to 99 into frequency


@dataclass(frozen=True, eq=False)
class RenderedClip:
    """Samples of a clip and what is known of them.

    Attributes
    ----------
    samples : ndarray of int16, shape (16000,)
        One second at 16 kHz.
    segments : tuple of (int, int)
        First sample of each stretch of speech and the one after its last.
    noise : str
        One of `NOISES`.
    snr_db : float
        Power of the speech within its segments over power of the noise within the clip.
    """

    samples: np.ndarray
    segments: tuple[tuple[int, int], ...]
    noise: str
    snr_db: float


def draw_noise(kind: str, rng: np.random.Generator) -> np.ndarray:
    """One second of background noise, float64 (16000,), root mean square 1.

    ``coloured`` has a random spectrum; ``crowd`` swells like distant chatter but holds no voice.

    Raises
    ------
    ValueError
        If ``kind`` is none of `NOISES`.
    """
    seconds = np.arange(CLIP_SAMPLES) / SAMPLE_RATE_HZ
    match kind:
        case "white":
            return _shaped(rng, np.ones_like)
        case "pink":
            return _shaped(rng, lambda hz: hz**-0.5)
        case "brown":
            return _shaped(rng, lambda hz: 1.0 / hz)
        case "hum":
            base = rng.choice((50.0, 60.0))
            noise = 0.4 * _shaped(rng, lambda hz: hz**-0.5)
            for harmonic in range(1, 9):
                phase, level = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.3, 1.0) / harmonic
                noise += level * np.sin(2.0 * np.pi * base * harmonic * seconds + phase)
        case "coloured":
            knots, levels_db = np.geomspace(50.0, 8000.0, 8), rng.uniform(-12.0, 12.0, 8)
            noise = _shaped(
                rng, lambda hz: hz**-0.5 * 10.0 ** (np.interp(hz, knots, levels_db) / 20.0)
            )
        case "crowd":
            swell = np.ones(CLIP_SAMPLES)
            for _ in range(4):
                swell += np.sin(2.0 * np.pi * (rng.uniform(2.0, 6.0) * seconds + rng.uniform()))
            noise = swell * _shaped(rng, lambda hz: 1.0 / (1.0 + (hz / 500.0) ** 1.5))
        case _:
            raise ValueError(f"expected one of {', '.join(NOISES)}, found {kind!r}")
    return noise / np.sqrt(np.mean(noise**2))


def _shaped(rng: np.random.Generator, gain: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """White noise, its spectrum times ``gain`` of the frequency in Hz; root mean square 1."""
    spectrum = np.fft.rfft(rng.standard_normal(CLIP_SAMPLES))
    hz = np.fft.rfftfreq(CLIP_SAMPLES, 1.0 / SAMPLE_RATE_HZ)
    noise = np.fft.irfft(spectrum * gain(np.maximum(hz, 20.0)), CLIP_SAMPLES)
    return noise / np.sqrt(np.mean(noise**2))


def espeak_request(plan: ClipPlan, rng: np.random.Generator, speed: float = 1.0) -> dict[str, Any]:
    """What eSpeak NG is asked for, in the keys of `synergy.datasets.espeak`.

    Pitch and rate are divided by the speaker's formant scale, because playing the utterance
    faster afterwards raises formants, pitch and rate together.
    """
    who = plan.speaker
    f0_hz = who.f0_hz * 2.0 ** rng.normal(0.0, 0.05) / who.formants
    octaves = math.log2(f0_hz / VARIANTS[who.gender][who.variant])
    rate = who.words_per_minute * rng.uniform(0.92, 1.08) / who.formants * speed
    return {
        "text": plan.word,
        "accent": who.accent,
        "variant": who.variant,
        "rate": min(450, max(80, round(rate))),
        "pitch": min(99, max(0, round(50.0 * (1.0 + octaves / _OCTAVES_PER_50_PITCH)))),
        "range": who.pitch_range,
    }


def _aged(pcm: np.ndarray, sample_rate: int, who: Speaker, rng: np.random.Generator) -> np.ndarray:
    """The utterance at 16 kHz with the speaker's formants, tremor and treble."""
    word = soxr.resample(pcm / 32768.0, sample_rate * who.formants, SAMPLE_RATE_HZ, quality="HQ")
    seconds = np.arange(len(word)) / SAMPLE_RATE_HZ
    swing = np.sin(2.0 * np.pi * (who.tremor_hz * seconds + rng.uniform()))
    hz = np.fft.rfftfreq(len(word), 1.0 / SAMPLE_RATE_HZ)
    treble = 1.0 / np.sqrt(1.0 + (hz / who.cutoff_hz) ** 2)
    return np.fft.irfft(np.fft.rfft(word * (1.0 + who.tremor * swing)) * treble, len(word))


def _audible(word: np.ndarray) -> np.ndarray:
    """The word without the silence and the echo around it, faded in and out over 5 ms."""
    frames = len(word) // _FADE
    power = (word[: frames * _FADE].reshape(frames, _FADE) ** 2).mean(axis=1)
    loud = np.flatnonzero(power > power.max() * 10.0 ** (_SPEECH_FLOOR_DB / 10.0))
    word = word[int(loud[0]) * _FADE : int(loud[-1] + 1) * _FADE].copy()
    fade = np.linspace(0.0, 1.0, _FADE)
    word[:_FADE] *= fade
    word[-_FADE:] *= fade[::-1]
    return word


def _place(length: int, rng: np.random.Generator) -> tuple[tuple[int, int], ...]:
    """Where the word is said: anywhere in the second, sometimes twice with a pause between."""
    again, pause = rng.uniform() < 0.25, int(rng.uniform(0.10, 0.25) * SAMPLE_RATE_HZ)
    twice = 2 * length + pause
    whole = twice if again and twice <= CLIP_SAMPLES - 2 * EDGE_SAMPLES else length
    first = int(rng.integers(EDGE_SAMPLES, CLIP_SAMPLES - EDGE_SAMPLES - whole + 1))
    begins = sorted({first, first + whole - length})
    return tuple((begin, begin + length) for begin in begins)


def render_clip(plan: ClipPlan, speak: Speak) -> RenderedClip:
    """Speak, age, place and mix with noise; the same samples at every call.

    Raises
    ------
    DataError
        If the word does not fit into one second even when spoken fast.
    """
    speed = 1.0
    for _ in range(4):
        rng = np.random.default_rng(plan.entropy)
        pcm, sample_rate = speak(espeak_request(plan, rng, speed))
        word = _audible(_aged(pcm, sample_rate, plan.speaker, rng))
        if len(word) <= _LONGEST_WORD:
            return _in_noise(plan, word, rng)
        speed *= 1.1 * len(word) / _LONGEST_WORD
    raise DataError(
        f"demo_speech: expected words that fit into one second, found {plan.word!r}; "
        "choose a shorter word"
    )


def _in_noise(plan: ClipPlan, word: np.ndarray, rng: np.random.Generator) -> RenderedClip:
    segments = _place(len(word), rng)
    speech = np.zeros(CLIP_SAMPLES)
    for start, end in segments:
        speech[start:end] = word * rng.uniform(0.8, 1.0)
    power = (speech**2).sum() / sum(end - start for start, end in segments)
    kind, snr_db = str(rng.choice(NOISES)), rng.uniform(*plan.snr_db)
    mixed = speech / math.sqrt(power) + draw_noise(kind, rng) * 10.0 ** (-snr_db / 20.0)
    mixed *= 10.0 ** (rng.uniform(-32.0, -18.0) / 20.0)
    mixed *= min(1.0, 0.99 / np.abs(mixed).max())
    return RenderedClip(np.rint(mixed * 32767.0).astype(np.int16), segments, kind, snr_db)
