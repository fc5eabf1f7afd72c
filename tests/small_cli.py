"""The command line inside this process, with what it printed."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from small_corpora import write_tone_project

from synergy.cli import main


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)

    @property
    def table(self) -> list[str]:
        """stdout in lines, runs of spaces as one."""
        return [" ".join(line.split()) for line in self.out.splitlines()]


def synergy(*arguments: object) -> Ran:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Ran(code, out.getvalue(), err.getvalue())


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but hidden ones, by path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    }


def paired_tones(folder: Path) -> tuple[Path, Path, Ran]:
    """A configuration of a few steps, its workspace after `synergy pairwise`, what that said."""
    config, workspace = write_tone_project(folder), folder / "ws"
    ran = synergy(
        *("pairwise", "--config", config, "--workspace", workspace, "--seeds", 2, "--json"),
        *("--executor", "serial"),
    )
    assert ran.code == 0, ran.err
    return config, workspace, ran
