"""The workspace: its layout, what it refuses, and who holds it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from synergy.config import load_config
from synergy.errors import WorkspaceError
from synergy.files import partial_path
from synergy.workspace import Workspace

PATIENCE_S = 60.0

HOLDER = """
import sys
from pathlib import Path
from synergy.workspace import Workspace

with Workspace(Path(sys.argv[1])).lock("synergy pairwise"):
    print("held", flush=True)
    sys.stdin.readline()
print("released", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "first"


@pytest.fixture
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the workspace until it reads a line."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


# -- layout -------------------------------------------------------------------------------


def test_layout(folder: Path) -> None:
    workspace = Workspace(folder)
    assert folder.is_dir()
    assert workspace.trials.folder == folder / "trials"
    assert [
        path.relative_to(folder).as_posix()
        for path in (
            workspace.config,
            workspace.table_files("plain").table,
            workspace.tree,
            workspace.summary,
            workspace.model,
            workspace.report,
        )
    ] == ["config.yaml", "ar_table.csv", "tree.json", "summary.json", "model", "report.html"]


def test_a_workspace_can_be_opened_again(folder: Path) -> None:
    Workspace(folder)
    config = load_config(None)
    Workspace(folder, create=False).claim(config)
    workspace = Workspace(folder)
    (folder / "notes.txt").write_text("mine")
    workspace = Workspace(folder)
    changed = config.with_options(seeds=2)
    workspace.claim(changed)
    assert workspace.config.read_text() == changed.to_yaml()


def test_a_folder_killed_right_after_its_birth(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()  # hidden entries do not count
    Workspace(tmp_path)
    Workspace(tmp_path)


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        (["thesis.tex"], "thesis.tex"),
        (["config.yaml"], "config.yaml"),
        (["a", "b", "c", "d"], r"a, b, c, \.\.\."),
        (["trials/", "thesis.tex"], "thesis.tex, trials"),
    ],
)
def test_a_folder_of_something_else_is_refused(
    folder: Path, entries: list[str], found: str
) -> None:
    folder.mkdir(parents=True)
    for entry in entries:
        if entry.endswith("/"):
            (folder / entry).mkdir()
        else:
            (folder / entry).touch()
    before = sorted(folder.iterdir())
    with pytest.raises(WorkspaceError, match=f"found {found}; name an empty folder or a workspace"):
        Workspace(folder)
    assert sorted(folder.iterdir()) == before


def test_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("text")
    with pytest.raises(WorkspaceError, match=f"found the file {re.escape(str(path))}"):
        Workspace(path)
    with pytest.raises(WorkspaceError, match="cannot be used"):
        Workspace(path / "below")


@pytest.mark.parametrize("empty", [False, True])
def test_nothing_is_made_for_a_reader(folder: Path, empty: bool) -> None:
    if empty:
        folder.mkdir(parents=True)
    with pytest.raises(WorkspaceError, match=r"expected a workspace in .*, found none"):
        Workspace(folder, create=False)
    assert folder.exists() == empty
    assert not empty or list(folder.iterdir()) == []


# -- the lock -----------------------------------------------------------------------------


def test_lock_says_who_holds_it(folder: Path) -> None:
    workspace = Workspace(folder)
    with workspace.lock("synergy baseline"):
        holder = json.loads((folder / ".synergy.holder.json").read_text())
        assert (holder["command"], holder["pid"]) == ("synergy baseline", os.getpid())
        with pytest.raises(WorkspaceError, match=f"process {os.getpid()}"):  # noqa: SIM117
            with Workspace(folder).lock("synergy run"):
                pytest.fail("two holders")
    assert not (folder / ".synergy.holder.json").exists()
    with Workspace(folder).lock("synergy run"):
        pass


def test_lock_is_released_by_an_exception(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Workspace(folder).lock("synergy run"):
        raise KeyboardInterrupt
    with Workspace(folder).lock("synergy run"):
        pass


def test_held_by_another_process(folder: Path, holder: subprocess.Popen[str]) -> None:
    workspace = Workspace(folder)
    with pytest.raises(  # noqa: SIM117
        WorkspaceError,
        match=rf"{re.escape(str(folder))} is held by `synergy pairwise` \(process {holder.pid}, "
        r"since \d\d:\d\d:\d\d\); wait for it or use another --workspace",
    ):
        with workspace.lock("synergy run"):
            pytest.fail("two holders")


@pytest.mark.parametrize("text", [None, "", "[]", '{"pid": 3}', '{"since": "now"}'])
def test_an_unknown_holder(folder: Path, holder: subprocess.Popen[str], text: str | None) -> None:
    side = folder / ".synergy.holder.json"
    if text is None:
        side.unlink()
    else:
        side.write_text(text)
    with pytest.raises(WorkspaceError, match="is held by another command;"):  # noqa: SIM117
        with Workspace(folder).lock("synergy run"):
            pytest.fail("two holders")


def test_the_system_releases_the_lock_of_a_killed_holder(
    folder: Path, holder: subprocess.Popen[str]
) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait(PATIENCE_S)
    assert (folder / ".synergy.holder.json").exists()
    with Workspace(folder).lock("synergy run"):
        side = json.loads((folder / ".synergy.holder.json").read_text())
        assert side["pid"] == os.getpid()


def test_leftovers_are_removed_by_the_next_holder(folder: Path) -> None:
    workspace = Workspace(folder)
    workspace.claim(load_config(None))
    file = partial_path(workspace.table_files("plain").table)
    file.write_text("task_a,ta")
    trial = partial_path(workspace.trials.path("abcd"))
    trial.mkdir()
    (trial / "trial.json").write_text("{")
    others = [partial_path(folder / name / "file") for name in ("soft_labels", "probes", "errors")]
    for other in others:
        other.parent.mkdir()
        other.write_text("{")
        (other.parent / "whole").write_text("{}")
    theirs = folder / "recordings" / ".talk.wav.partial"
    theirs.parent.mkdir()
    theirs.write_text("somebody else's")
    with workspace.lock("synergy run"):
        assert theirs.exists()
        assert not file.exists()
        assert not trial.exists()
        assert [list(other.parent.iterdir()) for other in others] == [
            [other.parent / "whole"] for other in others
        ]
        assert workspace.config.is_file()
