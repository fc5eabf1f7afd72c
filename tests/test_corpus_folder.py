"""Corpora in memory as folders: what is written is what the corpus format reads."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_cli import synergy as command
from small_corpora import noise

from synergy import Recording, write_corpus
from synergy.audio.reading import read_waveform
from synergy.datasets.manifest import ManifestConfig, load_manifest
from synergy.errors import DataError

SPLITS = ("train", "train", "valid", "test")


def recordings(count: int = 8, seconds: float = 0.5):
    for number in range(count):
        split = SPLITS[number // 2 % 4]
        labels = {"word": ("yes", "no")[number % 2], "take": number}
        yield noise(seconds, number), labels, split, f"{split}-{number % 2}", [(0.1, 0.4, "speech")]


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_corpus_is_read_back_as_it_was_given(tmp_path):
    folder = write_corpus(tmp_path / "deep" / "mine", recordings())
    assert folder == tmp_path / "deep" / "mine"
    corpus = load_manifest("mine", ManifestConfig(folder=str(folder)))
    assert corpus.columns == ("word", "take")
    for clip, (samples, labels, split, speaker, segments) in zip(
        corpus.clips, recordings(), strict=True
    ):
        assert (clip.split, clip.speaker) == (split, speaker)
        assert clip.labels == {name: str(value) for name, value in labels.items()}
        assert clip.segments is not None
        assert [(s.start_s, s.end_s, s.label) for s in clip.segments] == segments
        np.testing.assert_allclose(read_waveform(corpus.audio_path(clip)), samples, atol=1e-4)


def test_data_check_takes_what_was_written(tmp_path):
    write_corpus(tmp_path / "mine", recordings(16))
    config = tmp_path / "mine.yaml"
    config.write_text(
        "corpora: {mine: {format: manifest, folder: mine}}\n"
        "tasks:\n"
        "  word: {kind: clip_classification, corpora: {mine: {column: word}}}\n"
        "  vad: {kind: frame_activity, corpora: {mine: {segments: speech}}}\n"
    )
    ran = command("data", "check", "--config", config, "--json", "--workers", 1)
    assert ran.code == 0, ran.err
    splits = ran.json["tasks"]["word"]["splits"]
    assert {name: facts["clips"] for name, facts in splits.items()} == {
        "train": 8,
        "valid": 4,
        "test": 4,
    }
    assert ran.json["tasks"]["vad"]["splits"]["valid"]["clips"] == 4


def test_files_and_whole_samples_become_wav_of_16_bit(tmp_path):
    given = tmp_path / "given.flac"
    soundfile.write(given, np.stack([noise(0.3, 1, 8000)] * 2, axis=1), 8000)
    whole = np.array([0, 32767, -32768, 5] * 100, dtype=np.int16)
    folder = write_corpus(
        tmp_path / "mine",
        [
            Recording(given, {"w": "a"}, "train"),
            Recording(str(given), {"w": "b"}, "valid"),
            (whole, {"w": "b"}, "test"),
        ],
        rate=22_050,
    )
    first, _, last = sorted(folder.glob("*.wav"))
    assert soundfile.info(first).samplerate == 16_000
    np.testing.assert_allclose(read_waveform(first), read_waveform(given), atol=1e-4)
    back, rate = soundfile.read(last, dtype="int16")
    assert rate == 22_050
    assert np.array_equal(back, whole)
    assert not (folder / "segments.csv").exists()


def test_its_own_corpus_is_replaced(tmp_path):
    write_corpus(tmp_path / "mine", recordings(8))
    write_corpus(tmp_path / "mine", recordings(4, seconds=0.6))
    assert len(list((tmp_path / "mine").glob("*.wav"))) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def add_a_file(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")


def correct_a_label(folder: Path) -> None:
    with (folder / "manifest.csv").open("a", newline="") as file:
        csv.writer(file).writerow(["000000.wav", "train", "", "no", ""])


def forget_the_mark(folder: Path) -> None:
    (folder / ".written-by-synergy").unlink()


@pytest.mark.parametrize("change", [add_a_file, correct_a_label, forget_the_mark])
def test_what_somebody_changed_is_left_as_it_is(tmp_path, change):
    folder = write_corpus(tmp_path / "mine", recordings())
    change(folder)
    before = content(folder)
    with pytest.raises(DataError, match="it is left as it is, name another folder"):
        write_corpus(folder, recordings(4))
    assert content(folder) == before


def test_a_file_or_a_foreign_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.csv").write_text("path,split\n")
    with pytest.raises(DataError, match="found the file"):
        write_corpus(tmp_path / "file", recordings())
    with pytest.raises(DataError, match=r"found manifest\.csv"):
        write_corpus(tmp_path / "other", recordings())


QUIET = np.zeros(800)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([(QUIET, {}, "train")], "no valid split"),
        ([], r"manifest\.csv has no rows"),
        ([3], "recording 0: expected audio, labels, split and speaker, found 3"),
        ([(QUIET,)], "recording 0: expected audio, labels, split and speaker"),
        ([(np.zeros((2, 800)), {}, "train")], r"recording 0: expected samples of shape \(T,\)"),
        ([(np.zeros(0), {}, "train")], r"shape \(T,\), found shape \(0,\)"),
        ([(QUIET + 1.5, {}, "train")], r"expected samples in \[-1, 1\], found 1.5"),
        ([(QUIET * np.nan, {}, "train")], r"expected samples in \[-1, 1\], found nan"),
        ([(QUIET.astype(np.int64), {}, "train")], "16-bit integers, found int64"),
        ([("none.wav", {}, "train")], "none.wav"),
        ([(QUIET, "yes", "train")], "expected labels such as"),
        ([(QUIET, {"split": "x"}, "train")], "split is no label"),
        ([(QUIET, {"w": "a"}, "trian")], "expected the split train, valid or test, found 'trian'"),
        ([(QUIET, {"w": "a"}, s, "ann") for s in ("train", "valid")], "ann"),
        ([(QUIET, {"w": "a"}, "train", "", [(0.0, 9.0, "x")])], "the segment ends at 9 s"),
    ],
)
def test_what_is_no_corpus_is_named_and_nothing_is_written(tmp_path, given, said):
    with pytest.raises(DataError, match=said):
        write_corpus(tmp_path / "mine", given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rate", [0, -1, 16_000.0, 10**9])
def test_a_rate_that_no_file_has_is_refused(tmp_path, rate):
    with pytest.raises(DataError, match="expected a rate of"):
        write_corpus(tmp_path / "mine", recordings(), rate=rate)
