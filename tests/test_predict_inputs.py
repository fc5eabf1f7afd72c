"""``synergy predict`` on what people have: folders, patterns, pipes, hours; and what it prints."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import small_models as toys
import soundfile
import torch
from small_cli import Ran, content, synergy
from small_corpora import noise

from synergy.cli import answers
from synergy.cli.output import document
from synergy.model import Model, load_model

RATE = 16_000


def changing() -> np.ndarray:
    """Half a minute of noise that is loud or soft."""
    levels = np.random.default_rng(1).integers(0, 6, 22)
    return np.concatenate([noise(1.5, n) / 10.0**level for n, level in enumerate(levels)])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that gives some windows of `changing` one answer and some another."""
    network = toys.small_network()
    logits = toys.reference(network, torch.from_numpy(changing()).reshape(-1, RATE))
    with torch.no_grad():
        for task, found in logits.items():
            bias = network.get_submodule(f"{task.replace('-', '_')}_head.classify").bias
            bias -= found.mean(dim=0) if task != "vad" else found.mean()
    folder = tmp_path_factory.mktemp("export") / "model"
    toys.export(folder, network, order=("gc", "age-3", "scr", "vad"))
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Short recordings in folders, one of 33 s, and other files."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "rec" / "inside" / "deeper").mkdir(parents=True)
    (folder / "rec" / ".hidden").mkdir()
    names = ("b.wav", "a.flac", "inside/C.WAV", "inside/deeper/b.wav", ".hidden/d.wav", "._b.wav")
    for number, name in enumerate(names):
        kind = "FLAC" if name.endswith("flac") else "WAV"
        soundfile.write(folder / "rec" / name, noise(0.4, number), RATE, format=kind)
    (folder / "rec" / "notes.txt").write_text("no sound")
    (folder / "empty").mkdir()
    soundfile.write(folder / "long.wav", changing(), RATE, subtype="FLOAT")
    return folder


@pytest.fixture(autouse=True)
def _inside(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)


def files_of(ran: Ran) -> list[str]:
    return [line for line in ran.out.splitlines() if not line.startswith(" ")]


def rows_of(ran: Ran) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(ran.out)))


EVERY = ["rec/a.flac", "rec/b.wav", "rec/inside/C.WAV", "rec/inside/deeper/b.wav"]


# -- which recordings -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (["rec"], EVERY),
        (["rec/inside/", "rec/b.wav"], [*EVERY[2:], "rec/b.wav"]),
        (["rec/*.wav"], ["rec/b.wav"]),
        (["rec/**/*.wav"], ["rec/b.wav", "rec/inside/deeper/b.wav"]),
        (["rec/[ab].*"], EVERY[:2]),
    ],
)
def test_folders_and_patterns_lead_to_their_recordings_in_order(model, given, found):
    ran = synergy("predict", model, *given)
    assert (ran.code, ran.err) == (0, "")
    assert files_of(ran) == found


def test_a_file_whose_name_is_a_pattern_is_that_file(model, tmp_path):
    soundfile.write(tmp_path / "[ab].wav", noise(0.4, 1), RATE)
    soundfile.write(tmp_path / "a.wav", noise(0.4, 1), RATE)
    assert files_of(synergy("predict", model, tmp_path / "[ab].wav")) == [f"{tmp_path}/[ab].wav"]


def test_links_in_a_circle_end(model, tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(0.4, 1), RATE)
    (tmp_path / "round").symlink_to(tmp_path)
    assert files_of(synergy("predict", model, tmp_path)) == [f"{tmp_path}/a.wav"]


