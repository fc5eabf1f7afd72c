"""``synergy report``: a workspace as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from synergy.cli.options import DEFAULT_WORKSPACE, AsJson, WorkspaceFolder
from synergy.cli.output import say, write, write_json


def report(
    workspace: WorkspaceFolder = DEFAULT_WORKSPACE,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="Where the page is written; report.html in the workspace by default.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write what lies in a workspace as one HTML page.

    AR table, task graph and tree at every threshold, sizes against accuracy, training curves,
    scores, comparisons and where everything comes from. The page needs nothing but a browser;
    it is made from the files of the workspace alone, whatever stages were run so far.

    \b
    Example:
      synergy report --workspace runs/real
    """
    from synergy.report import write_report
    from synergy.workspace import Workspace

    found = write_report(Workspace(workspace, create=False), output)
    for part in found.numbers.missing:
        say(f"note: not in the report: {part.what} ({part.command} --workspace {workspace})")
    if as_json:
        write_json(found.to_json())
    else:
        write(str(found.file))
