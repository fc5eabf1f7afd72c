"""From a configuration to clips, features and targets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_corpora import gender_rows, row, write_manifest

from synergy.config import RunConfig
from synergy.errors import DataError
from synergy.experiment import prepare
from synergy.tree import SharingTree


def config_of(folder: Path, **settings: object) -> RunConfig:
    """Gender and speech in one corpus, gender in a second one."""
    rows = [entry | {"word": "yes" if n % 2 else "no"} for n, entry in enumerate(gender_rows(4))]
    segments = [
        {"path": entry["path"], "start_s": 0.05, "end_s": 0.15, "label": "speech"}
        for entry in rows[::2]
    ]
    write_manifest(folder / "first", rows, segments, seconds=0.25)
    write_manifest(folder / "second", gender_rows(), seconds=0.3)
    return RunConfig.model_validate(
        {
            "corpora": {
                "first": {"format": "manifest", "folder": str(folder / "first")},
                "second": {"format": "manifest", "folder": str(folder / "second")},
            },
            "tasks": {
                "gc": {
                    "kind": "clip_classification",
                    "corpora": {"first": {"column": "gender"}, "second": {"column": "gender"}},
                },
                "scr": {
                    "kind": "clip_classification",
                    "corpora": {"first": {"column": "word"}},
                },
                "vad": {"kind": "frame_activity", "corpora": {"first": {"segments": "speech"}}},
            },
            **settings,
        }
    )


def test_targets_lie_beside_the_clips_they_belong_to(tmp_path: Path) -> None:
    experiment = prepare(config_of(tmp_path))
    bank = experiment.bank
    assert len(bank.keys) == 36
    gc, scr, vad = (experiment.folds[0][task] for task in ("gc", "scr", "vad"))
    for split in ("train", "valid", "test"):
        assert len(gc.clips[split]) == 12
        assert len(scr.clips[split]) == 8
        assert len(vad.clips[split]) == 4
        for clip, target in zip(gc.clips[split], gc.targets[split], strict=True):
            assert gc.spec.classes[int(target)] in bank.keys[clip]
            assert f"/{split}/" in bank.keys[clip]
        for clip, activity in zip(vad.clips[split], vad.targets[split], strict=True):
            assert len(activity) == len(bank.features[clip])
            assert np.flatnonzero(activity).tolist() == list(range(5, 15))
    assert any("8 train" in note and "scr" in note for note in experiment.notes)


def test_features_are_normalised_by_the_training_clips(tmp_path: Path) -> None:
    bank = prepare(config_of(tmp_path)).bank
    sides = []
    for corpus in ("first/", "second/"):
        clips = [n for n, key in enumerate(bank.keys) if key.startswith(corpus + "train/")]
        sides.append(np.concatenate([bank.features[n] for n in clips]).astype(np.float64))
    mean = np.mean([side.mean(axis=0) for side in sides], axis=0)
    square = np.mean([(side**2).mean(axis=0) for side in sides], axis=0)
    np.testing.assert_allclose(bank.normalisation.mean, mean, rtol=1e-5)
    np.testing.assert_allclose(bank.normalisation.std, np.sqrt(square - mean**2), rtol=1e-3)


def test_identity_follows_content_not_place(tmp_path: Path) -> None:
    here = prepare(config_of(tmp_path / "here"))
    there = prepare(config_of(tmp_path / "there"))
    tree = SharingTree.flat(["gc", "vad"], 5, 8)
    assert here.trial(tree, 0).digest == there.trial(tree, 0).digest
    assert here.trial(tree, 0).digest != here.trial(tree, 1).digest
    changed = config_of(tmp_path / "there")
    manifest = tmp_path / "there" / "first" / "manifest.csv"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace("female,yes", "female,no"), encoding="utf-8")
    relabelled = prepare(changed)
    assert relabelled.folds[0]["scr"].digest != here.folds[0]["scr"].digest
    assert relabelled.folds[0]["gc"].digest == here.folds[0]["gc"].digest


def test_tasks_with_the_same_clips_share_a_stream(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    both = config.tasks | {"again": config.tasks["scr"]}
    data = prepare(config.model_copy(update={"tasks": both})).folds[0]
    assert data["again"].stream == data["scr"].stream
    assert data["gc"].stream != data["scr"].stream


def test_problems_of_all_tasks_come_together(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    tasks = config.model_dump(mode="json")["tasks"]
    tasks["gc"]["corpora"]["first"]["column"] = "gendre"
    tasks["scr"]["corpora"]["first"]["column"] = "wrod"
    wrong = RunConfig.model_validate(config.model_dump(mode="json") | {"tasks": tasks})
    with pytest.raises(DataError) as caught:
        prepare(wrong)
    assert "did you mean 'gender'" in str(caught.value)
    assert "did you mean 'word'" in str(caught.value)


def test_clips_without_a_label_play_no_part(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    rows = gender_rows(2)
    rows.append(row("train/extra.wav", "train", "someone", gender=""))
    write_manifest(tmp_path / "second", rows, seconds=0.3)
    experiment = prepare(config)
    assert len(experiment.folds[0]["gc"].clips["train"]) == 12
