"""``synergy synthesize``: stage 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synergy.cli.options import Options, parse_numbers
from synergy.cli.output import document, say, write
from synergy.cli.pair_tables import frontier_table, stability_text, tree_text
from synergy.cli.row_tables import (
    attempts_table,
    interval_table,
    predicted_table,
    score_table,
    size_table,
)
from synergy.cli.search import search as find_tree
from synergy.cli.search import tell as tell_of_tree
from synergy.cli.setup import asked, configured, session_of, table_of
from synergy.cli.tables import rendered
from synergy.errors import ShortfallError
from synergy.wording import NOT_FINAL

if TYPE_CHECKING:
    from synergy.records import FrontierFile
    from synergy.rows import PromiseOfTree
    from synergy.stages.search import Found
    from synergy.stages.synthesize import Delivery


def synthesize(options: Options) -> Delivery | Found | FrontierFile:
    """Stage 3: find the sharing tree, train it, verify it and export it.

    The tree follows from the AR table: with --distill from ar_table_distilled.csv where it is
    there. It is compared with independent models and with a flat model of at least its size, all
    under the same budget. After it, other trees that promise to be smaller, or to keep --max-ar
    where it does not, are trained, see --rounds, and the best one again with fresh seeds. Writes
    tree.json, summary.json and model/ into the workspace. `synergy search` finds the tree alone;
    --no-train and --frontier are its old spellings and go with 1.0.

    Exit code 1 when no tree keeps --max-ar; the nearest miss is written all the same.

    \b
    Example:
      synergy synthesize --max-ar 2.0 --distill
      synergy synthesize --max-params 52600
      synergy synthesize --max-ar 2.0 --confidence 0.9 --width auto --distill auto --rounds 8
      synergy synthesize --train-frontier 9 --distill --width 0.75
    """
    if options.no_train or options.frontier:
        old, new = ("--frontier", " --frontier") if options.frontier else ("--no-train", "")
        say(
            f"note: `synergy synthesize {old}` is `synergy search{new}` now; the old spelling goes "
            "with 1.0"
        )
        return find_tree(options)
    numbers = parse_numbers("--train-frontier", options.train_frontier)
    known = table_of(options)
    config = configured(options)
    from synergy.stages.search import check_tasks

    check_tasks(known.table, config.tasks)
    question = asked(config, options)
    with session_of("synthesize", config, options) as session:
        known = table_of(options)  # --replace may have put the earlier one aside
        if numbers is not None:
            from synergy.stages.synthesize import train_frontier as train_chosen

            return train_chosen(session, known, question, numbers)
        from synergy.stages.synthesize import synthesize as stage

        return stage(session, known, question)


def tell(found: Delivery | Found | FrontierFile, options: Options) -> None:
    """Write what was found; ShortfallError if the tree misses the threshold."""
    from synergy.records import FrontierFile
    from synergy.stages.synthesize import Delivery

    if isinstance(found, Delivery):
        write(document(found.to_json()) if options.json else delivery_text(found))
    elif isinstance(found, FrontierFile) and not options.frontier:
        table = rendered(frontier_table(found))
        write(document(found.to_json()) if options.json else table)
        return
    else:
        tell_of_tree(found, options)
        return
    if found.shortfall:
        raise ShortfallError(found.shortfall)


def delivery_text(found: Delivery) -> str:
    """What stage 3 found, trained and wrote, for people."""
    summary, tasks = found.summary, found.summary.tasks
    rows, attempts, sure = summary.rows, summary.attempts, summary.certainty
    tables = [score_table(rows, tasks), interval_table(rows[1:]), size_table(rows)]
    if len(attempts) > 1:
        tables[:0] = [attempts_table(attempts), predicted_table(attempts, tasks)]
    parts = [tree_text(summary.synthesis, tasks), *([stability_text(sure)] if sure else [])]
    parts += [promise_text(summary.promise)] if summary.promise else []
    told = [f"note: {NOT_FINAL}"] if NOT_FINAL in summary.notes else []
    return "\n\n".join([*parts, rendered(*tables), *told, f"model: {found.model}"])


def promise_text(told: PromiseOfTree) -> str:
    """What is promised of the tree, a sentence."""
    chance = f"{100 * told.probability:.0f} %" if told.probability is not None else "unknown"
    said = f"promise: no task loses more than {told.max_ar:g} % with a probability of {chance}"
    if told.ar_pct is None:
        return f"{said}; not tried with fresh seeds"
    bounds = "" if told.ar_low is None else f" [{told.ar_low:.1f}, {told.ar_high:.1f}]"
    held = "keep" if told.confirmed else "do not keep"
    return f"{said}; fresh seeds {held} it: AR {told.ar_pct:.1f} %{bounds} on validation"
