"""An encoder of somebody else, with layers and a class that this package does not use."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Literal

import pytest
import small_models as toys
import torch
from torch import Tensor, nn

from synergy.encoders import ENCODERS
from synergy.errors import ModelError
from synergy.export.source import check_exportable, module_lines
from synergy.export.torch_model import meta_network
from synergy.files import StrictModel
from synergy.model import load_model
from synergy.network import TreeNetwork
from synergy.tasks import TASK_KINDS, TaskSpec
from synergy.tasks.frame_activity import FrameActivity
from synergy.tree import SharingTree

GATE = '''
class Gate(nn.Module):
    """Channels weighted by their means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weigh = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, M, F] as it was, weighted."""
        mean = x.mean(dim=2, keepdim=True).movedim(1, 3)
        return x * torch.sigmoid(self.weigh(mean)).movedim(3, 1)
'''


class Gate(nn.Module):
    """Channels weighted by their means over the mel bands of a frame."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weigh = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=2, keepdim=True).movedim(1, 3)
        return x * torch.sigmoid(self.weigh(mean)).movedim(3, 1)

    @staticmethod
    def source() -> str:
        return GATE

    def source_arguments(self) -> tuple[int]:
        return (self.weigh.in_features,)


class Separable(StrictModel):
    """Three blocks of depthwise separable convolution."""

    name: Literal["separable"] = "separable"
    channels: int = 6
    last: Literal["gate", "softsign"] = "gate"

    @property
    def depth(self) -> int:
        return 3

    @property
    def frame_strides(self) -> tuple[int, ...]:
        return (1, 2, 1)

    def output_shape(self, mels: int) -> tuple[int, int]:
        return self.channels, -(-mels // 2)

    def build_block(self, number: int) -> nn.Module:
        inputs = 1 if number == 1 else self.channels
        return nn.Sequential(
            nn.Sequential(
                nn.Conv2d(inputs, inputs, 3, self.frame_strides[number - 1], 1, groups=inputs),
                nn.PReLU(inputs),
                nn.Conv2d(inputs, self.channels, 1, bias=False),
                nn.GroupNorm(2, self.channels),
            ),
            nn.SiLU(),
            (Gate(self.channels) if self.last == "gate" else nn.Softsign())
            if number == 3
            else nn.Identity(),
        )

    def widened(self, factor: float) -> Separable:
        return Separable(channels=round(self.channels * factor))


TREE = toys.SharingTree.parse("{{gc,vad}@2,scr}@1", 3)


def specs():
    return [toys.SPECS[task] for task in TREE.tasks]


def meta(encoder):
    return meta_network(TREE, encoder, specs(), toys.FEATURES)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(ENCODERS, "separable", Separable)


def test_the_numbers_are_those_of_the_network(tmp_path):
    torch.manual_seed(1)
    encoder = Separable()
    network = TreeNetwork(TREE, encoder, specs(), toys.FEATURES.mels).eval()
    toys.export(tmp_path / "m", network, encoder)
    waveform = toys.waveforms(2, 8000)
    expected = toys.reference(network, waveform)
    net = toys.import_exported(tmp_path / "m").load(tmp_path / "m" / "weights.safetensors")
    with torch.inference_mode():
        found = net(waveform)
    again = load_model(tmp_path / "m")(waveform)
    for task, logits in expected.items():
        assert torch.allclose(found[task], logits, atol=1e-5)
        assert torch.allclose(again[task], logits, atol=1e-5)
    text = (tmp_path / "m" / "model.py").read_text(encoding="utf-8")
    assert text.count("class Gate(nn.Module):") == 1
    assert text.count("            Gate(6),") == 3


def test_a_network_is_checked_before_it_is_trained():
    check_exportable(meta(Separable()), Separable())
    wrong = Separable(last="softsign")
    with pytest.raises(
        ModelError, match=r"^gc_3_3\.0\.2: Softsign cannot be exported: expected one of .*PReLU"
    ):
        check_exportable(meta(wrong), wrong)


def test_an_export_checks_the_same(tmp_path):
    wrong = Separable(last="softsign")
    network = TreeNetwork(TREE, wrong, specs(), toys.FEATURES.mels)
    with pytest.raises(ModelError, match="Softsign cannot be exported"):
        toys.export(tmp_path / "m", network, wrong)
    assert not list(tmp_path.iterdir())


def test_an_encoder_must_be_known_by_its_name(monkeypatch):
    network = meta(Separable())
    monkeypatch.delitem(ENCODERS, "separable")
    with pytest.raises(ModelError, match="separable cannot be exported: expected one of cnn8"):
        check_exportable(network, Separable())


def test_an_encoder_must_be_a_configuration():
    with pytest.raises(ModelError, match="separable cannot be exported: it is no configuration"):
        check_exportable(meta(Separable()), SimpleNamespace(name="separable"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("class Gate(", "gives no Python"),
        ("class Door(nn.Module):\n    pass", "expected the definition of Gate from source"),
        ("import os\n" + GATE, "imports os"),
        (
            GATE.replace("super().__init__()", "from synergy.model import Model"),
            "imports synergy.model",
        ),
    ],
)
def test_a_class_that_is_written_wrongly_is_refused(monkeypatch, text, words):
    monkeypatch.setattr(Gate, "source", staticmethod(lambda: text))
    with pytest.raises(ModelError, match=rf"^gc_3_3\.0\.2: Gate cannot be exported: .*{words}"):
        check_exportable(meta(Separable()), Separable())


def test_arguments_that_are_no_literals_are_refused(monkeypatch):
    monkeypatch.setattr(Gate, "source_arguments", lambda self: (object(),))
    with pytest.raises(ModelError, match="gives no Python"):
        check_exportable(meta(Separable()), Separable())


@pytest.mark.parametrize("name", ["Network", "AttentionDecoder"])
def test_two_classes_of_one_name_are_refused(monkeypatch, name):
    text = GATE.replace("class Gate", f"class {name}")
    other = type(name, (Gate,), {"source": staticmethod(lambda: text)})
    monkeypatch.setattr(sys.modules[__name__], "Gate", other)
    with pytest.raises(ModelError, match=f"{name} cannot be exported: another class has"):
        check_exportable(meta(Separable()), Separable())


def test_named_parts_are_refused():
    parts = nn.Sequential()
    parts.add_module("first", nn.ReLU())
    with pytest.raises(ModelError, match=r"numbered parts, found \['first'\]"):
        module_lines(parts)


class Frames(FrameActivity):
    """An activity of which nobody says when it is there."""

    name = "frames"
    threshold = None


def test_frames_need_no_threshold(tmp_path, monkeypatch):
    monkeypatch.setitem(TASK_KINDS, "frames", Frames())
    monkeypatch.setitem(toys.SPECS, "vad", TaskSpec("vad", "frames", ("speech",)))
    network = toys.small_network(SharingTree.parse("{gc,vad}@4", 8))
    toys.export(tmp_path / "m", network)
    exported = toys.import_exported(tmp_path / "m")
    assert exported.THRESHOLDS == {}
    waveform = toys.waveforms(2, 16_000)
    with torch.inference_mode():
        found = exported.load(tmp_path / "m" / "weights.safetensors")(waveform)
    torch.testing.assert_close(found, toys.reference(network, waveform))
