"""``synergy show``: what lies in a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synergy.cli.options import DEFAULT_WORKSPACE, AsJson, WorkspaceFolder
from synergy.cli.output import write, write_json

if TYPE_CHECKING:
    from synergy.stages.show import State


def show(workspace: WorkspaceFolder = DEFAULT_WORKSPACE, as_json: AsJson = False) -> None:
    """Show what lies in a workspace.

    Trainings, AR table, tree, scores and model, from the files of the workspace alone.

    \b
    Example:
      synergy show --workspace runs/real
    """
    from synergy.stages.show import show as stage
    from synergy.workspace import Workspace

    state = stage(Workspace(workspace, create=False))
    if as_json:
        write_json(state.to_json())
    else:
        write(_text(state))


def _text(state: State) -> str:
    from synergy.cli.ar_tables import ar_table
    from synergy.cli.tables import rendered, summary_table
    from synergy.tree import SharingTree
    from synergy.wording import duration

    trials = state.trials
    took = f", {duration(state.training_s)} of training" if state.training_s else ""
    parts = [
        f"workspace {state.folder}",
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
    if state.tree is None:
        parts.append("no tree yet: synergy synthesize")
    else:
        parts.append(SharingTree.from_json(state.tree["tree"]).ascii(order))
        parts.append(
            f"tree: {state.tree['notation']}, encoder parameters "
            f"{state.tree['encoder_params']:,}, predicted AR "
            f"{state.tree['predicted_ar_pct']:.1f} % (threshold {state.tree['max_ar']:g} %)"
        )
    if state.summary is not None:
        if not state.is_tree_trained:
            parts.append("the tree is not trained yet; the scores below are of an earlier one")
        parts.append(rendered(summary_table(state.summary)))
        if state.summary.get("shortfall"):
            parts.append(f"note: {state.summary['shortfall']}")
    elif state.tree is not None:
        parts.append("the tree is not trained yet: synergy synthesize")
    if state.model is not None:
        earlier = "" if state.is_model_current else " (of an earlier tree)"
        parts.append(f"model: {state.folder / 'model'}{earlier}")
    return "\n\n".join(parts)
