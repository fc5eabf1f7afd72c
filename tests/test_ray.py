"""Jobs on Ray: the contract of executors, deaths, interrupts, what cannot be joined, same bits."""

from __future__ import annotations

import fcntl
import http.server
import math
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from executor_contract import PATIENCE_S, ContractOfWorkers, read_until_busy, run
from small_cli import content, synergy
from small_corpora import write_tone_project
from small_files import values
from small_ray import MARKS, no_leftovers

from synergy.datasets import extraction
from synergy.errors import ConfigError, SynergyError
from synergy.executors import Job, Report, Resources, ray_cluster
from synergy.executors import ray as ray_executor
from synergy.executors.interrupts import interrupts_held
from synergy.executors.ray import REPEATS, RayExecutor

pytestmark = MARKS


@pytest.fixture(scope="module")
def ray(this_machine: None) -> Iterator[RayExecutor]:
    """A Ray of two workers, which the executors of this module find joined."""
    with no_leftovers(), closing(RayExecutor(Resources(2))) as executor:
        assert (executor.workers, executor.alive) == (2, 0)  # nothing is joined for a question
        assert run(executor, ("return", 1))["0"].value == 1
        assert executor.alive == 2
        yield executor


@pytest.mark.usefixtures("ray")
class TestRay(ContractOfWorkers):
    name = "ray"


# -- deaths -------------------------------------------------------------------------------


def die_at_first(payload: tuple[str, int], report: Report) -> str:
    """Leave a mark each time; die until there are so many."""
    file, lives = Path(payload[0]), payload[1]
    file.write_text(file.read_text() + "x" if file.exists() else "x")
    report(len(file.read_text()))
    if len(file.read_text()) <= lives:
        os.kill(os.getpid(), signal.SIGKILL)
    if lives < 0:
        raise ValueError("an error of its own")
    return file.read_text()


def test_a_job_whose_worker_dies_is_repeated_and_that_is_told(
    ray: RayExecutor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    began: list[Any] = []
    job = Job("k", (str(tmp_path / "marks"), REPEATS), "gc, ac seed 0")
    (ended,) = ray.run(die_at_first, [job], lambda _, mark: began.append(mark))
    assert (ended.value, ended.error) == ("xxx", None)
    assert began[-1] == 3  # what is said before a sudden death may be lost
    assert [record.getMessage() for record in caplog.records] == [
        "gc, ac seed 0 is run again: its worker died (killed by hand or out of memory)"
    ] * REPEATS


def test_a_job_is_not_repeated_for_ever(ray: RayExecutor, tmp_path: Path) -> None:
    (ended,) = ray.run(die_at_first, [Job("k", (str(tmp_path / "marks"), 99))], lambda *_: None)
    assert (tmp_path / "marks").read_text() == "x" * (1 + REPEATS)
    assert ended.error == (
        "its worker died (killed by hand or out of memory) before the job was finished, 3 times "
        "in a row"
    )


def test_an_error_of_its_own_is_not_repeated(ray: RayExecutor, tmp_path: Path) -> None:
    (ended,) = ray.run(die_at_first, [Job("k", (str(tmp_path / "marks"), -1))], lambda *_: None)
    assert ended.error == "ValueError: an error of its own"
    assert (tmp_path / "marks").read_text() == "x"


def test_the_end_of_its_own_ray_ends_the_work(
    ray: RayExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ray_cluster, "_nodes", lambda ray: [])
        patch.setattr(ray._cluster, "_looked_s", -math.inf)
        with pytest.raises(SynergyError, match=r"^the Ray of this command has ended \(killed by"):
            run(ray, ("return", 1))
    assert run(ray, ("return", 1))["0"].value == 1


# -- what cannot be joined ----------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def web_server() -> Iterator[str]:
    """Something that listens and is no Ray."""
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("ray://10.0.0.1:10001", "expected HOST:PORT or auto, found 'ray://10.0.0.1:10001'; run"),
        ("a..b:6379", r"expected a Ray cluster at a\.\.b:6379, found none"),
        ("somewhere", "expected HOST:PORT or auto, found 'somewhere'"),
        ("host:99999", "expected HOST:PORT or auto, found 'host:99999'"),
        ("127.0.0.1:PORT", r"expected a Ray cluster at 127\.0\.0\.1:\d+, found none \(Connection"),
        ("WEB", r"expected a Ray cluster at 127\.0\.0\.1:\d+, found none \(something else"),
    ],
)
def test_a_wrong_address_is_told_at_once(
    web_server: str, monkeypatch: pytest.MonkeyPatch, address: str, said: str
) -> None:
    monkeypatch.setattr(ray_cluster, "_is_joined", lambda: False)
    address = address.replace("PORT", str(free_port())).replace("WEB", web_server)
    with pytest.raises(SynergyError, match=said), closing(RayExecutor(Resources(1, address))) as e:
        run(e, ("return", 1))


