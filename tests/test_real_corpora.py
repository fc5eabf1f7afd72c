"""The readers on real recordings: what the packs' own descriptions promise."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from synergy.audio.features import FeatureConfig
from synergy.datasets.feature_store import open_store
from synergy.datasets.manifest import ManifestConfig, load_manifest
from synergy.tasks import TASK_KINDS
from synergy.tasks.selection import select_clips
from synergy.tasks.task_source import TaskSource
from synergy.wording import SPLITS

CLASSES, ACTIVITY = TASK_KINDS["clip_classification"], TASK_KINDS["frame_activity"]

PACKS = {
    "speechocean762": 578,
    "librispeech_gender": 150,
    "emodb": 200,
    "arabic_speech_commands": 1200,
    "speech_commands_3words": 330,
    "ami_vad": 10,
}


@pytest.fixture(scope="module")
def corpora(speech_data):
    return {
        name: load_manifest(name, ManifestConfig(folder=str(speech_data / name))) for name in PACKS
    }


@pytest.mark.parametrize(("name", "clips"), PACKS.items())
def test_every_pack_is_read(corpora, name, clips):
    corpus = corpora[name]
    assert len(corpus.clips) == clips
    assert {clip.split for clip in corpus.clips} == set(SPLITS)
    assert corpus.licences
    assert all(clip.segments for clip in corpus.clips[:5])
    assert all(0 < clip.duration_s <= 30.1 for clip in corpus.clips)


def test_only_the_pack_without_valid_gets_one(corpora):
    assert {name for name, corpus in corpora.items() if corpus.notes} == {"emodb"}


def counts(selection):
    return [len(selection.of_split(split)) for split in SPLITS]


def test_the_four_tasks_find_their_clips(corpora):
    gender = select_clips(
        "gc",
        ("female", "male"),
        CLASSES,
        {
            "speechocean762": TaskSource(column="gender", where={"age": ">= 18"}),
            "librispeech_gender": TaskSource(column="gender"),
            "emodb": TaskSource(column="gender"),
        },
        corpora,
    )
    assert counts(gender)[2] == 171
    assert gender.dropped == ("298 clips of speechocean762 do not have age >= 18",)
    age = select_clips(
        "ac",
        ("child", "young", "adult"),
        CLASSES,
        {
            "speechocean762": TaskSource(
                column="age_group",
                map={
                    "child_06_12": "child",
                    "teen_13_17": "young",
                    "young_18_25": "young",
                    "adult_26_plus": "adult",
                },
            )
        },
        corpora,
    )
    assert counts(age) == [329, 84, 165]
    words = select_clips(
        "scr", None, CLASSES, {"arabic_speech_commands": TaskSource(column="word")}, corpora
    )
    assert len(words.spec.classes) == 20
    assert counts(words) == [840, 120, 240]
    assert set(Counter(labelled.target for labelled in words.of_split("test")).values()) == {12}


def test_activity_by_hand_labels(corpora):
    source = TaskSource(segments="speech", label_source="hand")
    vad = select_clips("vad", None, ACTIVITY, {"ami_vad": source, "emodb": source}, corpora)
    assert sum(counts(vad)) == 210
    assert vad.spec.classes == ("speech",)
    shares = [
        ACTIVITY.target(labelled.target, int(labelled.clip.duration_s / 0.01), 0.01).mean()
        for labelled in vad.clips
    ]
    assert len(shares) == 210
    assert 0.3 < np.mean(shares) < 0.99


def test_features_have_the_length_of_the_recordings(corpora, tmp_path, monkeypatch):
    monkeypatch.setenv("SYNERGY_CACHE", str(tmp_path))
    config = FeatureConfig()
    store = open_store(corpora["ami_vad"], config)
    for clip in corpora["ami_vad"].clips:
        frames = round(clip.duration_s * 16_000) // config.hop_samples + 1
        assert store.offsets[clip.path][1] == frames
    assert np.isfinite(store.features).all()
    assert store.features.min() >= -14
    assert store.features.max() <= 13
