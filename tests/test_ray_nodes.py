"""A cluster of several nodes on this machine: joined by its address, and nodes that go."""

from __future__ import annotations

import gc
import importlib.util
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from executor_contract import wait_until
from small_cli import content
from small_field import tone_session

from synergy.errors import SynergyError
from synergy.executors import ProcessExecutor, Resources
from synergy.executors.ray import RayExecutor
from synergy.running.progress import Progress
from synergy.stages.pairwise import pairwise
from synergy.synthesis import Question
from synergy.trials.record import TrialResult

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason="needs pip install 'synergy[ray]'"
    ),
    pytest.mark.usefixtures("this_machine"),
    # of Ray's own files and processes
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def cluster(this_machine: None) -> Iterator[Any]:
    """A head without a CPU."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield made
    made.shutdown()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


class Removes(Progress):
    """Removes a node when the first training is done, while others run."""

    def __init__(self, cluster: Any, node: Any) -> None:
        self.cluster, self.node = cluster, node
        self.finished_trials = 0
        self.alive: list[int] = []

    def working(self, workers: int) -> None:
        self.alive.append(workers)

    def finished(self, label: str, result: TrialResult | None, error: str | None) -> None:
        assert error is None
        self.finished_trials += 1
        if self.finished_trials == 1:
            self.cluster.remove_node(self.node, allow_graceful=False)


def sweep(session: Any) -> dict[str, bytes]:
    """The files of a workspace after a sweep, without what tells times and places."""
    pairwise(session, session.experiment.tasks, [4, 8], Question())
    found = content(session.workspace.folder)
    odd = ("result.json", "config.yaml", "checksums.json")
    return {name: data for name, data in found.items() if not name.endswith(odd)}


def test_a_cluster_without_a_cpu_is_refused(cluster: Any) -> None:
    with (
        closing(RayExecutor(Resources(address=cluster.address))) as executor,
        pytest.raises(SynergyError, match="expected a node with a CPU, the cluster has none"),
    ):
        assert executor.workers


def test_a_sweep_in_which_a_node_goes_ends_with_the_right_table(
    cluster: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with closing(ProcessExecutor(2)) as executor:
        expected = sweep(tone_session(tmp_path / "a", seeds=1, executor=executor))
    node = cluster.add_node(num_cpus=2)
    cluster.add_node(num_cpus=1)
    progress = Removes(cluster, node)
    with closing(RayExecutor(Resources(address=cluster.address))) as executor:
        assert executor.workers == 3
        session = tone_session(tmp_path / "b", seeds=1, executor=executor, progress=progress)
        assert sweep(session) == expected
        wait_until(lambda: executor.workers == 1)
    assert progress.finished_trials == len(expected["ar_table.csv"].splitlines()) - 1 + 3
    told = [record.getMessage() for record in caplog.records]
    assert told
    assert all("is run again: its worker died" in each for each in told)