@pytest.mark.usefixtures("ray")
def test_a_process_with_a_ray_of_its_own_joins_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray would show the other one the token of the first, and jobs would wait for ever."""
    monkeypatch.setattr(ray_cluster, "_is_joined", lambda: False)
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    with (
        pytest.raises(SynergyError, match="started a Ray of its own before, whose token it keeps"),
        closing(RayExecutor(Resources(1, "auto"))) as executor,
    ):
        run(executor, ("return", 1))


def test_an_address_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "ray://10.0.0.1:10001")
    with pytest.raises(ConfigError, match="found 'ray://10"):
        RayExecutor()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ("", r"expected Ray, which is not installed; run `pip install 'synergy\[ray\]"),
        ("2.9.3", r"expected Ray 2\.50 or newer, found 2\.9\.3; run `pip install"),
    ],
)
def test_ray_must_be_there(monkeypatch: pytest.MonkeyPatch, found: str, said: str) -> None:
    def version(name: str) -> str:
        if not found:
            raise PackageNotFoundError(name)
        return found

    monkeypatch.setattr(ray_cluster, "version", version)
    with pytest.raises(ConfigError, match=said):
        RayExecutor()


@pytest.mark.parametrize("gpus", [1.5, 0.00001])
def test_no_part_of_a_gpu_that_ray_knows(gpus: float) -> None:
    with pytest.raises(ConfigError, match=r"of at least 0\.0001 or a whole number, found"):
        RayExecutor(Resources(gpus=gpus))


def test_a_node_of_another_version_is_named(
    ray: RayExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = ray_executor._versions()
    monkeypatch.setattr(ray_executor, "_versions", lambda: {**here, "torch": "9.9"})
    with pytest.raises(SynergyError, match=r"node .* has torch 2\S+, this one has torch 9\.9; in"):
        run(ray, ("return", 1))


def test_a_cluster_of_another_version_is_refused(
    ray: RayExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Ray, which tells both versions; asked of the cluster that runs."""
    program = (
        "import ray._private.utils as utils\n"
        "utils.compute_version_info = lambda: ('2.99.0', '3.11.0')\n"
        "from synergy.errors import SynergyError\n"
        "from synergy.executors.ray import RayExecutor, Resources\n"
        "import sys\n"
        "try:\n    RayExecutor(Resources(address=sys.argv[1])).workers\n"
        "except SynergyError as error:\n    print(error)\n"
    )
    import ray as library

    address = library.get_runtime_context().gcs_address
    done = subprocess.run(
        [sys.executable, "-c", program, address],
        env={
            **os.environ,
            **ray_cluster.own_token(),
            "RAY_AUTH_MODE": "token",
            "PYTHONPATH": str(Path(__file__).parent.parent),
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stdout.startswith(f"Ray cannot be joined at {address}: Version mismatch: "), done
    assert "2.99.0" in done.stdout
    assert done.stderr == ""


def test_no_node_with_so_many_gpus(ray: RayExecutor, tmp_path: Path) -> None:
    config = write_tone_project(tmp_path)
    ran = synergy(
        *("baseline", "--config", config, "--workspace", tmp_path / "ws"),
        *("--executor", "ray", "--gpus-per-trial", 64),
    )
    assert (ran.code, ran.out) == (2, "")
    assert re.fullmatch(
        r"error: --gpus-per-trial 64: expected a node with as many GPUs, the largest has \d+; ask "
        "for less, or add a node",
        ran.err.splitlines()[-1],
    )


# -- joining and leaving ------------------------------------------------------------------


def test_a_signal_while_ray_starts_is_answered_as_ever_and_afterwards() -> None:
    taken: list[str] = []
    before = signal.signal(signal.SIGTERM, lambda *_: taken.append("taken"))
    ours = signal.getsignal(signal.SIGTERM)
    try:
        with ray_cluster._settings({}), interrupts_held(blocked=False):
            from ray._private import utils

            utils.set_sigterm_handler(lambda *_: taken.append("by Ray"))
            signal.raise_signal(signal.SIGTERM)
            taken.append("started")
        assert taken == ["started", "taken"]
        assert signal.getsignal(signal.SIGTERM) is ours
    finally:
        signal.signal(signal.SIGTERM, before)


def test_what_a_killed_command_left_is_removed(tmp_path: Path) -> None:
    names = ["other", "synergy-ray-fresh", "synergy-ray-locked", "synergy-ray-old"]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
        if not name.endswith("fresh"):
            os.utime(tmp_path / name, (0, 0))
    lock = os.open(tmp_path / "synergy-ray-locked", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    ray_cluster._remove_abandoned(tmp_path)
    os.close(lock)
    assert sorted(path.name for path in tmp_path.iterdir()) == names[:3]


# -- the same bits ------------------------------------------------------------------------


TIMED = {"result.json", "meta.json", "summary.json", "tree.json", "comparisons.json"}


def files_of(workspace: Path, cache: Path) -> dict[str, bytes]:
    """All that a run left but what tells times and places; features under ``cache/``."""
    found = {f"cache/{Path(name).name}": data for name, data in content(cache / "features").items()}
    found |= content(workspace)
    for path in sorted((workspace / "probes").glob("*.json")):
        found[f"probes/{path.name}"] = str(values(path)["result"]).encode()
    return {
        name: data
        for name, data in found.items()
        if Path(name).name not in TIMED and not name.endswith(".lock")
    }


def test_a_run_on_ray_has_the_bits_of_one_elsewhere(
    ray: RayExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Features, soft labels, probes, table, tree, weights; of processes the first stage only."""
    config = write_tone_project(tmp_path)
    monkeypatch.setattr(extraction, "INLINE_AUDIO_S", 0.0)
    commands = (("run", "--depths", 8), ("compare", "--methods", "rsa,tag"))
    found: dict[str, dict[str, bytes]] = {}
    for name, wanted in (("serial", commands), ("ray", commands), ("process", (("baseline",),))):
        monkeypatch.setenv("SYNERGY_CACHE", str(tmp_path / f"cache-{name}"))
        options = ("--workspace", tmp_path / name, "--executor", name, "--workers", 2)
        for command in wanted:
            given = () if command[0] == "compare" else ("--config", config)
            ran = synergy(*command, *given, *options)
            assert ran.code in (0, 1), ran.err
        found[name] = files_of(tmp_path / name, tmp_path / f"cache-{name}")
    for part in ("soft_labels/", "probes/", "ar_table.csv", "model/weights", "cache/features"):
        assert any(name.startswith(part) for name in found["ray"]), part
    assert found["ray"].keys() == found["serial"].keys()
    assert [name for name, data in found["serial"].items() if found["ray"][name] != data] == []
    trained = {name for name in found["process"] if name.startswith(("trials/", "cache/"))}
    assert len([name for name in trained if name.endswith("weights.safetensors")]) == 3
    assert [name for name in trained if found["ray"][name] != found["process"][name]] == []


# -- a program of its own -----------------------------------------------------------------

PROGRAM = """
import os, signal, sys, tempfile
from synergy.executors import EXECUTORS, Job, Resources
from executor_contract import act

def say(*words):
    print(*words, flush=True)

if __name__ == "__main__":
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    executor = EXECUTORS["ray"](Resources(2))
    jobs = [Job("a", ("return", 1)), Job("b", ("return", 2))]
    jobs += [Job(key, ("wait for file", "never")) for key in "cd"]
    try:
        for outcome in executor.run(act, jobs, lambda key, report: say("start", key)):
            say("done", outcome.key, outcome.value)
            if outcome.key == "a":
                say("folder", executor._cluster._own.name)
    except KeyboardInterrupt:
        say("interrupted")
    finally:
        executor.close()
        say(before == (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)))
        say({"RAY_AUTH_TOKEN", "RAY_AUTH_MODE"} & set(os.environ))
    sys.exit(130)
"""


def processes_with(word: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if word in (folder / "cmdline").read_bytes().decode(errors="replace"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def test_ctrl_c_ends_the_work_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "program.py").write_text(PROGRAM)
    tests = Path(__file__).parent
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
        "PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent)]),
        "HOME": str(tmp_path / "home"),
    }
    with subprocess.Popen(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        lines = read_until_busy(process)
        (own,) = [Path(line.split()[1]) for line in lines if line.startswith("folder ")]
        os.killpg(process.pid, signal.SIGINT)
        out, complaints = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, complaints) == (130, "")
    assert out.splitlines() == ["interrupted", "True", "set()"]
    assert not own.exists()
    assert processes_with(own.name) == []
    assert list((tmp_path / "home").iterdir()) == []
