"""A cluster of several nodes on this machine: joined by its address, and nodes that go."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from executor_contract import PATIENCE_S, wait_until
from small_cli import content
from small_field import tone_session
from small_ray import MARKS, no_leftovers

from synergy.errors import SynergyError
from synergy.executors import Job, ProcessExecutor, Report, Resources, ray_cluster
from synergy.executors.ray import RayExecutor
from synergy.running.progress import Progress
from synergy.stages.pairwise import pairwise
from synergy.synthesis import Question
from synergy.trials.record import TrialResult

pytestmark = MARKS


@pytest.fixture(scope="module")
def cluster(this_machine: None) -> Iterator[Any]:
    """A head without a CPU, on which the modules of the tests can be imported."""
    head = {"num_cpus": 0, "include_dashboard": False}
    with no_leftovers(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        # Ray keeps one token in a process, in which other tests have a cluster, too.
        for name, value in ray_cluster.own_token().items():
            patch.setenv(name, value)
        from ray.cluster_utils import Cluster

        made = Cluster(initialize_head=True, head_node_args=head)
        yield made
        made.shutdown()


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
    node, other = cluster.add_node(num_cpus=2), cluster.add_node(num_cpus=1)
    progress = Removes(cluster, node)
    with closing(RayExecutor(Resources(address=cluster.address))) as executor:
        assert executor.workers == 3
        session = tone_session(tmp_path / "b", seeds=1, executor=executor, progress=progress)
        assert sweep(session) == expected
        wait_until(lambda: executor.workers == 1)
    cluster.remove_node(other, allow_graceful=False)
    assert progress.finished_trials == len(expected["ar_table.csv"].splitlines()) - 1 + 3 + 1
    told = [record.getMessage() for record in caplog.records]
    assert all("is run again: its worker died" in each for each in told)


def stay(gate: Path, report: Report) -> str:
    """Tell the node, wait, and tell it again."""
    import ray

    node = ray.get_runtime_context().get_node_id()
    report(node)
    wait_until(gate.exists)
    return node


def test_what_ran_on_a_node_that_goes_is_run_elsewhere(
    cluster: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    doomed, other = cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)
    began: list[tuple[str, str]] = []

    def on_report(key: str, node: str) -> None:
        began.append((key, node))
        if len(began) == 2:
            cluster.remove_node(doomed, allow_graceful=False)
            (there,) = [name for name, where in began if where == other.node_id]
            (tmp_path / there).touch()
        elif len(began) == 3:  # the other one, again
            (tmp_path / key).touch()

    jobs = [Job(name, tmp_path / name, f"trial {name}") for name in "ab"]
    with closing(RayExecutor(Resources(address=cluster.address, workers=2))) as executor:
        ended = {each.key: each for each in executor.run(stay, jobs, on_report)}
    cluster.remove_node(other, allow_graceful=False)
    assert {each.value for each in ended.values()} == {other.node_id}
    assert [each.error for each in ended.values()] == [None, None]
    nodes = sorted([doomed.node_id, other.node_id, other.node_id])
    assert sorted(node for _, node in began) == nodes
    (told,) = [record.getMessage() for record in caplog.records]
    assert re.fullmatch(r"trial [ab] is run again: its worker died .*", told)


LOSES_ITS_HEAD = """
import os
from ray.cluster_utils import Cluster
from synergy.errors import SynergyError
from synergy.executors import EXECUTORS, Job, Resources
from executor_contract import act

cluster = Cluster(
    initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
)
executor = EXECUTORS["ray"](Resources(address=cluster.address))
try:
    jobs = [Job("a", ("return", 1)), Job("b", ("wait for file", "never"))]
    for ended in executor.run(act, jobs, lambda *_: None):
        print(ended.key, ended.value, flush=True)
        cluster.head_node.kill_gcs_server()
except SynergyError as error:
    print(error, flush=True)
    cluster.head_node.kill_all_processes(check_alive=False)
    os._exit(error.exit_code)
"""


def test_a_cluster_that_loses_its_head_is_one_sentence(tmp_path: Path) -> None:
    tests = Path(__file__).parent
    paths = os.pathsep.join([str(tests), str(tests.parent)])
    done = subprocess.run(
        [sys.executable, "-c", LOSES_ITS_HEAD],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_S,
        check=False,
    )
    assert done.returncode == 2, done
    first, sentence = done.stdout.splitlines()[-2:]
    assert first == "a 1"
    assert sentence.startswith("expected a Ray cluster at ")
    assert ", found none (Connection refused)" in sentence
