"""The network of a tree: sizes of the paper, rows per branch, initial weights in common."""

from __future__ import annotations

import copy
import csv
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from synergy.encoders import Cnn8
from synergy.errors import ModelError, TreeError
from synergy.network import TreeNetwork, build_network, costs, head_name
from synergy.tasks import TaskSpec
from synergy.tree import SharingTree

PAPER = Path(__file__).parent / "data" / "paper"
TASKS = (
    TaskSpec("gc", "clip_classification", ("female", "male")),
    TaskSpec("ac", "clip_classification", ("young", "middle", "old")),
    TaskSpec("scr", "clip_classification", tuple(f"word{n}" for n in range(35))),
    TaskSpec("vad", "frame_activity", ("speech",)),
)
NAMES = tuple(task.name for task in TASKS)
ENCODER = Cnn8()


def rows_of(file: str) -> list[dict[str, str]]:
    """A table of the paper."""
    with (PAPER / file).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("row", rows_of("table2_flat.csv"), ids=lambda row: row["shared_layers"])
def test_flat_models_have_the_sizes_of_table_2(row: dict[str, str]) -> None:
    tree = SharingTree.flat(NAMES, int(row["shared_layers"]), 8)
    assert costs(ENCODER, TASKS, 64, 100).params(tree) == pytest.approx(
        int(row["params"]), rel=0.01
    )


TREES = {
    "four independent models": "{gc,ac,scr,vad}@0",
    "{gc,ac},{scr,vad}": "{{gc,ac}@8,{scr,vad}@8}@6",
    "{gc,scr},{ac,vad}": "{{gc,scr}@8,{ac,vad}@6}@6",
    "{gc,vad},{ac,scr}": "{{gc,vad}@8,{ac,scr}@7}@6",
}


@pytest.mark.parametrize("model", TREES)
def test_trees_have_the_sizes_of_table_4(model: str) -> None:
    (row,) = [row for row in rows_of("table4_four_tasks.csv") if row["model"] == model]
    size = costs(ENCODER, TASKS, 64, 100).params(SharingTree.parse(TREES[model], 8))
    assert size == pytest.approx(int(row["params"]), rel=0.01)


@st.composite
def trees(draw: st.DrawFn) -> SharingTree:
    """Random trees over random tasks among the four."""
    tasks = draw(st.permutations(NAMES))[: draw(st.integers(1, 4))]

    def group(members: list[str], placed: int) -> str:
        if len(members) == 1:
            return members[0]
        depth = draw(st.integers(placed, 8))
        cut = draw(st.integers(1, len(members) - 1))
        return f"{{{group(members[:cut], depth)},{group(members[cut:], depth)}}}@{depth}"

    return SharingTree.parse(group(list(tasks), 0), 8)


def specs_of(tree: SharingTree) -> list[TaskSpec]:
    """The tasks of a tree."""
    return [task for task in TASKS if task.name in tree.tasks]


@given(trees())
@settings(max_examples=25)
def test_costs_count_the_parameters_of_the_built_network(tree: SharingTree) -> None:
    network = build_network(tree, ENCODER, specs_of(tree), 64, seed=0)
    built = sum(p.numel() for p in network.parameters())
    assert costs(ENCODER, TASKS, 64, 100).params(tree) == built


@given(trees(), st.data())
@settings(max_examples=25)
def test_a_branch_gives_each_task_what_the_whole_batch_would_give(
    tree: SharingTree, data: st.DataObject
) -> None:
    network = build_network(tree, ENCODER, specs_of(tree), 32, seed=3).eval()
    x = torch.randn(5, 1, 32, 21, generator=torch.Generator().manual_seed(0))
    subsets = st.sets(st.integers(0, 4), min_size=1).map(sorted)
    rows = {task: torch.tensor(data.draw(subsets)) for task in tree.tasks}
    with torch.no_grad():
        whole, part = network(x), network(x, rows=rows)
    for task in tree.tasks:
        torch.testing.assert_close(part[task], whole[task][rows[task]], rtol=1e-4, atol=1e-5)


def test_rows_that_no_task_below_needs_are_not_run() -> None:
    tree = SharingTree.parse("{gc,vad}@4", 8)
    network = build_network(tree, ENCODER, specs_of(tree), 32, seed=0)
    seen: dict[str, int] = {}
    for name, module in network.named_children():
        module.register_forward_hook(
            lambda _, inputs, __, name=name: seen.__setitem__(name, inputs[0].shape[0])
        )
    rows = {"gc": torch.tensor([0, 1]), "vad": torch.tensor([2, 3, 4])}
    network(torch.zeros(5, 1, 32, 20), rows=rows)
    assert seen == {"shared_1_4": 5, "gc_5_8": 2, "vad_5_8": 3, "gc_head": 2, "vad_head": 3}


@given(trees(), st.integers(0, 3))
@settings(max_examples=15)
def test_a_task_starts_from_the_same_weights_in_every_tree(tree: SharingTree, seed: int) -> None:
    network = build_network(tree, ENCODER, specs_of(tree), 64, seed)
    for task in tree.tasks:
        single = build_network(
            SharingTree.single(task, 8), ENCODER, [t for t in TASKS if t.name == task], 64, seed
        )
        blocks = [
            block for branch in tree.path(task) for block in network.blocks_of(branch).values()
        ]
        alone = list(single.get_submodule(f"{task}_1_8").children())
        pairs = [*zip(blocks, alone, strict=True)]
        pairs.append(
            (network.get_submodule(head_name(task)), single.get_submodule(head_name(task)))
        )
        for ours, theirs in pairs:
            for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
                assert torch.equal(a, b)


