"""``synergy report``: a workspace as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from synergy.cli.options import Options
from synergy.cli.output import document, say, write

if TYPE_CHECKING:
    from synergy.report import Report


def report(options: Options) -> Report:
    """Write what lies in a workspace as one HTML page.

    AR table, task graph and tree at every threshold, sizes against accuracy, training curves,
    scores, comparisons and where everything comes from. The page needs nothing but a browser;
    it is made from the files of the workspace alone, whatever stages were run so far. --config is
    needed only where it names classes that are not of this package.

    \b
    Example:
      synergy report --workspace runs/real
    """
    if isinstance(options.config, Path):  # brings the classes that it names
        from synergy.config import load_config

        load_config(options.config)
    from synergy.report import write_report
    from synergy.workspace import Workspace

    return write_report(Workspace(options.workspace, create=False), options.output)


def tell(found: Report, options: Options) -> None:
    """Write where it is, and say what is not in it."""
    for part in found.numbers.missing:
        command = f"{part.command} --workspace {options.workspace}"
        say(f"note: not in the report: {part.what} ({command})")
    write(document(found.to_json()) if options.json else str(found.file))
