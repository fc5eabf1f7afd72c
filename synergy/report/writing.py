"""From a workspace to its report on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synergy.errors import ConfigError
from synergy.files import write_atomically
from synergy.report.html import render
from synergy.report.numbers import Numbers
from synergy.report.summarise import summarise
from synergy.workspace import Workspace


@dataclass(frozen=True)
class Report:
    """A report that was written, and the numbers that it shows."""

    file: Path
    numbers: Numbers

    def to_json(self) -> dict[str, Any]:
        """The file and its numbers as JSON values, without the curves."""
        return {"report": str(self.file), **self.numbers.to_json()}


def write_report(workspace: Workspace, file: Path | None = None) -> Report:
    """Write the report of a workspace, which another command may hold.

    Parameters
    ----------
    workspace : Workspace
    file : Path, optional
        ``report.html`` in the workspace by default; replaced when it is there.

    Raises
    ------
    WorkspaceError, TableError
        As `summarise`.
    ConfigError
        If ``file`` cannot be written.
    """
    file = workspace.report if file is None else file
    if file.is_dir():
        raise ConfigError(f"expected a file for the report, found the folder {file}; name a file")
    numbers = summarise(workspace)
    page = render(numbers, workspace.folder.resolve().name)
    try:
        write_atomically(file, page)
    except OSError as error:
        raise ConfigError(
            f"the report cannot be written to {file} ({error.strerror}); name another file"
        ) from error
    return Report(file, numbers)
