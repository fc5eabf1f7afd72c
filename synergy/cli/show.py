"""``synergy show``: what lies in a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synergy.cli.options import Options
from synergy.cli.output import document, write
from synergy.cli.pair_tables import ar_table
from synergy.cli.row_tables import score_table
from synergy.cli.tables import rendered
from synergy.wording import NOT_FINAL, duration, scaled

if TYPE_CHECKING:
    from synergy.stages.show import State


def show(options: Options) -> None:
    """Show what lies in a workspace.

    Trainings, AR table, tree, scores and model, from the files of the workspace alone.

    \b
    Example:
      synergy show --workspace runs/real
    """
    from synergy.stages.show import show as stage
    from synergy.workspace import Workspace

    state = stage(Workspace(options.workspace, create=False))
    write(document(state.to_json()) if options.json else state_text(state))


def state_text(state: State) -> str:
    """What lies in a workspace, for people."""
    trials, tree, summary = state.trials, state.tree, state.summary
    took = f", {duration(state.training_s)} of training" if state.training_s else ""
    parts = [
        f"workspace {state.folder}",
        *([f"note: {NOT_FINAL}"] if state.schedule == "quick" else []),
        f"trainings done: {trials['single']} of one task, {trials['pair']} of a pair, "
        f"{trials['larger']} of more tasks{took}",
    ]
    order: tuple[str, ...] = ()
    if not state.tables:
        parts.append("no AR table yet: synergy pairwise")
    for kind, table in state.tables.items():
        order = order or table.tasks
        parts += ["distilled pairs:"] if kind == "distilled" else []
        parts.append(rendered(ar_table(table)))
    if tree is None:
        parts.append("no tree yet: synergy synthesize")
    else:
        parts.append(tree.tree.ascii(order))
        parts.append(
            f"tree: {tree.notation}{scaled(tree.width)}, encoder parameters "
            f"{tree.encoder_params:,}, predicted AR {tree.predicted_ar_pct:.1f} % (threshold "
            f"{tree.max_ar:g} %)"
        )
    if summary is not None:
        if not state.is_tree_trained:
            parts.append("the tree is not trained yet; the scores below are of an earlier one")
        tasks = summary.tasks or tuple(summary.rows[0].mean_scores.get("valid", ()))
        parts.append(rendered(score_table(summary.rows, tasks, sizes=True)))
        parts += [f"note: {summary.shortfall}"] if summary.shortfall else []
    elif tree is not None:
        parts.append("the tree is not trained yet: synergy synthesize")
    if state.model is not None:
        earlier = "" if state.is_model_current else " (of an earlier tree)"
        parts.append(f"model: {state.folder / 'model'}{earlier}")
    return "\n\n".join(parts)
