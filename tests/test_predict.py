"""``synergy predict``: one bad recording costs only its own answer, and names are only names."""

from __future__ import annotations

import os
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_models as toys
import soundfile
import torch
from small_cli import synergy
from small_corpora import noise

from synergy.errors import DataError, ModelError
from synergy.model import Model, load_model
from synergy.tasks.predictions import ClassPrediction


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "model"
    toys.export(folder, order=("gc", "age-3", "scr", "vad"), thresholds={"vad": 0.4})
    return folder


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    """Three sound recordings."""
    files = [tmp_path / f"{number}.wav" for number in range(3)]
    for number, file in enumerate(files):
        soundfile.write(file, noise(0.5, number), 16_000)
    return files


def bad(kind: str, file: Path) -> Path:
    samples = noise(0.5, 1)
    match kind:
        case "missing":
            pass
        case "FIFO":
            os.mkfifo(file)
        case "text":
            file.write_text("not audio")
        case "too short":
            soundfile.write(file, samples[:50], 16_000)
        case "too loud":
            soundfile.write(file, samples * 1e21, 16_000, subtype="FLOAT")
        case "one loud sample":
            samples[100] = 1e30
            soundfile.write(file, samples, 16_000, subtype="FLOAT")
        case "cut off":
            soundfile.write(file, samples, 16_000)
            file.write_bytes(file.read_bytes()[:-100])
        case "4 GB of nothing":
            size = 4_000_000_000
            with file.open("wb") as stream:
                stream.write(b"RIFF" + struct.pack("<I", size + 36) + b"WAVEfmt ")
                stream.write(struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16))
                stream.write(b"data" + struct.pack("<I", size))
                stream.truncate(44 + size)
    return file


BAD = [
    *("missing", "FIFO", "text", "too short", "too loud", "one loud sample", "cut off"),
    "4 GB of nothing",
]


@pytest.mark.parametrize("form", ["text", "json"])
def test_bad_recordings_are_named_and_the_others_answered(model, clips, form):
    wrong = [bad(kind, clips[0].with_name(f"{kind}.wav")) for kind in BAD]
    given = [*wrong[:4], clips[0], *wrong[4:], *clips[1:]]
    ran = synergy("predict", model, *given, *(["--json"] if form == "json" else []))
    assert ran.code == 2
    if form == "json":
        assert [answer["file"] for answer in ran.json] == list(map(str, clips))
        for answer in ran.json:
            for shares in (task.get("probabilities") for task in answer["tasks"].values()):
                assert shares is None or sum(shares.values()) == pytest.approx(1)
    else:
        assert [line for line in ran.out.splitlines() if line[0] != " "] == list(map(str, clips))
        assert "nan" not in ran.out
    lines = ran.err.splitlines()
    assert lines[0].startswith("error: ")
    assert [str(file) in line for file, line in zip(wrong, lines, strict=True)] == [True] * len(BAD)


def test_a_bug_in_one_recording_leaves_the_answers_of_the_others(model, clips, monkeypatch):
    answer = Model.predict

    def predict(self: Model, source: str, *rest: Any) -> object:
        if source == str(clips[1]):
            raise ZeroDivisionError("odd")
        return answer(self, source, *rest)

    monkeypatch.setattr(Model, "predict", predict)
    ran = synergy("predict", model, "nothing.wav", *clips, "--json")
    assert [answer["file"] for answer in ran.json] == [str(clips[0]), str(clips[2])]
    assert ran.code == 70
    assert "nothing.wav: expected an audio file" in ran.err
    assert f"{clips[1]}: odd" in ran.err
    assert "this is a bug in synergy (ZeroDivisionError: odd)" in ran.err


