"""Splits that are made: by whole speakers, balanced, written down and kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_corpora import gender_rows, row, write_manifest, write_tone_project
from test_datasets import speech_commands

from synergy.config import load_config
from synergy.datasets import load_corpus
from synergy.datasets.base import Clip
from synergy.datasets.manifest import ManifestConfig
from synergy.datasets.split_names import split_names
from synergy.datasets.splitting import complete_splits
from synergy.errors import DataError
from synergy.experiment import prepare
from synergy.files import StrictModel
from synergy.wording import SPLITS


def clips_of(speakers: int, per_speaker: int = 4, words: str = "ab") -> list[Clip]:
    """Train clips of so many speakers, who say all words."""
    return [
        Clip(f"{s}/{i}.wav", "train", f"s{s}", 1.0, {"word": words[i % len(words)]})
        for s in range(speakers)
        for i in range(per_speaker)
    ]


def made(clips: list[Clip], **options: object) -> tuple[dict[str, str], list[str]]:
    """The split of each clip by path, and the notes."""
    config = ManifestConfig.model_validate({"folder": ".", "test_fraction": 0.15, **options})
    found, notes = complete_splits("mine", clips, config)
    return {clip.path: clip.split for clip in found}, notes


# -- what was read before is read alike ---------------------------------------------------------


def without_valid() -> list[dict[str, object]]:
    rows = [
        row(f"s{s}/{i}.wav", "train", f"speaker{s}", word="ab"[i % 2])
        for s in range(10)
        for i in range(1 + s % 4)
    ]
    return [*rows, row("t.wav", "test", "tester", word="a")]


def manifest_of(rows: list[dict[str, object]], folder: Path) -> StrictModel:
    return ManifestConfig(folder=str(write_manifest(folder, rows)))


FINGERPRINTS = {
    "given": "6d0d0805a7350772b706f53c38ced013",
    "valid made": "ec6ea543dfe1d93e969d5e944dfe733c",
    "by recording": "e3c2d3c3125921ddf9fb29b38c1fe1c4",
    "no test": "a08f77e30ba07aacbc240fa2160d1efa",
    "speech_commands": "70c48b68249ecc7429447f4d72afdb54",
}


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_corpora_of_before_keep_their_fingerprints(name, tmp_path):
    rows = {
        "given": gender_rows(),
        "valid made": without_valid(),
        "by recording": [row(f"{i}.wav", "train", word="ab"[i % 2]) for i in range(20)],
        "no test": [each for each in gender_rows() if each["split"] != "test"],
    }
    config = manifest_of(rows[name], tmp_path) if name in rows else speech_commands(tmp_path)
    assert load_corpus("mine", config).fingerprint == FINGERPRINTS[name]


def test_trials_of_before_keep_their_digests(tmp_path):
    experiment = prepare(load_config(write_tone_project(tmp_path)))
    assert {task: data.digest for task, data in experiment.data_of(0).items()} == {
        "gc": "5cea3afb3c9167bc802c",
        "scr": "dde313b3e941af68c768",
        "vad": "ca8e4dd36851c16ca1e6",
    }
    trial = experiment.trial(experiment.flat(experiment.tasks, 4), 0)
    # the bank's fingerprint has the last bits of the features, which are the machine's
    assert replace(trial, bank="").digest == "20c8b98e0e5bdd4b6b92"


# -- new ones -------------------------------------------------------------------------------------


def test_both_splits_are_made_of_whole_speakers_with_all_words():
    clips = clips_of(20)
    found, notes = made(clips, stratify=["word"])
    speakers = {split: {c.speaker for c in clips if found[c.path] == split} for split in SPLITS}
    assert [len(speakers[split]) for split in SPLITS] == [14, 3, 3]
    assert not speakers["train"] & speakers["valid"] | speakers["train"] & speakers["test"]
    assert [note.split(",")[0] for note in notes] == [
        "corpus mine has no test split: 3 speakers",
        "corpus mine has no valid split: 3 speakers",
    ]


def test_stratified_by_recording_every_class_has_its_share():
    clips = [
        Clip(f"{i}.wav", "train", "", 1.0, {"word": "rare" if i < 20 else "often"})
        for i in range(200)
    ]
    found, notes = made(clips, stratify=["word"])
    counts = Counter((found[clip.path], clip.labels["word"]) for clip in clips)
    assert (counts["test", "rare"], counts["test", "often"]) == (3, 27)
    assert (counts["valid", "rare"], counts["valid", "often"]) == (3, 27)
    assert "no speaker is known, so a voice may be in several splits" in notes[0]


def test_a_class_of_one_speaker_stays_in_train_and_is_told():
    clips = [*clips_of(12), *(Clip(f"x{i}", "train", "x", 1.0, {"word": "c"}) for i in range(4))]
    found, notes = made(clips, stratify=["word"])
    assert {found[f"x{i}"] for i in range(4)} == {"train"}
    assert "corpus mine: no valid clip has the word c: too few speakers have it" in notes
    assert "corpus mine: no test clip has the word c: too few speakers have it" in notes


@settings(max_examples=40)
@given(st.lists(st.integers(1, 30), min_size=3, max_size=25), st.booleans())
def test_every_split_has_a_speaker_and_is_near_its_share(sizes, stratified):
    clips = [
        Clip(f"{s}/{i}.wav", "train", f"s{s}", 1.0, {"word": "abc"[i % 3]})
        for s, n in enumerate(sizes)
        for i in range(n)
    ]
    found, _ = made(clips, stratify=["word"] if stratified else [])
    assert {*found.values()} == {*SPLITS}
    for split in ("valid", "test"):
        taken = sum(where == split for where in found.values())
        assert abs(taken - 0.15 * len(clips)) <= max(sizes)
    for speaker in range(len(sizes)):
        assert len({found[c.path] for c in clips if c.speaker == f"s{speaker}"}) == 1


# -- written down and kept ------------------------------------------------------------------------


def test_what_was_written_down_stays_when_recordings_are_added(tmp_path):
    file = tmp_path / "splits.csv"
    before, notes = made(clips_of(10), splits=str(file))
    assert notes[-1] == f"corpus mine: the splits that were made are written down in {file}"
    lines = file.read_text().splitlines()
    assert lines[0] == "speaker,recording,split"
    assert len(lines) == 11
    again, _ = made(clips_of(10), splits=str(file))
    assert again == before
    for speakers in range(11, 40):
        more, _ = made(clips_of(speakers), splits=str(file))
        assert {path: more[path] for path in before} == before
    counts = Counter(more.values())
    assert abs(counts["valid"] - 0.15 * 156) <= 4
    assert abs(counts["test"] - 0.15 * 156) <= 4
    # somebody who is gone may come back
    made(clips_of(3), splits=str(file))
    assert len(file.read_text().splitlines()) == 40


def test_the_file_may_be_written_by_hand(tmp_path):
    file = tmp_path / "splits.csv"
    file.write_text(
        "speaker;recording;split\ns0;;test\ns1;;dev\ns2;;train\n".replace("dev", "valid")
    )
    found, _ = made(clips_of(3), splits=str(file))
    assert [found[f"{s}/0.wav"] for s in range(3)] == ["test", "valid", "train"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("speaker,split\ns0,test\n", "recording is missing among speaker, split"),
        ("speaker,recording,split\ns0,,tset\n", "line 2: expected test or train or valid.*'tset'"),
        ("speaker,recording,split\ns0,0/0.wav,test\n", "line 2: expected either a speaker or"),
        ("speaker,recording,split\n,,test\n", "line 2: expected either a speaker or a recording"),
        ("speaker,recording,split\ns0,,test\ns0,,train\n", "line 3: s0 is there twice"),
        ("speaker,recording,split\n\xff", "expected 3 cells in every row"),
        ("", "speaker, recording, split is missing among none"),
    ],
)
def test_a_wrong_file_of_splits_is_one_sentence(text, says, tmp_path):
    file = tmp_path / "splits.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=says) as caught:
        made(clips_of(5), splits=str(file))
    assert len(str(caught.value).splitlines()) == 1
    assert file.read_text() == text


def test_splits_that_cannot_be_written_down_are_one_sentence(tmp_path):
    with pytest.raises(DataError, match=r"the splits cannot be written down.*name another file"):
        made(clips_of(5), splits=str(tmp_path / "no" / "splits.csv"))


@pytest.mark.parametrize(("speakers", "lacking"), [(1, "valid and no test"), (2, "valid and no t")])
def test_too_few_speakers_are_one_sentence(speakers, lacking):
    with pytest.raises(DataError, match=f"no {lacking}.*too few to take one for each out"):
        made(clips_of(speakers))


# -- names of splits, and manifests without them --------------------------------------------------


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("train", "eval", "test"), "valid"),
        (("Train", "Dev", "Eval"), "test"),
        (("train", "val", "eval", "test"), "valid"),
        (("train", "eval"), "valid"),
    ],
)
def test_eval_is_what_is_missing_beside_it(words, meant):
    assert split_names(words)["eval"] == meant


@pytest.mark.parametrize("word", ["val", "VALID", "validation", "dev", "eval"])
def test_a_manifest_may_call_validation_by_any_of_its_names(word, tmp_path):
    rows = [{**each, "split": word} if each["split"] == "valid" else each for each in gender_rows()]
    corpus = load_corpus("mine", manifest_of(rows, tmp_path))
    assert corpus.fingerprint == FINGERPRINTS["given"]


def test_a_manifest_without_splits_gets_all_of_them(tmp_path):
    rows = [{"path": f"{i}.wav", "speaker": f"s{i % 6}", "word": "ab"[i % 2]} for i in range(24)]
    folder = write_manifest(tmp_path, rows)
    with pytest.raises(DataError, match="split is missing among path, speaker, word"):
        load_corpus("mine", ManifestConfig(folder=str(folder)))
    corpus = load_corpus("mine", ManifestConfig(folder=str(folder), test_fraction=0.15))
    assert {clip.split for clip in corpus.clips} == {*SPLITS}


@pytest.mark.parametrize(
    ("separator", "mark"), [(";", "utf-8-sig"), ("\t", "utf-8"), ("|", "utf-16")]
)
def test_separators_and_byte_order_marks_are_seen(separator, mark, tmp_path):
    folder = write_manifest(tmp_path, gender_rows())
    file = folder / "manifest.csv"
    file.write_text(file.read_text().replace(",", separator), encoding=mark)
    corpus = load_corpus("mine", ManifestConfig(folder=str(folder)))
    assert corpus.fingerprint == FINGERPRINTS["given"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("path split\na.wav train\n", "expected commas, semicolons, tabs or bars between columns"),
        ("path;split;age\na.wav;train;1;2\n", "in line 2; semicolons separate cells here"),
        ("path;spilt\na.wav;train\n", "split is missing among path, spilt, separated by semicol"),
    ],
)
def test_what_cannot_be_read_names_the_separator(text, says, tmp_path):
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(DataError, match=says):
        load_corpus("mine", ManifestConfig(folder=str(tmp_path)))


def test_recordings_may_lie_below_another_root(tmp_path):
    folder = write_manifest(tmp_path / "audio", gender_rows())
    (tmp_path / "lists").mkdir()
    (folder / "manifest.csv").rename(tmp_path / "lists" / "manifest.csv")
    corpus = load_corpus("mine", ManifestConfig(folder=str(tmp_path / "lists"), root=str(folder)))
    assert corpus.fingerprint == FINGERPRINTS["given"]
    assert corpus.audio_path(corpus.clips[0]).is_file()
    with pytest.raises(DataError, match=r"expected a folder at .*nowhere"):
        load_corpus("mine", ManifestConfig(folder=str(folder), root=str(tmp_path / "nowhere")))


def test_relative_places_are_those_of_the_configuration(tmp_path):
    file = write_tone_project(tmp_path)
    text = file.read_text().replace("folder: tones}", "folder: tones, root: tones, splits: s.csv}")
    file.write_text(text)
    corpus = load_config(file).corpora["tones"]
    assert (corpus.root, corpus.splits) == (str(tmp_path / "tones"), str(tmp_path / "s.csv"))
