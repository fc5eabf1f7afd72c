from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small_models as toys
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from synergy.audio.features import FeatureConfig
from synergy.encoders import Cnn8
from synergy.errors import ModelError
from synergy.export.source import LAYERS, assignment, literal, module_lines
from synergy.model import load_model
from synergy.tree import SharingTree

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "model"
    toys.export(path, order=("gc", "age-3", "scr", "vad"))
    return path


def largest_difference(left, right):
    assert left.keys() == right.keys()
    return max(float((left[task] - right[task]).abs().max()) for task in left)


# -- the generated model ----------------------------------------------------------------------


def small_trees(names):
    """Any sharing tree over these tasks, with depths that grow towards the leaves."""

    def grow(tasks, placed):
        if len(tasks) == 1:
            return st.just((tasks[0], 8))
        return st.integers(placed, 8).flatmap(
            lambda depth: st.integers(1, len(tasks) - 1).flatmap(
                lambda cut: st.tuples(grow(tasks[:cut], depth), grow(tasks[cut:], depth)).map(
                    lambda parts: (f"{{{parts[0][0]},{parts[1][0]}}}@{depth}", depth)
                )
            )
        )

    return grow(names, 0).map(lambda made: made[0])


SMALL_FEATURES = st.builds(
    FeatureConfig,
    mels=st.integers(8, 12),
    window_ms=st.sampled_from([16.0, 25.0, 32.0]),
    hop_ms=st.sampled_from([8.0, 10.0, 16.0]),
)
WIDTHS = st.lists(st.integers(2, 5), min_size=8, max_size=8).map(tuple)
STRIDES = st.lists(st.sampled_from([1, 1, 2, 3]), min_size=8, max_size=8).map(tuple)


@settings(max_examples=12)
@given(data=st.data(), features=SMALL_FEATURES, samples=st.integers(600, 9000))
def test_an_exported_tree_gives_the_numbers_of_its_network(
    tmp_path_factory, data, features, samples
):
    names = data.draw(st.permutations(list(toys.SPECS)))[: data.draw(st.integers(1, 4))]
    notation = data.draw(small_trees(names))
    tree = SharingTree.parse(notation, 8) if "{" in notation else SharingTree.single(names[0], 8)
    encoder = Cnn8(
        channels=data.draw(WIDTHS),
        mel_strides=data.draw(STRIDES),
        frame_strides=data.draw(STRIDES),
    )
    network = toys.small_network(tree, encoder, features)
    folder = tmp_path_factory.mktemp("tree") / "model"
    toys.export(folder, network, encoder, features, order=names)
    module = toys.import_exported(folder)
    net = module.load(folder / "weights.safetensors")
    waveform = toys.waveforms(2, samples)
    expected = toys.reference(network, waveform, features)
    with torch.inference_mode():
        found = net(waveform)
    assert list(found) == list(names) == list(module.CLASSES)
    assert largest_difference(found, expected) <= 1e-5
    assert largest_difference(load_model(folder)(waveform), expected) <= 1e-5
    own = {n: v for n, v in net.state_dict().items() if not n.startswith("log_mel.")}
    assert own.keys() == network.state_dict().keys()


def test_outputs_are_not_all_alike(folder):
    """Otherwise the comparison above could pass with anything."""
    net = toys.import_exported(folder).load(folder / "weights.safetensors")
    with torch.inference_mode():
        outputs = net(toys.waveforms(2, 16_000))
    for task, logits in outputs.items():
        assert not torch.allclose(logits[0], logits[1], atol=1e-3), task


@pytest.mark.parametrize(
    ("notation", "branches"),
    [
        ("{gc,vad}@0", ["gc_1_8", "vad_1_8"]),
        ("{{gc,age-3}@8,{scr,vad}@3}@0", ["age_3_gc_1_8", "scr_vad_1_3", "scr_4_8", "vad_4_8"]),
        ("{gc,age-3}@8", ["shared_1_8"]),
    ],
)
def test_every_branch_has_its_name(tmp_path, notation, branches):
    network = toys.export(tmp_path / "m", toys.small_network(SharingTree.parse(notation, 8)))
    net = toys.import_exported(tmp_path / "m").load(tmp_path / "m" / "weights.safetensors")
    heads = [f"{task.replace('-', '_')}_head" for task in network.tree.tasks]
    assert sorted(n for n, _ in net.named_children()) == sorted(["log_mel", *branches, *heads])


def test_the_source_is_tidy(folder, tmp_path):
    for name, make in {
        "tree": folder,
        "single": SharingTree.single("gc", 8),
        "activity": SharingTree.single("vad", 8),
        "apart": SharingTree.parse("{gc,vad}@0", 8),
    }.items():
        if isinstance(make, SharingTree):
            toys.export(tmp_path / name, toys.small_network(make))
            make = tmp_path / name
        for command in (["check"], ["format", "--check", "--diff"]):
            done = subprocess.run(
                ["ruff", *command, "--no-cache", "--config", ROOT / "pyproject.toml", make],
                capture_output=True,
                text=True,
                check=False,
                env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            )
            assert done.returncode == 0, done.stdout + done.stderr


def test_the_source_imports_torch_and_safetensors_only(folder):
    text = (folder / "model.py").read_text(encoding="utf-8")
    found = set(re.findall(r"^\s*(?:import|from) (\w+)", text.split('"""', 2)[2], re.MULTILINE))
    assert found == {"__future__", "hashlib", "pathlib", "safetensors", "torch"}


