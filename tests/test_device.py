"""``--device``: where networks are trained."""

from __future__ import annotations

import pytest
import torch
from small_cli import synergy
from small_field import TREE, tone_session

from synergy.cli.options import Options
from synergy.cli.setup import device_asked
from synergy.errors import ConfigError
from synergy.executors import Executor, ProcessExecutor, SerialExecutor
from synergy.training.device import device_of


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> int:
    """Makes torch of this process find so many GPUs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: request.param > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: request.param)
    return request.param


@pytest.mark.parametrize(
    ("gpus", "name", "found"),
    [
        (0, "", "cpu"),
        (0, "cpu", "cpu"),
        (2, "", "cuda"),
        (2, "cpu", "cpu"),
        (2, "cuda", "cuda"),
        (2, "cuda:0", "cuda:0"),
        (2, "cuda:1", "cuda:1"),
    ],
    indirect=["gpus"],
)
def test_a_device_that_is_there_is_taken(gpus, name, found):
    assert device_of(name) == found
    assert torch.device(found)


@pytest.mark.parametrize(
    ("gpus", "options", "said"),
    [
        (0, {"device": "cuda"}, "--device cuda: expected a GPU that torch can use, found none"),
        (0, {"device": "cuda:1"}, "--device cuda:1: expected a GPU that torch can use, found none"),
        (1, {"device": "cuda:1"}, "found 1 GPU, counted from cuda:0"),
        (1, {"device": "gpu"}, "--device: expected cpu, cuda or cuda:N, found 'gpu'"),
        (1, {"device": ""}, "expected cpu, cuda or cuda:N, found ''"),
        (1, {"device": "cuda:-1"}, "expected cpu, cuda or cuda:N"),
        (1, {"device": "cuda:0001"}, "expected cpu, cuda or cuda:N"),
        (1, {"device": "meta"}, "expected cpu, cuda or cuda:N"),
        (1, {"device": "cuda", "executor": "ray"}, "expected cuda beside --gpus-per-trial on Ray"),
        (
            1,
            {"device": "cuda:0", "executor": "ray", "gpus_per_trial": 1.0},
            "on Ray, which chooses the GPU",
        ),
        (0, {"device": "cpu", "executor": "ray", "gpus_per_trial": 1.0}, "or cpu without it"),
        (0, {"device": "tpu", "executor": "ray"}, "expected cpu, cuda or cuda:N, found 'tpu'"),
    ],
    indirect=["gpus"],
)
def test_a_device_that_cannot_be_had_is_one_sentence(gpus, options, said):
    with pytest.raises(ConfigError) as caught:
        device_asked(Options(**options))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_gpu_of_a_cluster_need_not_be_here():
    options = Options(device="cuda", executor="ray", gpus_per_trial=0.5)
    assert device_asked(options) == "cuda"
    assert device_asked(Options(device="cpu", executor="ray")) == "cpu"


@pytest.mark.parametrize("gpus", [0], indirect=True)
@pytest.mark.parametrize("command", ["run", "baseline", "pairwise", "compare", "plan"])
def test_a_missing_device_ends_a_command_before_anything_is_prepared(gpus, command, tmp_path):
    workspace = tmp_path / "ws"
    ran = synergy(command, "--device", "cuda:1", "--workspace", workspace)
    if command == "compare":  # it looks for its table first
        assert "expected an AR table" in ran.err
    else:
        assert "error: --device cuda:1: expected a GPU that torch can use, found none" in ran.err
    assert ran.code == 2
    assert not workspace.exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="every device would be there")
@pytest.mark.parametrize("executor", [SerialExecutor(), ProcessExecutor(1)])
def test_the_device_reaches_the_workers_of_an_executor(tmp_path, executor: Executor):
    session = tone_session(tmp_path, executor, seeds=1)
    trial = session.experiment.trial(TREE, 0)
    session.device = "cuda:1"
    refused = session.train("a tree", [trial])
    assert "--device cuda:1: expected a GPU" in refused.errors[trial.digest]
    session.device, session._works = "cpu", {}
    assert session.train("a tree", [trial]).done[trial.digest].device == "cpu"
    executor.close()
