"""``synergy run``: the three stages in one go."""

from __future__ import annotations

from synergy.cli.options import Options
from synergy.cli.output import document, say, write
from synergy.cli.pairwise import pairs_text
from synergy.cli.setup import asked_of_pairs, session_of
from synergy.cli.synthesize import delivery_text
from synergy.errors import ShortfallError


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
    config, tasks, question = asked_of_pairs(options)
    with session_of("run", config, options) as session:
        from synergy.stages.pairwise import pairwise
        from synergy.stages.synthesize import synthesize

        pairs = pairwise(session, tasks, config.depths, question, options.sweep, options.budget)
        if not options.json:
            write(pairs_text(pairs) + "\n")
        found = synthesize(session, pairs.found, question)
    if options.json:
        told = {"pairwise": pairs.to_json(), "synthesize": found.to_json()}
        write(document({"workspace": str(options.workspace), **told}))
    else:
        where = _WHERE.format(table=pairs.found.file.name)
        write(f"{delivery_text(found, tasks)}\n\nIn {options.workspace}:\n{where}")
    if found.shortfall and options.max_ar is not None:
        raise ShortfallError(found.shortfall)
    if found.shortfall:
        say(f"note: {found.shortfall}")


_WHERE = """\
  config.yaml   every setting, defaults included
  {table}  accuracy reduction of every pair at every shared depth, with intervals
  tree.json     the sharing tree
  summary.json  scores, sizes and notes on the data
  model/        the trained network: model.py, weights.safetensors, spec.json, README.md
  trials/       one folder for each training"""
