"""``synergy verify``: whether the files of a workspace are as they were written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synergy.cli.options import Options
from synergy.cli.output import document, write
from synergy.cli.tables import Table, rendered
from synergy.errors import ShortfallError
from synergy.wording import counted, short_list

if TYPE_CHECKING:
    from synergy.stages.verify import Verified


def verify(options: Options) -> None:
    """Read every file of a workspace and hold it to its checksum; change nothing.

    Names each damaged file and what happens to it: what can be computed again is, a training
    with a damaged file counts as not done. Exit code 1 when one was found.

    \b
    Example:
      synergy verify --workspace runs/real
    """
    from synergy.stages.verify import verify as stage
    from synergy.workspace import Workspace

    found = stage(Workspace(options.workspace, create=False))
    write(document(found.to_json()) if options.json else _text(found))
    if found.damage:
        raise ShortfallError(
            f"{counted(len(found.damage), 'file')} of {options.workspace} "
            f"{'is' if len(found.damage) == 1 else 'are'} damaged"
        )


def _text(found: Verified) -> str:
    """What was read, for people."""
    table = Table("Files that were read", ["what", "files"], list(found.files.items()))
    lines = [f"{each.file}: {each.problem}; {each.way_out}" for each in found.damage]
    if found.unsealed:
        lines.append(
            f"{counted(len(found.unsealed), 'file')} of an earlier version, without checksums: "
            f"more than that they can be read is not known ({short_list(found.unsealed, 3)})"
        )
    return "\n".join([rendered(table), "", *(lines or ["every file is as it was written"])])
