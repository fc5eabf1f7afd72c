from __future__ import annotations

import json
import os
import re
from pathlib import Path

import jsonschema
import pytest
import small_models as toys
import torch

from synergy.encoders import Cnn8
from synergy.errors import ModelError
from synergy.export import EXPORTERS
from synergy.export.folder import write_folder
from synergy.export.torch_model import cell


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "model"
    toys.export(path, order=("gc", "age-3", "scr", "vad"))
    return path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# -- what every format keeps ------------------------------------------------------------------


@pytest.fixture(params=EXPORTERS)
def exporter(request):
    def run(folder, network=None, **changes):
        network = network or toys.small_network()
        about = toys.facts(network.tree.tasks, **changes)
        EXPORTERS[request.param](
            folder, network, toys.ENCODER, toys.FEATURES, *toys.statistics(), about
        )

    return run


def test_a_format_writes_the_same_bytes_again(exporter, tmp_path):
    exporter(tmp_path / "a")
    exporter(tmp_path / "b" / "c")
    assert contents(tmp_path / "a") == contents(tmp_path / "b" / "c")
    assert contents(tmp_path / "a")


def test_a_format_leaves_the_network_as_it_was(exporter, tmp_path):
    network = toys.small_network().to(memory_format=torch.channels_last).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    exporter(tmp_path / "model", network)
    assert network.training
    assert all(torch.equal(before[n], v) for n, v in network.state_dict().items())
    exporter(tmp_path / "plain")
    assert contents(tmp_path / "model") == contents(tmp_path / "plain")


def test_a_format_replaces_an_earlier_export(exporter, tmp_path):
    folder = tmp_path / "model"
    exporter(folder, toys.small_network(seed=1))
    (folder / "__pycache__").mkdir()
    earlier = {p.name for p in folder.iterdir()}
    exporter(folder)
    exporter(tmp_path / "new")
    assert contents(folder) == contents(tmp_path / "new")
    assert earlier - {"__pycache__"} == set(contents(folder))
    assert {p.name for p in tmp_path.iterdir()} == {"model", "new"}


def test_a_format_refuses_what_is_not_finite(exporter, tmp_path):
    network = toys.small_network()
    with torch.no_grad():
        next(network.parameters())[0] = float("nan")
    with pytest.raises(ModelError, match="NaN"):
        exporter(tmp_path / "model", network)
    assert not list(tmp_path.iterdir())


def test_a_format_keeps_the_old_folder_when_writing_fails(exporter, tmp_path, monkeypatch):
    folder = tmp_path / "model"
    exporter(folder)
    before = contents(folder)

    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ModelError, match="no space is left"):
        exporter(folder, toys.small_network(seed=1))
    assert contents(folder) == before
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


# -- the folder -------------------------------------------------------------------------------


def test_an_interrupted_swap_puts_the_old_folder_back(tmp_path, monkeypatch):
    folder = tmp_path / "model"
    write_folder(folder, {"a": b"old"})
    replace, calls = Path.replace, []

    def fail_once(self, target):
        calls.append(target)
        if len(calls) == 2:
            raise OSError(5, "Input/output error")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fail_once)
    with pytest.raises(ModelError, match="the device, or the way to it, has failed"):
        write_folder(folder, {"a": b"new"})
    assert contents(folder) == {"a": b"old"}
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("make", ["file", "folder"])
def test_other_things_are_not_replaced(tmp_path, make):
    target = tmp_path / "thesis"
    if make == "folder":
        target.mkdir()
        (target / "chapter.tex").write_text("x")
        expected = "chapter.tex"
    else:
        target.write_text("x")
        expected = "file"
    with pytest.raises(ModelError, match=expected):
        toys.export(target)
    assert target.is_file() or (target / "chapter.tex").read_text() == "x"
    assert [p.name for p in tmp_path.iterdir()] == ["thesis"]


# -- specification and card -------------------------------------------------------------------


