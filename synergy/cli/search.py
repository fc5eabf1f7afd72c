"""``synergy search``: the tree of an AR table, or all of them, without training."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from synergy.cli.options import Options
from synergy.cli.output import document, say, write
from synergy.cli.pair_tables import frontier_table, stability_text, tree_text
from synergy.cli.setup import asked, configured, existing, locked, table_of
from synergy.cli.tables import rendered
from synergy.errors import ConfigError, ShortfallError

if TYPE_CHECKING:
    from synergy.records import FrontierFile
    from synergy.stages.search import Found


def search(options: Options) -> Found | FrontierFile:
    """Find the sharing tree of an AR table; no training, no recordings.

    Writes tree.json into the workspace, and tells how sure the tree is. With --table this needs no
    workspace and writes nothing; block sizes are those of --config's encoder, or of the default
    one. With --distill the table is ar_table_distilled.csv where it is there.

    Exit code 1 when no pair keeps --max-ar.

    \b
    Example:
      synergy search --max-ar 2.0
      synergy search --frontier
      synergy search --table ar_table.csv --solver exact --json
    """
    found = table_of(options)
    alone = options.table is not None
    config = None
    if alone and options.config is None:
        if options.set:
            raise ConfigError(
                "--set: expected --config beside --table, found none; a table alone has no settings"
            )
        say("note: no --config: using the block sizes of the default encoder cnn8")
    else:
        config = configured(options)
    from synergy.stages.search import all_trees, check_tasks
    from synergy.stages.search import search as stage

    if config is not None and not alone:
        check_tasks(found.table, config.tasks)
        if workspace := existing(options.workspace):
            workspace.check(config, f"search its table with --table {found.file}")
    question = asked(config, options)
    if options.frontier:
        held = None if alone else existing(options.workspace)
        return all_trees(found, question, config, held)
    with nullcontext() if alone else locked("search", options.workspace) as workspace:
        return stage(found, question, config, workspace)


def tell(found: Found | FrontierFile, options: Options) -> None:
    """Write what was found; ShortfallError if no pair keeps the threshold."""
    from synergy.records import FrontierFile

    if isinstance(found, FrontierFile):
        _write_frontier(found, options)
        return
    _write_tree(found, options)
    if found.shortfall:
        raise ShortfallError(found.shortfall)


def _write_tree(found: Found, options: Options) -> None:
    if options.json:
        write(document(found.to_json()))
        return
    table, sure = found.table, found.certainty
    tree = found.tree if table.kind else found.tree.model_copy(update={"table": ""})
    parts = [tree_text(tree, table.table.tasks), *(f"note: {note}" for note in tree.notes)]
    write("\n".join([*parts, *([] if sure is None else ["", stability_text(sure)])]))


def _write_frontier(found: FrontierFile, options: Options) -> None:
    whole = all(row.params is not None for row in found.frontier)
    if options.json:
        told = found.to_json()
        known = {"frontier": told["frontier"], "left_out": told["left_out"]}
        write(document({**known, "decoders_counted": whole}))
        return
    write(rendered(frontier_table(found)))
    if found.left_out:
        say(
            f"note: {found.left_out:,} thresholds were left out to save time; between two trees "
            "there may be others"
        )
    if not whole:
        say("note: sizes are of the encoder; with a --config that has all classes, of the network")
