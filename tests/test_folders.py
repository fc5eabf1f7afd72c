"""Class folders as people have them, and what is said about those that are none."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from small_cli import synergy
from small_corpora import write_noise

from synergy.datasets import load_corpus
from synergy.datasets.folders import FoldersConfig, speaker_of
from synergy.errors import DataError
from synergy.wording import SPLITS


def load(folder, **settings):
    return load_corpus("mine", FoldersConfig.model_validate({"folder": str(folder), **settings}))


def write(folder, *paths):
    for path in paths:
        write_noise(folder, path)
    return folder


def test_folders_are_classes_and_all_classes_are_in_all_splits(tmp_path):
    folder = write(tmp_path, *(f"{word}/{n}.wav" for word in ("on", "off") for n in range(20)))
    (folder / "on" / "notes.txt").write_text("no recording")
    write(folder, "_rest/a.wav", ".trash/b.wav")
    corpus = load(folder, column="word")
    assert corpus.columns == ("word",)
    assert len(corpus.clips) == 40
    found = {(clip.split, clip.labels["word"]) for clip in corpus.clips}
    assert found == {(split, word) for split in SPLITS for word in ("on", "off")}
    assert "no speaker is known" in corpus.notes[0]


@pytest.mark.parametrize("names", [("train", "valid", "test"), ("Training", "dev", "EVAL")])
def test_splits_may_be_folders_above_the_classes(names, tmp_path):
    folder = write(tmp_path, *(f"{s}/{w}/{n}.wav" for s in names for w in "ab" for n in "12"))
    corpus = load(folder)
    assert {clip.path.partition("/")[0]: clip.split for clip in corpus.clips} == dict(
        zip(names, SPLITS, strict=True)
    )
    assert corpus.notes == ()


def test_a_missing_split_is_made_beside_those_that_are_folders(tmp_path):
    paths = [f"{s}/{w}/{n}.wav" for s in ("train", "test") for w in "ab" for n in range(10)]
    corpus = load(write(tmp_path, *paths))
    assert {clip.split for clip in corpus.clips if clip.path.startswith("train")} == {
        "train",
        "valid",
    }
    assert {clip.split for clip in corpus.clips if clip.path.startswith("test")} == {"test"}


@pytest.mark.parametrize(
    ("inner", "told_by", "speaker"),
    [
        ("ann/1.wav", "folder", "ann"),
        ("1.wav", "folder", ""),
        ("ann_1.wav", "name", "ann"),
        ("x/ann-on_1.wav", "name", "ann"),
        ("ann.wav", "name", ""),
        ("ann/1.wav", "unknown", ""),
    ],
)
def test_what_tells_the_speaker(inner, told_by, speaker):
    assert speaker_of(PurePosixPath(inner), told_by) == speaker


@pytest.mark.parametrize(
    ("paths", "says"),
    [
        ([], "expected a folder for each class with recordings in it, found none"),
        (["a.wav", "on/b.wav"], "found 1 recording in none, such as a.wav"),
        (["train/a.wav", "test/on/b.wav"], "found 1 recording in none, such as train/a.wav"),
        ([f"{'x' * 201}/a.wav"], "the folder of a class: expected a name of at most 200"),
        ([" on/a.wav"], "the folder of a class: expected a name without spaces around it"),
        (["on/a.wav"], "no valid and no test split, and train has 1 speaker, too few"),
    ],
)
def test_wrong_folders_are_one_sentence(paths, says, tmp_path):
    with pytest.raises(DataError, match=says) as caught:
        load(write(tmp_path, *paths))
    assert len(str(caught.value).splitlines()) == 1


def test_a_speaker_in_two_splits_is_refused(tmp_path):
    folder = write(tmp_path, "train/on/ann_1.wav", "test/on/ann_2.wav", "valid/on/bob_1.wav")
    with pytest.raises(DataError, match=r"several: ann \(train, test\)"):
        load(folder, speaker="name")


def test_a_configuration_of_folders_is_checked(tmp_path):
    write(tmp_path / "data", *(f"{w}/{s}_{n}.wav" for w in "ab" for s in "stuvw" for n in "12"))
    config = tmp_path / "c.yaml"
    config.write_text(
        "corpora: {mine: {format: folders, folder: data, speaker: name, splits: splits.csv}}\n"
        "tasks: {t: {kind: clip_classification, corpora: {mine: {column: class}}}}\n"
    )
    ran = synergy("data", "check", "--config", config)
    assert ran.code == 0, ran.err
    assert (tmp_path / "splits.csv").is_file()