def test_the_specification_follows_its_schema(folder):
    spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    schema = json.loads((folder / "spec.schema.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert list(validator.iter_errors(spec)) == []
    assert list(validator.iter_errors(spec | {"extra": 1}))
    assert list(validator.iter_errors({k: v for k, v in spec.items() if k != "tree"}))


def test_the_specification_says_what_there_is(folder):
    spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    network = toys.small_network()
    assert [task["name"] for task in spec["tasks"]] == ["gc", "age-3", "scr", "vad"]
    assert spec["tree"] == network.tree.to_json()
    assert spec["notation"] == "{{gc,age-3}@8,{scr,vad}@7}@5"
    costs = spec["costs"]
    assert costs["total"]["params"] == sum(p.numel() for p in network.parameters())
    parts = [*costs["branches"].values(), *costs["heads"].values()]
    for unit in ("params", "macs_per_s"):
        assert costs["total"][unit] == sum(part[unit] for part in parts)
    for name, cost in costs["branches"].items():
        found = sum(p.numel() for p in network.get_submodule(name).parameters())
        assert cost["params"] == found
    result = spec["results"]["test"]
    assert result["ar_pct"] == pytest.approx(100 * 0.05 / 0.9)
    assert result["tasks"]["gc"]["score"] == pytest.approx(0.85)
    assert result["tasks"]["vad"]["metric"] == "roc_auc"
    assert spec["corpora"]["toy|corpus"]["fingerprint"] == "abc123"


def test_without_single_models_there_is_no_reduction(tmp_path):
    toys.export(tmp_path / "m", single_scores={}, predicted_ar_pct=None, max_ar=None)
    spec = json.loads((tmp_path / "m" / "spec.json").read_text(encoding="utf-8"))
    assert spec["results"]["test"]["ar_pct"] is None
    assert "Accuracy reduction" not in (tmp_path / "m" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tasks": {"gc": (), "vad": ()}}, "facts on the tasks age-3, gc, scr, vad, found gc, vad"),
        ({"scores": {"test": {"gc": (0.5,)}}}, "found none for 'age-3'"),
        ({"corpora": {}}, "toy|corpus not in corpora"),
        ({"thresholds": {"vad": 1.5}}, "tasks.3.threshold"),
        ({"training": {"rate": object()}}, "training.rate"),
        ({"scores": {"test": dict.fromkeys(toys.SPECS, (float("nan"),))}}, "finite score"),
        ({"weights_scores": {"valid": {}}}, "found none for 'age-3'"),
        ({"thresholds": {"vda": 0.5}}, r"thresholds .* found vda"),
        ({"thresholds": {"gc": 0.5}}, "gc.threshold: expected null for clip_classification"),
    ],
)
def test_facts_that_do_not_fit_are_refused(tmp_path, changes, words):
    with pytest.raises(ModelError, match=words):
        toys.export(tmp_path / "m", **changes)
    assert not (tmp_path / "m").exists()


def test_statistics_and_encoder_must_fit(tmp_path):
    network = toys.small_network()
    mean, std = toys.statistics()
    about = toys.facts(network.tree.tasks)
    other = toys.ENCODER.model_copy(update={"frame_strides": (2, 1) * 4})
    assert other.frame_strides != network.frame_strides
    for wrong, words in [
        ((mean[:-1], std, toys.ENCODER), "log_mel.mean"),
        ((mean, 0 * std, toys.ENCODER), "log_mel.std is not positive"),
        ((mean, std, Cnn8()), "other layers"),
        ((mean, std, other), "other layers"),
    ]:
        for export in EXPORTERS.values():
            with pytest.raises(ModelError, match=words):
                export(tmp_path / "m", network, wrong[2], toys.FEATURES, *wrong[:2], about)


def test_the_card_says_that_speech_was_synthetic(folder, tmp_path):
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "**Trained on synthetic speech**" in card
    assert "CC-BY-4.0" in card
    assert "85.00 %" in card
    assert "5.56 %" in card
    recorded = toys.TOY_CORPUS.model_copy(update={"synthetic": False})
    toys.export(tmp_path / "m", corpora={"toy|corpus": recorded})
    assert "synthetic" not in (tmp_path / "m" / "README.md").read_text(encoding="utf-8")


def test_every_row_of_the_card_has_the_cells_of_its_table(folder):
    lines = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    width = None
    for line in lines:
        count = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else None
        assert None in (width, count) or count == width, line
        width = count


def test_a_cell_stays_a_cell():
    assert cell("a|b\nc <b>_x_") == "a\\|b c \\<b\\>\\_x\\_"
