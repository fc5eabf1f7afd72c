from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
import safetensors
import safetensors.torch
import small_models as toys
import soundfile
import torch

import synergy.model
from synergy.errors import DataError, ModelError
from synergy.model import load_model
from synergy.tasks.predictions import ActivityPrediction, ClassPrediction


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "model"
    toys.export(path, order=("gc", "age-3", "scr", "vad"), thresholds={"vad": 0.4})
    return path


@pytest.fixture(scope="module")
def model(exported):
    return load_model(exported)


@pytest.fixture
def folder(exported, tmp_path):
    """A copy to damage."""
    return shutil.copytree(exported, tmp_path / "model")


# -- reading ----------------------------------------------------------------------------------


def test_a_model_knows_what_it_is(model):
    assert model.tree == toys.TREE
    assert model.tasks == ("gc", "age-3", "scr", "vad")
    assert model.classes["gc"] == ("female", "male")
    assert model.thresholds == {"vad": 0.4}
    assert model.spec.max_ar == 2.0
    assert not model.network.training


def test_the_source_in_the_folder_is_never_run(folder):
    (folder / "model.py").write_text("raise SystemExit('run')\n")
    (folder / "__init__.py").write_text("raise SystemExit('run')\n")
    assert load_model(str(folder)).tasks


def edit(folder, change):
    file = folder / "spec.json"
    spec = json.loads(file.read_text(encoding="utf-8"))
    del spec["checksum"]
    change(spec)
    file.write_text(json.dumps(spec), encoding="utf-8")


def swap_classes(spec):
    spec["tasks"][0]["classes"].reverse()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (swap_classes, "tasks, classes, features, encoder or tree are not those"),
        (lambda s: s["encoder"].update(frame_strides=[1] * 8), "are not those"),
        (lambda s: s["features"].update(f_min_hz=30.0), "are not those"),
        (lambda s: s.update(extra=1), "extra"),
        (lambda s: s.pop("tree"), "tree: Field required"),
        (lambda s: s.update(spec_version=3), "spec_version"),
        (lambda s: s.update(sample_rate_hz=8000), "sample_rate_hz"),
        (lambda s: s["tasks"][0].update(kind="os.system"), "kind: expected one of"),
        (lambda s: s["tasks"][0].update(name="../gc"), "tasks.0.name"),
        (lambda s: s["tasks"][0].update(name="vad"), "every task once"),
        (lambda s: s["tasks"][0].update(classes=["a", "a"]), "every name once"),
        (lambda s: s["tasks"][0].update(threshold=0.5), "threshold: expected null"),
        (lambda s: s["tasks"][3].update(threshold=None), "threshold: expected a number"),
        (lambda s: s["tasks"][3].update(classes=["a", "b"]), "expected one name"),
        (lambda s: s["tasks"].pop(), "expected tasks gc, age-3, scr, found"),
        (lambda s: s["encoder"].update(name="../cnn8"), "encoder.name: expected one of cnn8"),
        (lambda s: s["encoder"].update(name=["cnn8"]), "encoder.name: expected one of cnn8"),
        (lambda s: s["encoder"].update(channels=[1]), "channels"),
        (lambda s: s["encoder"].update(width=1), "width"),
        (lambda s: s["features"].update(mels="64"), "features.mels"),
        (lambda s: s["tree"].update(depth=7), "expected 7|block 8"),
        (lambda s: s["tree"]["root"].update(blocks=[2, 5]), "start at 1"),
        (lambda s: s["weights"].update(sha256="0" * 64), "not the weights that"),
        (lambda s: s["weights"].update(sha256="../x"), "weights.sha256"),
    ],
)
def test_a_changed_specification_is_refused(folder, change, words):
    edit(folder, change)
    with pytest.raises(ModelError, match=words):
        load_model(folder)


def test_all_wrong_keys_are_named(folder):
    edit(folder, lambda s: (s.update(seeds="1"), s.pop("tree"), s["features"].update(mels=1)))
    with pytest.raises(ModelError, match=r"features.mels.*tree.*seeds"):
        load_model(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"a": NaN}', "\x00", "[" * 100_000])
