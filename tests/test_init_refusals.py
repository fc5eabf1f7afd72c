"""What `synergy init` does not understand is a sentence with exit code 2."""

from __future__ import annotations

import pytest
from small_cli import synergy
from small_corpora import write_noise
from small_layouts import init, lines, table, write_layout


def one_recording(folder):
    write_noise(folder, "a.wav")


def one_class(folder):
    for number in range(6):
        write_noise(folder, f"on/{number}.wav")


def few_of_each(folder):
    for name in ("on/1.wav", "off/2.wav"):
        write_noise(folder, name)


def damaged_labels(name, text):
    def write(folder):
        for number in range(4):
            write_noise(folder, f"{number}.wav")
            (folder / f"{number}{name}").write_text(text)

    return write


def with_table(text):
    return lambda folder: table(folder, text, files=8)


BOMB = '<!DOCTYPE x [<!ENTITY a "b">]><ANNOTATION_DOCUMENT>&a;</ANNOTATION_DOCUMENT>'


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda folder: None, "expected recordings (WAV, FLAC, OGG or MP3), found none among 0"),
        (lambda folder: (folder / "a.csv").write_text("x"), "found none among 1 file"),
        (one_recording, "expected folders of classes, a CSV file"),
        (one_class, "expected folders of classes, a CSV file"),
        (few_of_each, "fewer than 3 speakers to learn from for off, on"),
        (damaged_labels(".TextGrid", "nothing"), "0.TextGrid: expected a TextGrid of Praat"),
        (damaged_labels(".TextGrid", '"ooTextFile" "TextGrid" 0'), "found its end"),
        (damaged_labels(".eaf", BOMB), "expected XML without a document type"),
        (damaged_labels(".eaf", "<a>"), "0.eaf: expected XML"),
        (damaged_labels(".eaf", "<a/>"), "expected an annotation document of ELAN"),
        (damaged_labels(".vtt", "1\n"), "expected WEBVTT in the first line"),
        (damaged_labels(".vtt", "WEBVTT\n\nx --> y\n"), "line 3: expected times such as"),
        (damaged_labels(".rttm", "SPEAKER a 1 x y\n"), "line 1: expected start and duration"),
        (damaged_labels(".rttm", "SPEAKER\n"), "line 1: expected at least 5 fields, found 1"),
        (damaged_labels(".txt", "hello\n"), "4 texts beside recordings hold no labels"),
        (damaged_labels(".txt", "0.1\t0.15\t\n"), "expected labels in at least 3 recordings"),
        (with_table("file,word\nx.wav,on\n"), "labels.csv is left out: no column has names"),
        (with_table("file,word\n0.wav,on,off\n"), "expected 2 cells in every row"),
        (
            with_table(lines(lambda n: f"{n}.wav,{n}x", 8, "file,word")),
            "expected a column with the",
        ),
        (with_table("file,word\n0.wav,a\n0.wav,b\n"), "0.wav has another word here than before"),
        (with_table("file,start,end\n0.wav,1,x\n"), "expected start and end in seconds, found '1'"),
    ],
)
def test_what_is_not_understood_is_a_sentence_and_nothing_is_written(write, says, tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    write(folder)
    ran = init(folder)
    assert ran.code == 2
    assert ran.err.startswith(f"error: {folder}")
    assert says in ran.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere",), "expected a folder of recordings at nowhere, found none"),
        (("a", "a/b"), "expected folders beside each other, found"),
        (("a", "a"), "expected folders beside each other, found"),
        ((), "Missing argument 'FOLDER'"),
        (("${x}",), "a configuration would take ${ for a variable; rename the folder"),
    ],
)
def test_wrong_folders_are_a_sentence(arguments, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a" / "b").mkdir(parents=True)
    write_layout("split folders", tmp_path / "${x}")
    ran = synergy("init", *arguments, "--yes")
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err
    assert not (tmp_path / "synergy.yaml").exists()


def test_what_cannot_be_used_yet_is_written_and_told(tmp_path):
    folder = write_layout("class folders", tmp_path / "recordings")
    (folder / "on" / "s1_1.wav").write_text("no audio")
    ran = init(folder)
    assert ran.code == 2
    assert "s1_1.wav" in ran.err
    assert "is written; change it or the recordings, and look again" in ran.err
    assert "on_bad_audio" in (tmp_path / "out" / "synergy.yaml").read_text()
