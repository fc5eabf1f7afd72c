"""``synergy baseline``: stage 1."""

from __future__ import annotations

from synergy.cli.options import Data, Output, Training
from synergy.cli.output import document, write
from synergy.cli.row_tables import baseline_table
from synergy.cli.setup import configured, session_of
from synergy.cli.tables import rendered


def baseline(data: Data, training: Training, output: Output) -> None:
    """Stage 1: train a model for each task alone.

    Their scores are what every shared model is compared with.

    \b
    Example:
      synergy baseline --tasks gc,ac --seeds 3
    """
    config = configured(data, training=training)
    tasks = data.tasks_of(config)
    with session_of("baseline", config, data, training) as session:
        from synergy.stages.baseline import baseline as stage

        found = stage(session, tasks)
    write(document(found.to_json()) if output.as_json else rendered(baseline_table(found.rows)))