def test_a_specification_that_is_none_is_refused(folder, text):
    (folder / "spec.json").write_text(text)
    with pytest.raises(ModelError, match=r"spec\.json"):
        load_model(folder)


@pytest.mark.parametrize("depth", [100, 5000])
def test_a_tree_nested_too_deep_is_refused(folder, depth):
    spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    root = json.dumps(spec["tree"]["root"])
    spec["tree"]["root"] = "ROOT"
    level = '{"blocks": null, "tasks": ["age-3", "gc", "scr", "vad"], "children": ['
    nested = level * depth + root + "]}" * depth
    text = json.dumps(spec).replace('"ROOT"', nested)
    (folder / "spec.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=r"spec\.json"):
        load_model(folder)


def test_a_threshold_may_be_set_by_hand(folder):
    edit(folder, lambda s: s["tasks"][3].update(threshold=0.9))
    assert load_model(folder).thresholds == {"vad": 0.9}


def test_a_change_that_nobody_tells_is_refused(folder):
    file = folder / "spec.json"
    text = file.read_text()
    file.write_text(text.replace('"sample_rate_hz": 16000', '"sample_rate_hz": 16001'))
    with pytest.raises(ModelError, match=r"is damaged .*not what was written.*by hand"):
        load_model(folder)


def test_changed_weights_are_refused(folder):
    file = folder / "weights.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(ModelError, match="not the weights that"):
        load_model(folder)


def with_weights(folder, data):
    """Put other weights there, and their digest into the specification."""
    (folder / "weights.safetensors").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    edit(folder, lambda spec: spec["weights"].update(sha256=digest))


def stored(folder, change):
    with safetensors.safe_open(folder / "weights.safetensors", framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(tensors)
    return safetensors.torch.save(tensors, metadata)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("gc_head.hidden.weight"), "gc_head.hidden.weight is missing"),
        (lambda t: t.update(other=torch.zeros(1)), "other is unknown"),
        (lambda t: t.update({"gc_head.weigh.bias": torch.zeros(2)}), r"is \[2\] instead of \[1\]"),
        (lambda t: t["gc_head.weigh.bias"].fill_(float("inf")), "NaN or infinity"),
        (lambda t: t["log_mel.std"].fill_(0), "log_mel.std is not positive"),
        (lambda t: t["log_mel.filterbank"].fill_(1), "log_mel.filterbank is not what spec.json"),
        (
            lambda t: t.update({"gc_head.weigh.bias": torch.zeros(1, dtype=torch.int64)}),
            "torch.int64 instead of torch.float32",
        ),
    ],
)
def test_weights_of_another_network_are_refused(folder, change, words):
    with_weights(folder, stored(folder, change))
    with pytest.raises(ModelError, match=words):
        load_model(folder)


@pytest.mark.parametrize("data", [b"", b"\x80\x04K\x01.", b"\xff" * 100])
def test_weights_that_are_none_are_refused(folder, data):
    with_weights(folder, data)
    with pytest.raises(ModelError, match="expected a safetensors file"):
        load_model(folder)


def test_weights_without_their_interface_are_refused(folder):
    tensors = safetensors.torch.load_file(folder / "weights.safetensors")
    with_weights(folder, safetensors.torch.save(tensors))
    with pytest.raises(ModelError, match="are not those"):
        load_model(folder)


@pytest.mark.parametrize("missing", ["spec.json", "weights.safetensors"])
def test_a_missing_file_is_named(folder, missing):
    (folder / missing).unlink()
    with pytest.raises(ModelError, match=f"{missing}: expected"):
        load_model(folder)


def test_a_folder_is_needed(tmp_path, exported):
    with pytest.raises(ModelError, match="found nothing"):
        load_model(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="found a file"):
        load_model(exported / "spec.json")


def test_an_unknown_device_is_refused(exported):
    with pytest.raises(ModelError, match="the device warp"):
        load_model(exported, "warp")


# -- running ----------------------------------------------------------------------------------


