"""Recordings that cannot be decoded: all are named; few are left out, many stop everything."""

from __future__ import annotations

import pytest
import soundfile
from small_cli import synergy
from small_corpora import noise, row, write_manifest, write_tone_project

from synergy.datasets import load_corpus
from synergy.datasets.manifest import ManifestConfig
from synergy.errors import DataError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A corpus of 200 clips, of which two are damaged: in the header, and behind it."""
    folder = tmp_path_factory.mktemp("corpus")
    rows = [row(f"{i}.wav", ("train", "valid", "test")[i % 3], f"s{i}") for i in range(198)]
    rows += [row("torn.flac", "train"), row("text.wav", "train")]
    soundfile.write(folder / "torn.flac", noise(2.0, 1), 16_000)
    write_manifest(folder, rows, seconds=0.02)
    torn = (folder / "torn.flac").read_bytes()
    (folder / "torn.flac").write_bytes(torn[: len(torn) // 2])
    (folder / "text.wav").write_text("no audio")
    return folder


def test_up_to_one_percent_is_left_out_each_with_a_note(folder):
    corpus = load_corpus("mine", ManifestConfig(folder=str(folder)))
    assert len(corpus.clips) == 198
    head = "corpus mine, left out of 200 recordings (on_bad_audio: skip): "
    assert [note.split(": ", 2)[2].partition(":")[0] for note in corpus.notes] == [
        "text.wav",
        "torn.flac",
    ]
    assert all(note.startswith(head) for note in corpus.notes)


def test_stop_names_all_of_them(folder):
    with pytest.raises(DataError, match="2 problems") as caught:
        load_corpus("mine", ManifestConfig(folder=str(folder), on_bad_audio="stop"))
    assert [line.partition(":")[0].strip() for line in str(caught.value).splitlines()[1:]] == [
        "text.wav",
        "torn.flac",
    ]


def test_more_than_one_percent_stops_and_names_every_file(folder):
    more = [f"{i}.wav" for i in range(30)]
    kept = {name: (folder / name).read_bytes() for name in more}
    try:
        for name in more:
            (folder / name).write_text("no audio either")
        with pytest.raises(DataError, match="32 problems") as caught:
            load_corpus("mine", ManifestConfig(folder=str(folder)))
    finally:
        for name, data in kept.items():
            (folder / name).write_bytes(data)
    lines = str(caught.value).splitlines()
    assert {line.partition(":")[0].strip() for line in lines[1:]} >= {*more, "torn.flac"}


def test_a_damaged_recording_is_an_exit_code_of_two(tmp_path):
    config = write_tone_project(tmp_path)
    (tmp_path / "tones" / "train-00.wav").write_bytes(b"RIFF")
    ran = synergy("data", "check", "--config", config)
    assert ran.code == 2
    assert "train-00.wav" in ran.err