def test_names_that_are_no_utf_8_are_answered(model, tmp_path):
    file = tmp_path / os.fsdecode(b"na\xefve.wav")
    with file.open("wb") as stream:
        soundfile.write(stream, noise(0.5, 1), 16_000, format="WAV")
    ran = synergy("predict", model, file)
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[0] == f"{tmp_path}/na\\xefve.wav"
    found = synergy("predict", model, file, "--json")
    assert "na\\udcefve.wav" in found.out
    assert found.json[0]["file"] == str(file)
    found.out.encode("utf-8")
    missing = synergy("predict", model, tmp_path / os.fsdecode(b"\xff.wav"))
    assert missing.code == 2
    assert "\\xff.wav: expected an audio file, found no such file" in missing.err


def test_a_model_below_a_name_that_is_no_utf_8_is_read(model, clips, tmp_path):
    below = tmp_path / os.fsdecode(b"\xe9t\xe9")
    below.mkdir()
    for file in model.iterdir():
        (below / file.name).write_bytes(file.read_bytes())
    assert synergy("predict", below, clips[0]).out == synergy("predict", model, clips[0]).out


def test_a_model_whose_name_is_too_long_is_told():
    with pytest.raises(ModelError, match="expected the folder of an exported model, found none"):
        load_model("a" * 300)


def test_nothing_of_a_name_reaches_the_terminal(model, tmp_path, monkeypatch):
    """No configuration and no specification lets such a class in; a kind of task may."""
    shares = {"\x1b[31mred": 0.75, "[bold]two\nlines[/bold]": 0.25}
    answers = {"gc": ClassPrediction("\x1b[31mred", shares)}
    monkeypatch.setattr(Model, "predict", lambda *_: answers)
    file = tmp_path / "a\x1b[2J\nb.wav"
    soundfile.write(file, noise(0.5, 1), 16_000)
    ran = synergy("predict", model, file)
    assert ran.code == 0, ran.err
    assert ran.out == (
        f"{tmp_path}/a\\x1b[2J\\nb.wav\n"
        "  gc: \\x1b[31mred 75.0 %, [bold]two\\nlines[/bold] 25.0 %\n"
    )
    document = synergy("predict", model, file, "--json")
    assert "\x1b" not in document.out
    assert document.json[0]["tasks"]["gc"]["probabilities"] == shares


def test_many_recordings_take_no_more_memory_than_a_few(model, tmp_path):
    file = tmp_path / "a.wav"
    soundfile.write(file, noise(5.0, 1), 16_000)

    def peak(count: int) -> int:
        tracemalloc.start()
        assert synergy("predict", model, *[file] * count, "--json").code == 0
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1)
    few, many = peak(2), peak(12)
    one = 5 * 16_000 * 4
    assert many - few < one, "what belongs to one recording is kept for the next"


# -- from Python --------------------------------------------------------------------------------


def test_logits_that_are_not_finite_are_refused(model, clips):
    loaded = load_model(model)
    with torch.no_grad():
        loaded.network.get_submodule("gc_head.classify").weight.fill_(3e38)
    with pytest.raises(ModelError, match="NaN or infinity for gc: the weights of the model are"):
        loaded(noise(0.5, 1))
    with pytest.raises(ModelError, match=r"0\.wav: expected finite logits"):
        loaded.predict(clips[0])


@pytest.mark.parametrize("peak", [1e20, 1e30])
def test_samples_that_overflow_are_refused_with_their_peak(model, peak):
    loaded = load_model(model)
    waveform = noise(0.5, 1)
    waveform[100] = peak
    batch = np.stack([noise(0.5, 1), waveform])
    for given in (waveform, torch.from_numpy(batch), batch.astype(np.float64)):
        with pytest.raises(ModelError, match=f"found a peak of {peak:g}".replace("+", r"\+")):
            loaded(given)


def test_a_recording_that_is_too_long_is_not_decoded(model, tmp_path, monkeypatch):
    file = bad("4 GB of nothing", tmp_path / "a.wav")
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_, **__: pytest.fail("decoded"))
    with pytest.raises(DataError, match=r"a\.wav: expected at most 1800 s of audio, found 125000"):
        load_model(model).predict(file)