def test_one_waveform_and_a_batch_agree(model):
    waveform = toys.waveforms(3, 8000)
    batch = model(waveform)
    assert {task: tuple(v.shape) for task, v in batch.items()} == {
        "gc": (3, 2),
        "age-3": (3, 3),
        "scr": (3, 35),
        "vad": (3, 51),
    }
    for row in range(3):
        alone = model(waveform[row].numpy())
        for task in batch:
            assert torch.allclose(alone[task], batch[task][row], atol=1e-5)


def test_float64_is_taken(model):
    waveform = toys.waveforms(1, 8000)[0]
    assert torch.equal(model(waveform.double().numpy())["gc"], model(waveform)["gc"])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (np.zeros(8000, np.int16), "floats"),
        (np.zeros((1, 1, 8000), np.float32), r"found \[1, 1, 8000\]"),
        (np.zeros(0, np.float32), r"found \[0\]"),
        (np.zeros((0, 8000), np.float32), r"found \[0, 8000\]"),
        (np.zeros(128, np.float32), "at least 129 samples"),
        (np.full(8000, np.nan, np.float32), "NaN"),
    ],
)
def test_a_wrong_waveform_is_refused(model, wrong, words):
    with pytest.raises(ModelError, match=words):
        model(wrong)


def test_what_is_too_long_is_refused(model, monkeypatch):
    monkeypatch.setattr(synergy.model, "LONGEST_S", 1.0)
    model(torch.zeros(16_000))
    with pytest.raises(ModelError, match="at most 1 s of audio in one call, found 2 s"):
        model(torch.zeros(2, 16_000))


def test_predictions_name_classes(model, tmp_path):
    waveform = toys.waveforms(1, 24_000)[0].numpy()
    soundfile.write(tmp_path / "a.wav", waveform, 16_000, subtype="FLOAT")
    found = model.predict(tmp_path / "a.wav")
    again = model.predict(waveform)
    assert list(found) == list(model.tasks)
    logits = model(waveform)
    for task, prediction in found.items():
        assert prediction.to_json() == again[task].to_json()
        json.dumps(prediction.to_json())
        if task == "vad":
            assert isinstance(prediction, ActivityPrediction)
            assert prediction.label == "speech"
            assert prediction.probabilities.shape == (151,)
            assert prediction.frame_s == pytest.approx(0.01)
        else:
            assert isinstance(prediction, ClassPrediction)
            assert tuple(prediction.probabilities) == model.classes[task]
            assert sum(prediction.probabilities.values()) == pytest.approx(1)
            best = max(prediction.probabilities, key=prediction.probabilities.__getitem__)
            assert prediction.label == best == model.classes[task][int(logits[task].argmax())]


def test_a_file_of_another_rate_is_resampled(model, tmp_path):
    soundfile.write(tmp_path / "a.flac", toys.waveforms(2, 8000).T.numpy(), 8000)
    assert model.predict(str(tmp_path / "a.flac"))["vad"].probabilities.shape == (101,)


def test_the_threshold_decides(model):
    waveform = toys.waveforms(1, 16_000)[0]
    active = model.predict(waveform)["vad"].probabilities
    low, high = float(active.min()), float(active.max())
    assert model.predict(waveform, threshold=low / 2)["vad"].segments == ((0.0, 1.0),)
    assert model.predict(waveform, threshold=(1 + high) / 2)["vad"].segments == ()
    for wrong in (0.0, 1.0, -1, float("nan")):
        with pytest.raises(ModelError, match="threshold between 0 and 1"):
            model.predict(waveform, threshold=wrong)


def test_a_bad_file_is_named(model, tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        model.predict(tmp_path / "nowhere.wav")
    soundfile.write(tmp_path / "short.wav", np.zeros(50), 16_000)
    with pytest.raises(ModelError, match=r"short\.wav: expected at least 129 samples"):
        model.predict(tmp_path / "short.wav")
    with pytest.raises(ModelError, match=r"shape \[T\]"):
        model.predict(np.zeros((2, 8000), np.float32))
