"""``synergy compare``: the synthesised tree against the field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synergy.cli.options import Options
from synergy.cli.output import document, write
from synergy.cli.row_tables import cost_table, difference_table, score_table
from synergy.cli.setup import configured, session_of, table_of
from synergy.cli.tables import rendered
from synergy.wording import REPORTED

if TYPE_CHECKING:
    from synergy.records import ComparisonsFile
    from synergy.stages.compare import Compared

NOTES = (
    "AR is taken of scores averaged over the seeds, with its 95 % bootstrap interval over seeds "
    "and speakers. Decisions rest on validation alone; test is only reported.",
    "Differences of AR are resampled in pairs, with the same seeds and speakers for both models. "
    "Intervals over a few seeds are too narrow, and on validation the tree was chosen on the same "
    "clips: read them as a description, not as a test.",
    "Distilled models learn from the single-task models, too. What that gives without any sharing "
    "is the null control, distilled: single-task students that see the clips of all corpora, as a "
    "distilled tree does.",
    "Trainings counts every different training, of all seeds, that a line needs from nothing: the "
    "model's own and those that lead to its choice. Lines share many of them; time is that of the "
    "trainings one after the other.",
    "Masks save no MACs on dense hardware, and storing them costs one bit for each weight that "
    "they cover, see the column with masks.",
)


def compare(options: Options) -> Compared:
    """Train and measure what the paper and the field compare with.

    Needs the AR table of `synergy pairwise`. All methods get the same data, steps, seeds and
    encoder (those that prune start from a wider one), and every model of all tasks is trained
    without and with distillation. Those that choose a size get at most the parameters of the tree
    that the recursion finds at --max-ar. A method that cannot be trained becomes a line with its
    reason. Writes comparisons.json into the workspace, beside what earlier commands measured on the
    same terms.

    \b
    Example:
      synergy compare
      synergy compare --methods flat,treemtl,recursive
    """
    from synergy.stages.compare import check_methods
    from synergy.stages.compare import compare as stage

    methods = options.methods
    names = [] if methods is None else [name.strip() for name in methods.split(",")]
    chosen = tuple(check_methods(names))
    table_of(options)  # a table that is not there is told before data is prepared
    config = configured(options)
    with session_of("compare", config, options) as session:
        return stage(session, table_of(options), chosen)


def tell(found: Compared, options: Options) -> None:
    """Write what was found."""
    write(document(found.to_json()) if options.json else compared_text(found.file))


def compared_text(found: ComparisonsFile) -> str:
    """Scores and costs as tables; below them what each line is, and what went wrong."""
    measured = [row for row in found.rows if not row.error]
    differences = difference_table(measured)
    tables = [
        score_table(measured, found.tasks, intervals=True),
        *([] if differences is None else [differences]),
        cost_table(measured),
    ]
    about = [f"{row.name}: {row.note}" for row in measured if row.note]
    failed = [f"failed: {row.name}: {row.error}" for row in found.rows if row.error]
    budget = (
        f"Budget: the {found.max_params:,} parameters of {found.tree}, the "
        f"recursion's tree at a threshold of {found.max_ar:g} %."
    )
    by_chance = [
        around.told(split) for split in REPORTED if (around := (found.chance or {}).get(split))
    ]
    parts = [
        *([rendered(*tables)] if measured else []),
        "\n".join([budget, *by_chance, *about]),
        *(["\n".join(failed)] if failed else []),
        "\n".join(f"note: {note}" for note in NOTES),
    ]
    return "\n\n".join(parts)
