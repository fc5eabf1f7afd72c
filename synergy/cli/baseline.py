"""``synergy baseline``: stage 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synergy.cli.options import Options
from synergy.cli.output import document, write
from synergy.cli.row_tables import baseline_table
from synergy.cli.setup import configured, session_of
from synergy.cli.tables import rendered

if TYPE_CHECKING:
    from synergy.stages.baseline import Baselines


def baseline(options: Options) -> Baselines:
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

        return stage(session, tasks)


def tell(found: Baselines, options: Options) -> None:
    """Write what was found."""
    write(document(found.to_json()) if options.json else rendered(baseline_table(found.rows)))
