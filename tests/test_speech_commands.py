from __future__ import annotations

import os
import shutil

import pytest
import soundfile
from small_corpora import noise

from synergy.datasets.speech_commands import SpeechCommandsConfig, load_speech_commands
from synergy.errors import ConfigError, DataError

SPEAKERS = {"train": "00000aaa", "valid": "00000bbb", "test": "00000ccc"}
LISTS = {"valid": "validation_list.txt", "test": "testing_list.txt"}


def write(folder, words=("yes", "no"), takes=2, noises=6):
    """A folder in the official layout with one speaker in each split."""
    lists = {"valid": [], "test": []}
    for word in words:
        (folder / word).mkdir(parents=True)
        for split, speaker in SPEAKERS.items():
            for take in range(takes):
                path = f"{word}/{speaker}_nohash_{take}.wav"
                soundfile.write(folder / path, noise(0.1, take), 16_000)
                lists.get(split, []).append(path)
    for split, name in LISTS.items():
        (folder / name).write_text("\n".join(lists[split]) + "\n")
    (folder / "_background_noise_").mkdir()
    (folder / "_background_noise_" / "README.md").write_text("noise")
    for number in range(noises):
        file = folder / "_background_noise_" / f"noise{number}.wav"
        soundfile.write(file, noise(0.5, 100 + number), 16_000)
    (folder / "LICENSE").write_text("")
    return folder


def load(folder, words=None):
    return load_speech_commands("sc", SpeechCommandsConfig(folder=str(folder), words=words))


def test_reads_the_official_layout(tmp_path):
    corpus = load(write(tmp_path))
    spoken = [clip for clip in corpus.clips if "word" in clip.labels]
    assert len(spoken) == 12
    assert {(clip.split, clip.speaker) for clip in spoken} == set(SPEAKERS.items())
    assert {clip.labels["word"] for clip in spoken} == {"yes", "no"}
    assert all(clip.path.startswith(clip.labels["word"] + "/") for clip in spoken)
    assert all(clip.segments is None for clip in spoken)
    assert corpus.columns == ("word",)
    assert corpus.licences == ("CC-BY-4.0",)
    assert [clip.path for clip in corpus.clips] == sorted(clip.path for clip in corpus.clips)


def test_noise_has_no_word_and_no_segment_and_is_in_every_split(tmp_path):
    corpus = load(write(tmp_path))
    noises = [clip for clip in corpus.clips if "word" not in clip.labels]
    assert len(noises) == 6
    assert all(clip.segments == () and clip.speaker == "" for clip in noises)
    splits = [clip.split for clip in noises]
    assert {split: splits.count(split) for split in set(splits)} == {
        "train": 4,
        "valid": 1,
        "test": 1,
    }
    assert corpus.notes == ("corpus sc: 6 noise recordings without a word, 4 of them in train",)


def test_chosen_words_only(tmp_path):
    folder = write(tmp_path, words=("yes", "no", "go"))
    assert {clip.labels.get("word") for clip in load(folder, ("go", "no")).clips} == {
        "go",
        "no",
        None,
    }
    assert load(folder, ("go",)).fingerprint != load(folder, ("no",)).fingerprint


def test_files_that_only_the_lists_know_are_noted(tmp_path):
    folder = write(tmp_path, noises=0)
    (folder / "yes" / f"{SPEAKERS['test']}_nohash_1.wav").unlink()
    assert load(folder).notes == ("corpus sc: 1 file of its lists are not in the folder",)


def test_unknown_word(tmp_path):
    with pytest.raises(
        DataError, match="folder of the word 'yess', found none; did you mean 'yes'"
    ):
        load(write(tmp_path), ("yess", "no"))


@pytest.mark.parametrize("name", LISTS.values())
def test_missing_list(tmp_path, name):
    (write(tmp_path) / name).unlink()
    with pytest.raises(DataError, match=f"expected {name}, found none"):
        load(tmp_path)


def test_empty_folder_reports_everything(tmp_path):
    with pytest.raises(DataError, match="3 problems") as caught:
        load(tmp_path)
    assert "expected one folder per word" in str(caught.value)


def test_speaker_in_two_splits(tmp_path):
    soundfile.write(write(tmp_path) / "no" / "00000ccc_nohash_9.wav", noise(0.1, 1), 16_000)
    with pytest.raises(DataError, match=r"00000ccc \(train, test\)"):
        load(tmp_path)


def test_foreign_file_name_and_corrupt_file(tmp_path):
    soundfile.write(write(tmp_path) / "no" / "mine.wav", noise(0.1, 1), 16_000)
    (tmp_path / "yes" / "00000aaa_nohash_0.wav").write_bytes(b"RIFF")
    with pytest.raises(DataError, match="2 problems") as caught:
        load(tmp_path)
    assert "no/mine.wav: expected a name like" in str(caught.value)
    assert "yes/00000aaa_nohash_0.wav: cannot be decoded" in str(caught.value)


def test_link_out_of_the_folder(tmp_path):
    folder = write(tmp_path / "corpus")
    soundfile.write(tmp_path / "outside.wav", noise(0.1, 1), 16_000)
    (folder / "no" / "00000aaa_nohash_7.wav").symlink_to(tmp_path / "outside.wav")
    with pytest.raises(DataError, match="symbolic link leads out"):
        load(folder)


def test_unset_variable(monkeypatch):
    monkeypatch.delenv("SYNERGY_TEST_FOLDER", raising=False)
    with pytest.raises(ConfigError, match="SYNERGY_TEST_FOLDER is not set"):
        load("${SYNERGY_TEST_FOLDER}")


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        (b"_background_noise_/caf\xe9.wav", r"_background_noise_/caf\\xe9.wav: expected a file"),
        (b"caf\xe9/00000aaa_nohash_0.wav", r"caf\\xe9/00000aaa_nohash_0.wav: expected a file name"),
    ],
)
def test_a_file_whose_name_is_not_utf_8_is_named(tmp_path, odd, told):
    folder = write(tmp_path)
    file = folder / os.fsdecode(odd)
    file.parent.mkdir(exist_ok=True)
    shutil.copy(folder / "_background_noise_" / "noise0.wav", file)
    with pytest.raises(DataError, match=told):
        load(folder)


def test_lists_that_are_no_text_or_without_end_are_told(tmp_path):
    folder = write(tmp_path)
    (folder / "testing_list.txt").unlink()
    os.mkfifo(folder / "testing_list.txt")
    (folder / "validation_list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError) as caught:
        load(folder)
    assert "validation_list.txt: expected one path per line (expected text" in str(caught.value)
    assert "testing_list.txt: expected one path per line (expected a regular" in str(caught.value)
