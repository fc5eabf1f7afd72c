"""``synergy pairwise``: stage 2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synergy.cli.options import Options
from synergy.cli.output import document, write
from synergy.cli.pair_tables import ar_table, cell_notes, loss_table
from synergy.cli.row_tables import baseline_table
from synergy.cli.setup import asked_of_pairs, session_of
from synergy.cli.tables import rendered

if TYPE_CHECKING:
    from synergy.stages.pairwise import Pairs


def pairwise(options: Options) -> Pairs:
    """Stage 2: train pairs of tasks with shared blocks, into the AR table.

    Single-task models that are missing are trained first. AR, the accuracy reduction, is the
    largest relative loss of one of the two tasks against its single-task model, in percent; its
    95 % interval comes from a model that pools the losses of all pairs and seeds. The null control,
    all tasks trained together with nothing shared, says which AR comes by itself. A sweep other
    than full trains only what the tree at --max-ar needs. Writes ar_table.csv, ar_scores.csv (the
    score of every task and seed), ar_losses.csv (signed losses, estimated), ar_samples.csv (tables
    as they may truly be) and null.json; with --distill their names end in _distilled.

    \b
    Example:
      synergy pairwise --tasks gc,ac,scr,vad --depths 4-8 --seeds 3
      synergy pairwise --sweep adaptive --max-ar 2.0 --budget 40
    """
    config, tasks, question = asked_of_pairs(options)
    with session_of("pairwise", config, options) as session:
        from synergy.stages.pairwise import pairwise as stage

        terms = (options.sweep, options.budget, options.with_test)
        return stage(session, tasks, config.depths, question, *terms)


def tell(found: Pairs, options: Options) -> None:
    """Write what was found."""
    write(document(found.to_json()) if options.json else pairs_text(found))


def pairs_text(found: Pairs) -> str:
    """Tables of the single-task models and of the pairs; below them why cells are missing."""
    table = found.found.table
    notes = cell_notes(table)
    notes += [f"note: {text}" for text in found.notes]
    parts = [baseline_table(found.baselines.rows), ar_table(table)]
    tables = rendered(*parts, *([loss_table(found.losses, table)] if found.losses else []))
    return "\n".join([tables, *([""] if notes else []), *notes])
