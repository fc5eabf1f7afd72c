"""``synergy baseline``: stage 1."""

from __future__ import annotations

from synergy.cli.options import Options
from synergy.cli.output import document, write
from synergy.cli.row_tables import baseline_table
from synergy.cli.setup import configured, session_of
from synergy.cli.tables import rendered


def baseline(options: Options) -> None:
    """Stage 1: train a model for each task alone.

    Their scores are what every shared model is compared with.

    \b
    Example:
      synergy baseline --tasks gc,ac --seeds 3
    """
    config = configured(options)
    tasks = options.tasks_of(config)
    with session_of("baseline", config, options) as session:
        from synergy.stages.baseline import baseline as stage

        found = stage(session, tasks)
    write(document(found.to_json()) if options.json else rendered(baseline_table(found.rows)))
