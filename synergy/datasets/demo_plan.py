"""What the embedded corpus consists of: its configuration, synthetic speakers and clips.

Everything is a seeded draw, each speaker and each clip for itself: nothing depends on the order
in which it is drawn. `demo_sound` turns a plan into samples.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from synergy import limits
from synergy.files import StrictModel
from synergy.wording import SPLITS, Split, quoted, short_list

GENDERS = ("female", "male")
AGE_GROUPS = ("child", "adult", "senior")
GROUPS = tuple((gender, age) for gender in GENDERS for age in AGE_GROUPS)
WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")

ACCENTS = (
    *("en", "en-us", "en-us-nyc", "en-gb-scotland"),
    *("en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029"),
)
# Voice variants of eSpeak NG, with the fundamental frequency in Hz that each has at pitch 50.
VARIANTS = {
    "female": {"f1": 171, "f2": 170, "f3": 174, "f4": 166, "f5": 184, "linda": 220},
    "male": {"m1": 93, "m2": 95, "m3": 104, "m4": 92, "m6": 92, "m7": 105},
}


@dataclass(frozen=True)
class _Trait:
    """What the speakers of an age group tend to."""

    f0_hz: dict[str, float]
    formants: float
    words_per_minute: float
    tremor: float
    cutoff_hz: float


# Neighbouring groups overlap on purpose: age is a tendency here, not a mark.
_TRAITS = {
    "child": _Trait({"female": 262.0, "male": 146.0}, 1.17, 150.0, 0.05, 6500.0),
    "adult": _Trait({"female": 214.0, "male": 116.0}, 1.01, 178.0, 0.05, 6000.0),
    "senior": _Trait({"female": 196.0, "male": 104.0}, 0.95, 142.0, 0.30, 3500.0),
}
# Standard deviations between the speakers of a group.
_F0_OCTAVES, _TREMOR_OCTAVES, _CUTOFF_OCTAVES = 0.11, 0.7, 0.5
_FORMANTS = 0.05
_WORDS_PER_MINUTE = 23.0

_WORD = re.compile("[a-z]{1,20}")

Level = Annotated[float, Field(ge=-20.0, le=60.0)]


class PerSplit(StrictModel):
    """One count for each split."""

    train: int = Field(ge=1, le=limits.DEMO_CLIPS, description="Number in the train split.")
    valid: int = Field(ge=1, le=limits.DEMO_CLIPS, description="Number in the valid split.")
    test: int = Field(ge=1, le=limits.DEMO_CLIPS, description="Number in the test split.")


class DemoSpeechConfig(StrictModel):
    """The embedded corpus: synthetic speech by eSpeak NG."""

    format: Literal["demo_speech"] = "demo_speech"
    seed: int = Field(
        default=0, ge=0, le=limits.SEED, description="Decides every speaker and every clip."
    )
    words: tuple[str, ...] = Field(
        default=WORDS, description="Command words, English, short enough for one second."
    )
    clips: PerSplit = Field(
        default=PerSplit(train=1800, valid=600, test=600),
        description="Clips of each split, balanced over gender, age group and word.",
    )
    speakers: PerSplit = Field(
        default=PerSplit(train=300, valid=120, test=120),
        description="Speakers of each split, a multiple of six; none is in two splits.",
    )
    snr_db: tuple[Level, Level] = Field(
        default=(5.0, 25.0),
        description="Lowest and highest ratio of speech to noise power in dB, drawn evenly.",
    )

    @field_validator("words", mode="before")
    @classmethod
    def _no_booleans(cls, words: Any) -> Any:
        if isinstance(words, list | tuple) and any(isinstance(word, bool) for word in words):
            raise ValueError(
                "expected words, found true or false; in YAML, yes, no, on and off need quotes"
            )
        return words

    @field_validator("words")
    @classmethod
    def _usable(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        if odd := [word for word in words if not _WORD.fullmatch(word)]:
            raise ValueError(
                f"expected single words of 1 to 20 letters a to z, found {quoted(odd[0])}"
            )
        if len(words) < 2 or len(set(words)) < len(words):
            raise ValueError(f"expected at least two words, each once, found {short_list(words)}")
        return words

    @field_validator("snr_db")
    @classmethod
    def _ascending(cls, snr_db: tuple[float, float]) -> tuple[float, float]:
        if snr_db[0] > snr_db[1]:
            raise ValueError("expected the lowest level first, then the highest")
        return snr_db

    @model_validator(mode="after")
    def _balanced(self) -> Self:
        problems: list[str] = []
        for split in SPLITS:
            speakers, clips = getattr(self.speakers, split), getattr(self.clips, split)
            least = max(speakers, len(GROUPS) * len(self.words))
            if speakers % len(GROUPS):
                problems.append(
                    f"speakers.{split}: expected a multiple of {len(GROUPS)}, found {speakers}"
                )
            elif clips < least:
                problems.append(
                    f"clips.{split}: expected at least {least}, so that every speaker speaks and "
                    f"every group says every word, found {clips}"
                )
        if problems:
            raise ValueError("; ".join(problems))
        return self


@dataclass(frozen=True)
class Speaker:
    """A synthetic speaker: what is the same in all its clips.

    Attributes
    ----------
    variant, accent : str
        Voice of eSpeak NG.
    f0_hz, words_per_minute : float
        Usual fundamental frequency and pace; clips vary the pace by up to 8 %.
    formants : float
        Formant frequencies relative to the voice; above 1 for a shorter vocal tract.
    pitch_range : int
        Liveliness of the intonation, 0 to 99.
    tremor, tremor_hz : float
        Depth (0 to 1) and rate of the slow swing in loudness.
    cutoff_hz : float
        Above it the voice loses 6 dB an octave.
    """

    name: str
    gender: str
    age_group: str
    variant: str
    accent: str
    f0_hz: float
    formants: float
    words_per_minute: float
    pitch_range: int
    tremor: float
    tremor_hz: float
    cutoff_hz: float


@dataclass(frozen=True)
class ClipPlan:
    """What is asked of one clip; ``entropy`` seeds all further draws, for this clip alone."""

    path: str
    split: Split
    speaker: Speaker
    word: str
    snr_db: tuple[float, float]
    entropy: tuple[int, ...]


def _draw_speaker(name: str, number: int, entropy: tuple[int, ...]) -> Speaker:
    """Speaker ``number`` of a split; the groups of gender and age take turns."""
    rng = np.random.default_rng(entropy)
    gender, age_group = GROUPS[number % len(GROUPS)]
    trait = _TRAITS[age_group]
    return Speaker(
        name=name,
        gender=gender,
        age_group=age_group,
        variant=str(rng.choice(list(VARIANTS[gender]))),
        accent=str(rng.choice(ACCENTS)),
        f0_hz=trait.f0_hz[gender] * 2.0 ** rng.normal(0.0, _F0_OCTAVES),
        formants=float(np.clip(rng.normal(trait.formants, _FORMANTS), 0.8, 1.35)),
        words_per_minute=rng.normal(trait.words_per_minute, _WORDS_PER_MINUTE),
        pitch_range=int(rng.integers(30, 71)),
        tremor=min(0.6, trait.tremor * 2.0 ** rng.normal(0.0, _TREMOR_OCTAVES)),
        tremor_hz=rng.uniform(4.0, 8.0),
        cutoff_hz=trait.cutoff_hz * 2.0 ** rng.normal(0.0, _CUTOFF_OCTAVES),
    )


def plan_clips(config: DemoSpeechConfig) -> tuple[ClipPlan, ...]:
    """All clips of the corpus, train first.

    Within each split every combination of gender, age group and word has the same number of
    clips, to one. The speakers of a group take turns, and change their words from turn to turn.
    """
    plans: list[ClipPlan] = []
    named = 0
    for place, split in enumerate(SPLITS):
        count, words = getattr(config.speakers, split), len(config.words)
        speakers = [
            _draw_speaker(f"s{named + number + 1:04d}", number, (config.seed, 0, place, number))
            for number in range(count)
        ]
        named += count
        in_group = count // len(GROUPS)
        for number in range(getattr(config.clips, split)):
            turn, group = divmod(number, len(GROUPS))
            # Words and speakers turn together; after a full round of both, the speakers move on
            # by one, so that nobody stays with the same words.
            chosen = (turn + turn // math.lcm(words, in_group)) % in_group
            plans.append(
                ClipPlan(
                    path=f"audio/{split}/{number:05d}.flac",
                    split=split,
                    speaker=speakers[chosen * len(GROUPS) + group],
                    word=config.words[turn % words],
                    snr_db=config.snr_db,
                    entropy=(config.seed, 1, place, number),
                )
            )
    return tuple(plans)
