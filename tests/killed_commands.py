"""The commands that write, on a schedule that trains in no time, and what may be wrong with them
when they were killed and started again.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from killing import Ended, Kill, run
from small_corpora import write_tone_corpus

CONFIG = """\
corpora:
  tones: {format: manifest, folder: tones}
tasks:
  gc: {kind: clip_classification, classes: [female, male], corpora: {tones: {column: gender}}}
  vad: {kind: frame_activity, classes: [speech], corpora: {tones: {segments: speech}}}
features: {mels: 16}
encoder: {channels: [2, 2, 2, 2, 2, 2, 2, 2]}
training: {epochs: 1, steps_per_epoch: 1, clips_per_task: 4}
depths: [8]
max_ar: 60
"""
FILES = {
    "config.yaml": CONFIG,
    "other.yaml": CONFIG.replace("steps_per_epoch: 1", "steps_per_epoch: 2"),
    "demo.yaml": """\
corpora:
  demo:
    format: demo_speech
    words: [go, stop]
    clips: {train: 12, valid: 12, test: 12}
    speakers: {train: 6, valid: 6, test: 6}
tasks:
  gc: {kind: clip_classification, corpora: {demo: {column: gender}}}
""",
}


@dataclass(frozen=True)
class Case:
    """A command line that goes on from where another case ended, or from nothing."""

    name: str
    arguments: tuple[str, ...]
    start: str = ""
    executors: tuple[str, ...] = ("serial", "process")


CASES = (
    Case("demo corpus", ("data", "check", "--config", "demo.yaml"), executors=("",)),
    Case("run", ("run", "--config", "config.yaml")),
    Case("run again", ("run",), "run", ("serial",)),
    Case("run --replace", ("run", "--config", "other.yaml", "--replace"), "run"),
    Case("run --distill", ("run", "--distill"), "run"),
    Case("adaptive", ("pairwise", "--sweep", "adaptive", "--budget", "12"), "run"),
    Case("synthesize --distill", ("synthesize", "--distill"), "run"),
    Case("train-frontier", ("synthesize", "--train-frontier", "1"), "run", ("serial",)),
    Case("compare", ("compare",), "run"),
    Case("report", ("report",), "compare", ("",)),
)
OPTIONS = {
    "": (),
    "serial": ("--executor", "serial"),
    "process": ("--executor", "process", "--workers", "2"),
}


@dataclass(frozen=True)
class Point:
    """Where a case is killed: once, or each time that it is started again."""

    case: Case
    executor: str
    kills: tuple[Kill, ...]

    @property
    def who(self) -> str:
        """Who is killed: nobody, a role once, or the command "again" and again."""
        if not self.kills:
            return "nobody"
        return self.kills[0].role if len(self.kills) == 1 else "again"

    def __str__(self) -> str:
        kills = ",".join(map(str, self.kills))
        return f"--case '{self.case.name}' --executor '{self.executor}' --at {kills}"


@dataclass(frozen=True)
class Calm:
    """What a case did and left when nobody killed it."""

    ended: Ended
    files: Mapping[str, bytes]
    trained: int

    def numbers(self, role: str) -> list[int]:
        """Operations of a role before which the files are others than before the one before."""
        own = [operation for operation in self.ended.operations if operation.role == role]
        return [n for n in range(1, len(own) + 1) if n == 1 or own[n - 2].changes]


class Place:
    """The folder in which everything happens.

    Commands work in ``at``, always the same path; ``calm`` keeps what they leave if nobody
    kills them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.at, self.calm, self.logs = (folder / name for name in ("at", "calm", "logs"))
        self.inputs = folder / "inputs"
        for path in (self.calm, self.logs):
            path.mkdir(parents=True)
        write_tone_corpus(self.inputs / "tones", (12, 6, 6))
        for name, text in FILES.items():
            (self.inputs / name).write_text(text, encoding="utf-8")

    def begin(self, case: Case) -> None:
        """Put the files there that the case goes on from."""
        shutil.rmtree(self.at, ignore_errors=True)
        if case.start:
            shutil.copytree(self.calm / case.start, self.at)
        else:
            self.at.mkdir()

    def run(self, case: Case, executor: str, kill: Kill | None = None) -> Ended:
        """One command, from its start to its end."""
        line = [*case.arguments, *OPTIONS[executor]]
        return run(partial(self._command, line), self.at, self.logs, kill)

    def damage(self) -> str:
        """What `synergy verify` finds damaged in the workspace, if there is one."""
        if not (self.at / "ws" / "trials").is_dir():
            return ""
        ended = run(partial(self._command, ["verify"]), self.at, self.logs)
        return "" if ended.code == 0 else f"verify: {ended.out[-600:]} {ended.err[-300:]}"

    def _command(self, arguments: Sequence[str]) -> int:
        from synergy.cli import main

        os.chdir(self.inputs)
        os.environ["SYNERGY_CACHE"] = str(self.at / "cache")
        code = main([*arguments, "--workspace", str(self.at / "ws"), "--json"])
        (self.logs / "modules").write_text("\n".join(sorted(sys.modules)), encoding="utf-8")
        return code

    def modules(self) -> list[str]:
        """Names of what the last command had imported at its end."""
        return (self.logs / "modules").read_text(encoding="utf-8").splitlines()


