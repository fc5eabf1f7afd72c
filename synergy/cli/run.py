"""``synergy run``: the three stages in one go."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from synergy.cli.options import Options
from synergy.cli.output import document, say, write
from synergy.cli.pairwise import pairs_text
from synergy.cli.setup import asked_of_pairs, session_of
from synergy.cli.synthesize import delivery_text
from synergy.errors import ShortfallError

if TYPE_CHECKING:
    from synergy.stages.pairwise import Pairs
    from synergy.stages.run import Run


def run(options: Options) -> None:
    """All three stages: baseline, pairwise and synthesize.

    With --distill the pairs and the tree learn from the single-task models as well.

    Exit code 1 when --max-ar is given and the AR of the trained tree, measured on validation,
    exceeds it; where the threshold comes from the configuration, that is a note and the exit
    code is 0. Everything is written in either case.

    \b
    Example:
      synergy run
      synergy run --config examples/real_speech.yaml --workspace runs/real --max-ar 5
    """
    found = all_stages(options, _tell_of_pairs if not options.json else None)
    missed = found.delivery.shortfall
    if options.json:
        write(document(found.to_json()))
    else:
        where = _WHERE.format(table=found.pairs.found.file.name)
        write(f"{delivery_text(found.delivery)}\n\nIn {options.workspace}:\n{where}")
    if missed and options.max_ar is not None:
        raise ShortfallError(missed)
    if missed:
        say(f"note: {missed}")


def all_stages(options: Options, paired: Callable[[Pairs], None] | None = None) -> Run:
    """What `synergy.stages.run` finds with these options."""
    config, tasks, question = asked_of_pairs(options)
    with session_of("run", config, options) as session:
        from synergy.stages.run import run as stage

        return stage(session, tasks, question, options.sweep, options.budget, paired)


def _tell_of_pairs(pairs: Pairs) -> None:
    write(pairs_text(pairs) + "\n")


_WHERE = """\
  config.yaml   every setting, defaults included
  {table}  accuracy reduction of every pair at every shared depth, with intervals
  tree.json     the sharing tree
  summary.json  scores, sizes and notes on the data
  model/        the trained network: model.py, weights.safetensors, spec.json, README.md
  trials/       one folder for each training"""
