"""``synergy data``: what the recordings are like."""

from __future__ import annotations

import typer

from synergy.cli.options import (
    DEFAULT_WORKSPACE,
    AsJson,
    Config,
    Workers,
    WorkspaceFolder,
    resolved_config,
)
from synergy.cli.output import write, write_json
from synergy.cli.progress import Reporter

app = typer.Typer(
    help="Look at the recordings: data check.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


@app.command("check")
def check(
    config: Config = None,
    workspace: WorkspaceFolder = DEFAULT_WORKSPACE,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Read every corpus and count the clips of each task.

    Names every problem at once; without one, shows clips, speakers, duration and classes of
    each task and split, what was left out and why. Features are computed and kept on the way.

    \b
    Example:
      synergy data check --config mine.yaml
    """
    settings = resolved_config(config, workspace)
    from synergy.executors import core_count
    from synergy.experiment import prepare
    from synergy.stages.data_check import data_check

    with Reporter() as reporter:
        found = data_check(prepare(settings, workers or core_count(), reporter.preparing))
    if as_json:
        write_json(found.to_json())
        return
    from synergy.cli.tables import data_table, rendered

    write("\n".join([rendered(*(data_table(task) for task in found.tasks)), "", *found.notes]))