def test_each_bad_input_is_told_once_and_the_others_are_answered(model, tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.wav").write_text("no sound")
    ran = synergy("predict", model, "empty", "rec/*.mp3", "none.wav", tmp_path, "rec")
    assert ran.code == 2
    assert files_of(ran) == EVERY
    lines = ran.err.splitlines()
    assert all(line.startswith("error: ") for line in lines)
    expected = ["empty: expected recordings in that folder (.aif,", "rec/*.mp3: expected recordi"]
    expected += ["none.wav: expected an audio file, found no such file"]
    expected += [f"{tmp_path}/{number}.wav: cannot be decoded" for number in range(3)]
    for line, words in zip(lines, expected, strict=True):
        assert words in line


def test_a_folder_that_may_not_be_read_is_told(model, monkeypatch):
    scandir = os.scandir

    def closed(place: str | Path) -> object:
        if Path(place).name == "inside":
            raise PermissionError(errno.EACCES, "Permission denied", str(place))
        return scandir(place)

    monkeypatch.setattr(os, "scandir", closed)
    ran = synergy("predict", model, "rec", "rec/b.wav")
    assert (ran.code, files_of(ran)) == (2, ["rec/b.wav"])
    assert "rec/inside: the folder cannot be read (Permission denied)" in ran.err


class Pipe(io.BytesIO):
    """Standard input that cannot be read twice."""

    def seek(self, *_: object) -> int:
        raise OSError("a pipe")


def test_a_wav_on_stdin_is_answered_like_the_file(model, monkeypatch):
    for name in ("rec/b.wav", "long.wav"):
        expected = synergy("predict", model, name).out
        given = SimpleNamespace(buffer=Pipe(Path(name).read_bytes()))
        monkeypatch.setattr(sys, "stdin", given)
        ran = synergy("predict", model, "-")
        assert (ran.code, ran.err) == (0, "")
        assert ran.out == expected.replace(name, "-", 1)


def test_a_wav_of_open_length_on_stdin_is_answered(model, monkeypatch):
    """As recorders write it into a pipe."""
    data = bytearray(Path("rec/b.wav").read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Pipe(bytes(data))))
    ran = synergy("predict", model, "-", "--json")
    assert ran.json == [{**synergy("predict", model, "rec/b.wav", "--json").json[0], "file": "-"}]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "-: expected a recording on standard input, found none"),
        (
            SimpleNamespace(buffer=Pipe(b"")),
            "-: expected a recording on standard input, found none",
        ),
        (SimpleNamespace(buffer=Pipe(b"no sound")), "-: cannot be decoded as audio"),
    ],
)
def test_stdin_without_a_recording_is_told_and_the_others_answered(
    model, monkeypatch, given, words
):
    monkeypatch.setattr(sys, "stdin", given)
    ran = synergy("predict", model, "-", "rec/b.wav")
    assert (ran.code, files_of(ran)) == (2, ["rec/b.wav"])
    (line,) = ran.err.splitlines()
    assert words in line


# -- what is printed --------------------------------------------------------------------------


def test_short_recordings_are_answered_as_a_whole_to_the_digit(model):
    loaded = load_model(model)
    whole = {name: loaded.predict(name) for name in EVERY}
    ran = synergy("predict", model, "rec")
    assert ran.out.splitlines() == [
        line
        for name, found in whole.items()
        for line in (name, *(f"  {task}: {answer.text}" for task, answer in found.items()))
    ]
    told = [
        {"file": name, "tasks": {task: answer.to_json() for task, answer in found.items()}}
        for name, found in whole.items()
    ]
    assert synergy("predict", model, "rec", "--json").out == document(told) + "\n"
    assert synergy("predict", model, "empty", "--json").out == "[]\n"


def test_every_form_has_the_segments_of_a_long_recording(model, tmp_path):
    expected = list(load_model(model).segments("long.wav"))
    assert len({task for task, _ in expected}) == 4
    assert {task for task, _ in expected[:-4]} == {"gc", "age-3", "scr", "vad"}

    lines = synergy("predict", model, "long.wav").out.splitlines()
    assert lines == ["long.wav", *(f"  {task}: {each.text}" for task, each in expected)]

    (answer,) = synergy("predict", model, "long.wav", "--json").json
    assert list(answer) == ["file", "window_s", "hop_s", "tasks"]
    assert (answer["window_s"], answer["hop_s"]) == (1.0, 0.5)
    for task, found in answer["tasks"].items():
        assert found["segments"] == [each.to_json() for name, each in expected if name == task]

    rows = rows_of(synergy("predict", model, "long.wav", "--csv"))
    assert sorted((row["task"], float(row["start_s"]), float(row["end_s"])) for row in rows) == [
        *sorted((task, each.start_s, each.end_s) for task, each in expected)
    ]
    assert all(float(row["probability"]) <= 1 and row["file"] == "long.wav" for row in rows)

    ran = synergy("predict", model, "long.wav", "--labels", tmp_path / "new" / "labels")
    files = content(tmp_path / "new" / "labels")
    assert list(files) == [f"long.wav.{task}.txt" for task in ("age-3", "gc", "scr", "vad")]
    assert sorted(ran.out.splitlines()) == [f"{tmp_path}/new/labels/{name}" for name in files]
    for name, text in files.items():
        assert text.decode() == "".join(
            f"{each.start_s:.6f}\t{each.end_s:.6f}\t{each.label}\n"
            for task, each in expected
            if name == f"long.wav.{task}.txt"
        )


def test_short_recordings_are_one_segment_in_tables(model):
    rows = rows_of(synergy("predict", model, "rec/b.wav", "--csv"))
    whole = load_model(model).predict("rec/b.wav")
    (row,) = (row for row in rows if row["task"] == "gc")
    assert (row["start_s"], row["end_s"], row["label"]) == ("0.0", "0.4", whole["gc"].label)
    spans = [[float(r["start_s"]), float(r["end_s"])] for r in rows if r["task"] == "vad"]
    assert spans == whole["vad"].to_json()["segments"]


def test_window_and_hop_are_those_that_were_asked_for(model):
    ran = synergy("predict", model, "rec/b.wav", "--window", 0.2, "--hop", 0.1, "--json")
    (answer,) = ran.json
    assert (answer["window_s"], answer["hop_s"]) == (0.2, 0.1)
    as_whole = synergy("predict", model, "rec/b.wav", "--window", 0.4, "--json")
    assert as_whole.out == synergy("predict", model, "rec/b.wav", "--json").out


