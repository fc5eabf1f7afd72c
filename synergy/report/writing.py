"""From a workspace to its report on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synergy.errors import ConfigError
from synergy.files import read_bytes, refuse_to_replace, shortly, write_atomically
from synergy.machine import refusal
from synergy.report.html import render
from synergy.report.numbers import Numbers
from synergy.report.summarise import summarise
from synergy.workspace import Workspace

REPORT_MARK = b'<p class="kicker">Sharing tree report <'
"""What stands in every report, and by which one is known."""


@dataclass(frozen=True)
class Report:
    """A report that was written, and the numbers that it shows."""

    file: Path
    numbers: Numbers

    def to_json(self) -> dict[str, Any]:
        """The file and its numbers as JSON values, without the curves."""
        return {"report": str(self.file), **self.numbers.to_json()}

    def __repr__(self) -> str:
        return f"<Report: {self.file}>"


def write_report(workspace: Workspace, file: Path | None = None) -> Report:
    """Write the report of a workspace, which another command may hold.

    Parameters
    ----------
    workspace : Workspace
    file : Path, optional
        ``report.html`` in the workspace by default; an earlier report there is replaced.

    Raises
    ------
    WorkspaceError, TableError
        As `summarise`.
    ConfigError
        If ``file`` cannot be written, or something else than a report lies there; it is then as it
        was.
    """
    file = workspace.report if file is None else file
    _check_place(file)
    numbers = summarise(workspace)
    page = render(numbers, workspace.folder.resolve().name)
    try:
        write_atomically(file, page)
    except OSError as error:
        raise ConfigError(
            f"the report cannot be written to {file}: {refusal(error, file, 'name another file')}"
        ) from error
    return Report(file, numbers)


def _check_place(file: Path) -> None:
    """Refuse what cannot be replaced, or is no report: before anything is computed."""
    try:
        refuse_to_replace(file)
        found = read_bytes(file)
    except FileNotFoundError:
        if not file.parent.is_dir():
            raise ConfigError(
                f"the report cannot be written to {file}: no such folder; name another file"
            ) from None
        return
    except OSError as error:
        raise ConfigError(
            f"the report cannot be written to {file}: {refusal(error, file, 'name another file')}"
        ) from error
    except ValueError as error:
        raise ConfigError(
            f"the report cannot be written to {file}: {shortly(error)}; name another file"
        ) from error
    if found and REPORT_MARK not in found:
        raise ConfigError(
            f"expected a report to replace in {file}, found something else; it is left as it is, "
            "name another file"
        )