def test_only_used_decoders_are_written(tmp_path):
    toys.export(tmp_path / "m", toys.small_network(SharingTree.single("gc", 8)))
    text = (tmp_path / "m" / "model.py").read_text(encoding="utf-8")
    assert "AttentionDecoder" in text
    assert "GruDecoder" not in text
    assert "per_feature_frame" not in text


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (torch.zeros(16_000), r"\[B, T\], found \[16000\]"),
        (torch.zeros(1, 1, 16_000), r"found \[1, 1, 16000\]"),
        (torch.zeros(0, 16_000), r"found \[0, 16000\]"),
        (torch.zeros(1, 128), "at least 129 samples.* found 128"),
        (torch.zeros(1, 0), "found 0"),
        (torch.zeros(1, 16_000, dtype=torch.int16), "float tensor.* found torch.int16"),
        (np.zeros((1, 16_000), np.float32), "found ndarray"),
    ],
)
def test_the_module_refuses_a_wrong_waveform(folder, wrong, words):
    net = toys.import_exported(folder).load(folder / "weights.safetensors")
    with pytest.raises(ValueError, match=words):
        net(wrong)


def test_the_shortest_waveform_runs(folder):
    net = toys.import_exported(folder).load(folder / "weights.safetensors")
    assert net(torch.zeros(1, 129))["vad"].shape == (1, 1)
    assert net(torch.zeros(1, 129, dtype=torch.float64))["gc"].dtype == torch.float32


def test_the_module_refuses_other_weights(folder, tmp_path):
    toys.export(tmp_path / "other", toys.small_network(seed=1))
    module = toys.import_exported(folder)
    with pytest.raises(ValueError, match="expected the weights with SHA-256"):
        module.load(tmp_path / "other" / "weights.safetensors")
    assert not module.load(str(folder / "weights.safetensors")).training


def test_class_names_stay_text(tmp_path, monkeypatch):
    names = ('"); import os #', "\\", "'''\"\"\"", "{{ x }}", "a|b", "naïve 🗣", "%s")
    spec = toys.TaskSpec("gc", "clip_classification", names)
    monkeypatch.setitem(toys.SPECS, "gc", spec)
    toys.export(tmp_path / "m", toys.small_network(SharingTree.single("gc", 8)))
    assert toys.import_exported(tmp_path / "m").CLASSES["gc"] == names
    assert load_model(tmp_path / "m").classes["gc"] == names


# -- writing source ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 6, (3, 5), stride=(2, 1), padding=(1, 2), dilation=2, groups=2, bias=False),
        nn.Conv2d(1, 2, 3, padding="same", padding_mode="reflect"),
        nn.BatchNorm2d(3, eps=1e-3, momentum=0.01, affine=False),
        nn.ReLU(inplace=True),
        nn.MaxPool2d((2, 1)),
        nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True),
        nn.Linear(3, 4, bias=False),
        nn.GRU(3, 4, num_layers=2, batch_first=True, bidirectional=True),
        nn.Conv2d(4, 8, 3, groups=4),
        nn.Conv1d(3, 4, 3, padding=1, padding_mode="circular"),
        nn.BatchNorm1d(3),
        nn.GroupNorm(2, 4, affine=False),
        nn.LayerNorm(5),
        nn.LayerNorm((4, 4), eps=1e-3, bias=False),
        nn.LayerNorm((2, 3), elementwise_affine=False),
        nn.PReLU(),
        nn.PReLU(4, init=0.1),
        nn.ReLU6(inplace=True),
        nn.LeakyReLU(0.2),
        nn.ELU(0.5),
        nn.SiLU(),
        nn.GELU(approximate="tanh"),
        nn.Hardswish(inplace=True),
        nn.Sigmoid(),
        nn.Tanh(),
        nn.Dropout(0.1),
        nn.Identity(),
        nn.AvgPool2d((2, 2), padding=1, count_include_pad=False),
        nn.AvgPool2d(3, stride=1),
        nn.AdaptiveAvgPool2d((1, None)),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(1, 2),
        nn.Sequential(),
        nn.Sequential(nn.Sequential(nn.Linear(2, 2)), nn.ReLU()),
    ],
    ids=repr,
)
def test_a_layer_is_written_with_all_it_has(layer):
    source = "\n".join(module_lines(layer)).removesuffix(",")
    made = eval(source, {"nn": nn})
    assert repr(made) == repr(layer)
    shapes = [{n: v.shape for n, v in m.state_dict().items()} for m in (made, layer)]
    assert shapes[0] == shapes[1]
    assert list(shapes[0]) == list(shapes[1])


def test_every_layer_has_a_round_trip():
    (mark,) = test_a_layer_is_written_with_all_it_has.pytestmark
    assert set(LAYERS) <= {type(layer) for layer in mark.args[1]}


def test_an_unknown_layer_is_named():
    with pytest.raises(ModelError, match=r"Softsign cannot be exported: expected one of .*GRU"):
        module_lines(nn.Sequential(nn.Softsign()))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=12))
def test_literals_are_their_values(values):
    source = assignment("x = ", values, "")
    assert eval(source.removeprefix("x = ")) == tuple(values)
    assert max(map(len, source.splitlines())) <= 100 or len(values) == 0 or "\n" in source


def test_literal_of_a_pair():
    assert literal((2, 1)) == "(2, 1)"
    assert literal(("a",)) == '("a",)'