def test_other_seeds_give_other_weights() -> None:
    tree = SharingTree.single("gc", 8)
    a, b = (next(build_network(tree, ENCODER, TASKS[:1], 64, s).parameters()) for s in (0, 1))
    assert not torch.equal(a, b)


@given(trees(), st.lists(st.integers(1, 60), min_size=2, max_size=4))
@settings(max_examples=25)
def test_padding_changes_nothing(tree: SharingTree, lengths: list[int]) -> None:
    network = build_network(tree, ENCODER, specs_of(tree), 32, seed=1).eval()
    x = torch.randn(len(lengths), 1, 32, 60, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        padded = network(x, frames=torch.tensor(lengths))
        for row, length in enumerate(lengths):
            alone = network(x[row : row + 1, :, :, :length])
            for task in tree.tasks:
                valid = alone[task].shape[1]
                torch.testing.assert_close(
                    padded[task][row : row + 1, :valid], alone[task], rtol=1e-4, atol=1e-5
                )


def test_activity_has_one_logit_per_feature_frame() -> None:
    network = build_network(SharingTree.single("vad", 8), ENCODER, TASKS[3:], 64, 0).eval()
    with torch.no_grad():
        logits = network(torch.zeros(1, 1, 64, 101))["vad"]
    assert logits.shape == (1, 101)
    assert torch.equal(logits[:, 0:4], logits[:, :1].expand(1, 4))


def test_tree_encoder_and_tasks_must_belong_together() -> None:
    with pytest.raises(TreeError, match="expected a tree over 8 blocks for encoder cnn8, found"):
        build_network(SharingTree.single("gc", 5), ENCODER, TASKS[:1], 64, 0)
    with pytest.raises(TreeError, match="expected tasks gc, found ac"):
        build_network(SharingTree.single("gc", 8), ENCODER, TASKS[1:2], 64, 0)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_is_the_same_network(copied: Callable[[TreeNetwork], TreeNetwork]) -> None:
    tree = SharingTree.parse("{{gc,ac}@6,vad}@4", 8)
    network = build_network(tree, ENCODER, specs_of(tree), 32, seed=0).eval()
    again = copied(network)
    x = torch.randn(2, 1, 32, 21, generator=torch.Generator().manual_seed(0))
    frames = torch.tensor([21, 9])
    with torch.no_grad():
        for task, logits in network(x, frames).items():
            assert torch.equal(again(x, frames)[task], logits)
    for branch in again.tree.branches():
        assert list(again.blocks_of(branch)) == list(branch.block_numbers)


@dataclass(frozen=True)
class Made:
    """An encoder of one block of any layer."""

    layer: Callable[[], nn.Module]
    name: str = "made"
    depth: int = 1
    frame_strides: tuple[int, ...] = (1,)

    def output_shape(self, mels: int) -> tuple[int, int]:
        return 4, mels

    def build_block(self, number: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(1, 4, 1), self.layer())

    def widened(self, factor: float) -> Made:
        raise ValueError(factor)


class Scaled(nn.Module):
    """A layer with a parameter and a buffer of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.empty(4))
        self.register_buffer("offset", torch.empty(4))


class Own(Scaled):
    """The same with an initialisation."""

    def initialise(self, generator: torch.Generator) -> None:
        self.scale.data.uniform_(1, 2, generator=generator)
        self.get_buffer("offset").zero_()


@pytest.mark.parametrize(
    "layer",
    [
        *(Own, nn.SiLU, nn.PReLU, lambda: nn.GroupNorm(2, 4), lambda: nn.LayerNorm(5)),
        *(lambda: nn.Conv2d(4, 4, 3, groups=4), lambda: nn.Conv1d(4, 4, 3)),
        *(lambda: nn.BatchNorm1d(4), lambda: nn.BatchNorm2d(4, affine=False)),
        lambda: nn.LSTM(4, 4),
    ],
)
def test_any_layer_starts_from_the_seed_alone(layer: Callable[[], nn.Module]) -> None:
    tree = SharingTree.single("gc", 1)
    before = torch.random.get_rng_state()
    one, same, other = (
        build_network(tree, Made(layer), TASKS[:1], 8, s).get_submodule("gc_1_1.0.1")
        for s in (0, 0, 1)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    for (name, value), again, another in zip(
        one.state_dict().items(),
        same.state_dict().values(),
        other.state_dict().values(),
        strict=True,
    ):
        assert torch.isfinite(value.float()).all(), name
        assert torch.equal(value, again)
        assert value.ndim < 2 or not torch.equal(value, another)


def test_a_layer_starts_as_torch_starts_it() -> None:
    tree = SharingTree.single("gc", 1)
    network = build_network(tree, Made(lambda: nn.Conv1d(40, 30, 3)), TASKS[:1], 8, 0)
    layer = network.get_submodule("gc_1_1.0.1")
    assert isinstance(layer, nn.Conv1d) and layer.bias is not None
    for value in (layer.weight, layer.bias):
        assert 0.9 < value.abs().max() * 120**0.5 <= 1


def test_a_layer_without_initialisation_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match="no initialisation is known for Scaled; give it a method"):
        build_network(SharingTree.single("gc", 1), Made(Scaled), TASKS[:1], 8, 0)
