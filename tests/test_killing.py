"""What kills commands at their file operations does so, and finds what is wrong afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from killed_commands import contents, differences, finished, timeless, trained
from killing import Kill

TESTS = Path(__file__).parent
pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")


def program(*arguments: object) -> subprocess.CompletedProcess[str]:
    """A program of the tests, which forks, in a process of its own."""
    line = [sys.executable, *map(str, arguments)]
    return subprocess.run(line, cwd=TESTS, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    ran = program("killed_toys.py", tmp_path_factory.mktemp("toys"))
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_each_kill_leaves_what_was_done_before(seen: dict[str, Any]) -> None:
    done = {"first": "first"}
    inside = {**done, "second": "second", "third": None}
    assert [(each["last"], each["files"]) for each in seen["files"][:-1]] == [
        ("open first", {}),
        ("opened first", {"first": ""}),
        ("open .second", done),
        ("opened .second", {".second": "", **done}),
        ("os.fsync .second", {".second": "second", **done}),
        ("os.rename second", {".second": "second", **done}),
        ("os.mkdir third", {**done, "second": "second"}),
        ("open third/file", inside),
        ("opened third/file", {**inside, "third/file": ""}),
        ("shutil.rmtree third", {**inside, "third/file": "third"}),
        ("os.remove third/file", {**inside, "third/file": "third"}),
        ("os.rmdir third", inside),
    ]
    assert {each["code"] for each in seen["files"][:-1]} == {-9}


def test_after_the_last_operation_nobody_is_killed(seen: dict[str, Any]) -> None:
    last = seen["files"][-1]
    assert (last["code"], last["files"]) == (3, {"first": "first", "second": "second"})


def test_a_killed_command_takes_its_workers_with_it(seen: dict[str, Any]) -> None:
    assert [each["code"] for each in seen["main"]] == [-9, -9, 0]
    assert not any(each["orphans"] for each in seen["main"])
    assert "a is done" not in seen["main"][0]["files"]


def test_a_killed_worker_fails_one_job(seen: dict[str, Any]) -> None:
    codes = [each["code"] for each in seen["workers"]]
    assert codes == [1, 1, 1, 1, 0]
    first, second, third, fourth, calm = (each["files"] for each in seen["workers"])
    assert "a" not in first
    assert second["a"] == "" and third["a"]
    assert "b" not in third
    assert fourth["b"] == "" and calm["b"]


def test_what_lives_on_and_what_hangs_is_noticed(seen: dict[str, Any]) -> None:
    assert len(seen["orphans"]) == 1
    assert seen["hangs"] is None


def test_files_elsewhere_do_not_count(seen: dict[str, Any]) -> None:
    assert seen["outside"] == 0


def test_a_kill_is_read_as_it_is_written() -> None:
    assert Kill.parse(str(Kill("worker", 7))) == Kill("worker", 7)


def test_contents_are_those_of_files_and_folders_without_times(tmp_path: Path) -> None:
    (tmp_path / "ws" / "empty").mkdir(parents=True)
    (tmp_path / "ws" / ".partial").write_bytes(b"x")
    (tmp_path / "ws" / "result.json").write_text('{"seconds": 1.5, "score": 2, "checksum": "a"}')
    found = contents(tmp_path)
    assert found == {
        "ws/": b"",
        "ws/empty/": b"",
        "ws/.partial": b"x",
        "ws/result.json": b'{"score": 2}',
    }
    other = {**found, "ws/result.json": b'{"score": 3}', "ws/new": b""}
    del other["ws/empty/"]
    assert list(differences(found, other)) == [
        "left over: ws/new",
        "missing: ws/empty/",
        "another content: ws/result.json",
    ]


def test_trainings_that_are_done_are_told_from_those_that_are_not(tmp_path: Path) -> None:
    for name in ("ws/trials/one", "ws/trials/.two.partial", "ws/trials/three"):
        (tmp_path / name).mkdir(parents=True)
        if not name.endswith("three"):
            (tmp_path / name / "result.json").write_text("{}")
    assert finished(tmp_path) == {"ws/trials/one/result.json": b"{}"}
    told = {"pairwise": {"trained": 3, "baselines": {"trained": 2}}, "synthesize": {"trained": 1}}
    assert trained(told) == 4
    assert timeless({**told, "clips": [5, 10**18]})["clips"] == [5]


KILLED = """
import sys
from pathlib import Path
from kill_everywhere import Survey, main
from killed_commands import CASES, Place, Point
from killing import Kill
from synergy.workspace import Workspace

folder = Path(sys.argv[1])
name = "synthesize --distill"
sys.argv[1:] = ["--case", name, "--sample", "6", "--folder", str(folder)]
assert main() == 0
print("planted")
survey = Survey(Place(folder / "planted"))
case, = (case for case in CASES if case.name == name)
calm = survey.run_calmly(case, "serial")
number = [each.kind for each in calm.ended.operations].index("half of serialize_file") + 1
Workspace._clean = lambda self: None
assert survey.kill(Point(case, "serial", (Kill("main", number),))) and len(survey.wrong) == 1
"""


def test_kills_do_no_harm_but_would_if_nobody_cleaned_up(tmp_path: Path) -> None:
    ran = program("-c", KILLED, tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    sound, planted = ran.stdout.split("planted\n", 1)
    killed, unreached, wrong = map(int, sound.splitlines()[-2].split()[-3:])
    assert (killed + unreached, wrong) == (6, 0)
    assert killed
    first, *lines = planted.splitlines()
    assert first.startswith("--case 'synthesize --distill' --executor 'serial' --at main:")
    assert any("left over: ws/trials/." in line for line in lines)