def test_labels_of_a_folder_lie_in_its_subfolders(model, tmp_path):
    assert synergy("predict", model, "rec", "--labels", tmp_path).code == 0
    of_gc = [name for name in content(tmp_path) if name.endswith(".gc.txt")]
    assert of_gc == [f"{name.removeprefix('rec/')}.gc.txt" for name in EVERY]
    again = synergy("predict", model, "rec/b.wav", "rec/inside/deeper", "--labels", tmp_path)
    assert (again.code, again.out) == (2, "")
    assert "rec/inside/deeper/b.wav and rec/b.wav, whose labels would be one file" in again.err


def test_each_recording_is_printed_as_soon_as_it_is_heard(model, monkeypatch):
    printed: list[str] = []
    heard: list[tuple[str, int]] = []
    answer = Model.predict

    def predict(self: Model, source: str, *rest: object) -> object:
        heard.append((source, len(printed)))
        return answer(self, source, *rest)

    monkeypatch.setattr(answers, "write", lambda text, end="\n": printed.append(text))
    monkeypatch.setattr(Model, "predict", predict)
    for form in ([], ["--json"]):
        printed.clear()
        heard.clear()
        synergy("predict", model, "rec", *form)
        assert heard == [(name, number) for number, name in enumerate(EVERY)]


# -- options ----------------------------------------------------------------------------------


def test_thresholds_of_tasks_and_classes_are_obeyed(model):
    plain = synergy("predict", model, "rec/b.wav", "--json").json[0]["tasks"]
    assert plain["gc"]["label"] is not None
    named = synergy(
        *("predict", model, "rec/b.wav", "--json", "--threshold", "gc=0.999"),
        *("--threshold", f"{plain['age-3']['label']}=0.999", "--threshold", 0.01),
    )
    found = named.json[0]["tasks"]
    assert (found["gc"]["label"], found["age-3"]["label"]) == (None, None)
    assert found["gc"]["probabilities"] == plain["gc"]["probabilities"]
    assert found["scr"] == plain["scr"]
    assert found["vad"]["segments"] == [[0.0, 0.4]]
    assert "  gc: undecided: " in synergy("predict", model, "rec/b.wav", "--threshold=gc=0.999").out
    rows = rows_of(synergy("predict", model, "rec/b.wav", "--csv", "--threshold", "gc=0.999"))
    assert "gc" not in {row["task"] for row in rows}


WRONG_THRESHOLD = "--threshold: expected a number between 0 and 1, or NAME=P of a task or a class,"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--threshold", "1"], f"{WRONG_THRESHOLD} found '1'"),
        (["--threshold", "nan"], f"{WRONG_THRESHOLD} found 'nan'"),
        (["--threshold", "gc="], f"{WRONG_THRESHOLD} found 'gc='"),
        (["--threshold", "=0.5"], f"{WRONG_THRESHOLD} found '=0.5'"),
        (["--threshold", "gc=2"], f"{WRONG_THRESHOLD} found 'gc=2'"),
        (["--threshold", "femal=0.5"], "--threshold: .* found 'femal'; did you mean 'female'"),
        (["--window", "0.01"], "--window: expected a number of 0.1 to 60.0, found '0.01'"),
        (["--window", "x"], "--window: expected a number of 0.1 to 60.0, found 'x'"),
        (["--hop", "0"], "--hop: expected a number of 0.01 to 60.0, found '0'"),
        (["--hop", "2"], "--window and --hop: expected a hop of 0.01 to 1 s, .*, found 2 s"),
        (["--window", "3", "--hop", "4"], "expected a hop of 0.01 to 3 s, .*, found 4 s"),
        (["--csv", "--json"], "expected one form of output, found --json and --csv"),
    ],
    ids=lambda part: str(part)[:30],
)
def test_a_bad_option_is_one_sentence_before_anything_is_heard(model, options, sentence):
    ran = synergy("predict", model, "rec", "none.wav", *options)
    assert (ran.code, ran.out) == (2, "")
    (line,) = ran.err.splitlines()
    assert line.startswith("error: ")
    assert re.search(sentence, line), line


def test_labels_that_cannot_be_written_end_the_command_in_one_sentence(model, tmp_path):
    (tmp_path / "labels").write_text("a file")
    ran = synergy("predict", model, "rec", "--labels", tmp_path / "labels")
    assert (ran.code, ran.out) == (2, "")
    (line,) = ran.err.splitlines()
    assert f"{tmp_path}/labels" in line


def test_names_with_tabs_and_lines_stay_one_field(model, tmp_path):
    file = tmp_path / "a\tb\nc,d.wav"
    soundfile.write(file, noise(0.4, 1), RATE)
    rows = rows_of(synergy("predict", model, file, "--csv"))
    assert {row["file"].replace("\\x09", "\t") for row in rows} == {str(file)}
    assert json.loads(synergy("predict", model, file, "--json").out)[0]["file"] == str(file)