# -- what is left ---------------------------------------------------------------------------------


def timeless(data: Any) -> Any:
    """JSON values without times, speeds, checksums of them, and how many trainings just ran."""
    if isinstance(data, dict):
        left_out = ("seconds", "clips_per_s", "trained", "checksum")
        return {k: timeless(v) for k, v in data.items() if k not in left_out}
    if isinstance(data, list):
        return [timeless(v) for v in data if not (isinstance(v, int) and v > 10**17)]  # mtime_ns
    return data


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder without its times, and every folder, by path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        content = b"" if path.is_dir() else path.read_bytes()
        if path.suffix == ".json":
            content = json.dumps(timeless(json.loads(content)), sort_keys=True).encode()
        found[path.relative_to(folder).as_posix() + "/" * path.is_dir()] = content
    return found


def finished(folder: Path) -> dict[str, bytes]:
    """Trainings that are done; their times tell one from its repetition."""
    trials = folder.glob("ws/trials/[!.]*/result.json")
    probes = folder.glob("ws/probes/tag-*.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in (*trials, *probes)}


def trained(data: Any) -> int:
    """How many trainings a command says that it ran, stage by stage."""
    if not isinstance(data, dict):
        return 0
    return data["trained"] if "trained" in data else sum(map(trained, data.values()))


def differences(calm: Mapping[str, bytes], now: Mapping[str, bytes]) -> Iterator[str]:
    """What is there, is not there, or is not the same."""
    yield from (f"left over: {name}" for name in sorted(now.keys() - calm.keys()))
    yield from (f"missing: {name}" for name in sorted(calm.keys() - now.keys()))
    same = sorted(calm.keys() & now.keys())
    yield from (f"another content: {name}" for name in same if calm[name] != now[name])


def bad_end(ended: Ended) -> Iterator[str]:
    """What is wrong with the way in which a command ended, killed or not."""
    if ended.code is None:
        yield "it hangs"
    if ended.code == 70:
        yield f"a bug: {ended.err[-300:]}"
    yield from (f"lives on: {orphan}" for orphan in ended.orphans)


def look(place: Place, point: Point, calm: Calm) -> tuple[bool, list[str]]:
    """Kill a case and start it again; whether it was killed, and what is wrong."""
    place.begin(point.case)
    known = finished(place.at)
    wanted = calm.trained + len(known)
    was_killed, wrong = False, []
    for kill in (*point.kills, None):
        ended = place.run(point.case, point.executor, kill)
        wrong += bad_end(ended)
        now = finished(place.at)
        lost = (name for name in known if known[name] != now.get(name))
        wrong += (f"lost or trained twice: {name}" for name in lost)
        if kill is None or not ended.reached:
            break
        was_killed, known = True, now
        wrong += filter(None, [place.damage()])
    if ended.code != calm.ended.code:
        return was_killed, [*wrong, f"exit code {ended.code}: {ended.err[-300:]}"]
    data, expected = json.loads(ended.out), json.loads(calm.ended.out)
    missing = wanted - len(known.keys() & calm.files.keys())
    if trained(data) != missing:
        wrong.append(f"{trained(data)} trainings for the {missing} that were missing")
    if timeless(data) != timeless(expected):
        wrong.append("another answer on stdout")
    files = contents(place.at)
    if point.who == "worker":  # the command may have gone on without what the worker trained
        others = tuple(
            name.removesuffix("result.json") for name in known.keys() - calm.files.keys()
        )
        files = {name: file for name, file in files.items() if not name.startswith(others)}
    return was_killed, [*wrong, *differences(calm.files, files)]
