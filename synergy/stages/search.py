"""From an AR table to its tree, or to the trees of all thresholds: no training, no recordings."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import numpy as np

from synergy.certainty import Certainty, PairShares, RepeatCell, TreeShare
from synergy.config import RunConfig
from synergy.costs import Costs
from synergy.errors import ConfigError, TableError
from synergy.experiment import settings_costs
from synergy.losses.choice import choose
from synergy.losses.pair_losses import PairLosses
from synergy.losses.promise import Promise
from synergy.measuring.bootstrap import LEVEL
from synergy.notebooks import below_each_other
from synergy.records import FrontierEntry, FrontierFile, PairBlocks, TreeFile
from synergy.synthesis import ARTable, Question, Synthesis, frontier
from synergy.synthesis import search as solve
from synergy.synthesis.frontier import every_threshold, thresholds
from synergy.synthesis.resampling import TableSamples
from synergy.synthesis.stability import stability
from synergy.tasks import TaskSpec
from synergy.wording import short_list
from synergy.workspace import PairTable, Workspace


@dataclass(frozen=True)
class Found:
    """The tree of a table; see `certainty` and `nothing_shared` for the last two."""

    tree: TreeFile
    table: PairTable
    certainty: Certainty | None
    shortfall: str

    def to_json(self) -> dict[str, Any]:
        """The tree and how sure it is, as JSON values."""
        told, sure = self.tree.to_json(), self.certainty
        if self.table.kind or sure:
            told["certainty"] = sure and sure.model_dump(mode="json")
        return told

    def __repr__(self) -> str:
        return f"<Found: {self.tree.told()}>"

    def _repr_html_(self) -> str:
        return below_each_other(self.tree.tree._repr_html_(), f"<p>{escape(self.tree.told())}</p>")


def search(
    found: PairTable,
    question: Question,
    config: RunConfig | None = None,
    workspace: Workspace | None = None,
) -> Found:
    """Find the tree of a table.

    Parameters
    ----------
    found, question
    config : RunConfig, optional
        Has the encoder and the classes of the tasks; the default encoder without it.
    workspace : Workspace, optional
        Where ``tree.json`` is written, and the classes of tasks are known from trainings.

    Raises
    ------
    TableError, ConfigError, ShortfallError
        As `synergy.synthesis.search`; also for a budget while decoders are not known.
    """
    table = found.table
    costs = _costs(found, question, config, workspace)
    if question.has_budget and not costs.knows(table.tasks):
        raise ConfigError(
            "a budget is for the whole network, and the sizes of the decoders are not known: name "
            "a configuration that spells out the classes of all tasks with --config"
        )
    synthesis = solved(found, question, costs)
    tree = tree_file(found, question, synthesis, costs, question.widths[0])
    if workspace is not None:
        tree.write(workspace.tree)
    missed = "" if question.has_budget else nothing_shared(table, synthesis, question)
    return Found(tree, found, certainty(found, synthesis, costs, question.confidence), missed)


def all_trees(
    found: PairTable,
    question: Question,
    config: RunConfig | None = None,
    workspace: Workspace | None = None,
) -> FrontierFile:
    """The trees of all thresholds, or of as many as can be searched for in some minutes.

    Their sizes are without decoders where these are not known.
    """
    costs = _costs(found, question, config, workspace)
    searched = thresholds(question, found.table)
    return FrontierFile(
        frontier=frontier_entries(found.table, question, costs),
        left_out=len(every_threshold(found.table)) - len(searched),
    )


def frontier_entries(table: ARTable, question: Question, costs: Costs) -> tuple[FrontierEntry, ...]:
    """Every distinct tree of a table over all thresholds."""
    whole = costs.knows(table.tasks)
    entries: list[FrontierEntry] = []
    for step in frontier(question, table, costs):
        tree = step.synthesis.tree
        params, macs = costs.params(tree), costs.macs(tree)
        entries.append(
            FrontierEntry(
                number=step.number,
                max_ar_from=step.low,
                max_ar_to=step.high,
                tree=tree,
                notation=tree.notation(table.tasks),
                params=params if whole else None,
                macs=macs if whole else None,
                encoder_params=None if whole else params,
                encoder_macs=None if whole else macs,
                predicted_ar_pct=step.synthesis.predicted_ar_pct,
                provably_optimal=step.synthesis.provably_optimal,
            )
        )
    return tuple(entries)


def tree_file(
    found: PairTable, question: Question, synthesis: Synthesis, costs: Costs, width: float
) -> TreeFile:
    """``tree.json`` of what was found; the costs are those of the width."""
    tree, tasks, exact = synthesis.tree, found.table.tasks, synthesis.exact_cost
    return TreeFile(
        tree=tree,
        notation=tree.notation(tasks),
        encoder_params=round(synthesis.encoder_cost),
        predicted_ar_pct=synthesis.predicted_ar_pct,
        max_ar=synthesis.max_ar,
        params=costs.params(tree) if costs.knows(tasks) else None,
        solver=synthesis.solver,
        strict=synthesis.strict,
        confidence=question.confidence,
        recursive_params=round(synthesis.recursive_cost),
        exact_params=None if exact is None else round(exact),
        provably_optimal=synthesis.provably_optimal,
        weights=tuple(PairBlocks(task_a=a, task_b=b, blocks=w) for a, b, w in synthesis.weights),
        notes=synthesis.notes,
        table=str(found.file),
        table_kind=found.kind,
        width=width,
    )


def certainty(
    found: PairTable, synthesis: Synthesis, costs: Costs, confidence: float | None = None
) -> Certainty | None:
    """Stability of a tree, from the samples that belong to its table's present state.

    Of one that was chosen for a ``confidence`` its probability alone.
    """
    samples = found.samples
    if samples is None or not _belong(samples, found.table):
        return None
    # under a budget, what the budget came to
    asked = Question(max_ar=synthesis.max_ar, solver=synthesis.solver, strict=synthesis.strict)
    tree, known = synthesis.tree, dict(zip(found.table.cells, samples.ar[0], strict=True))
    shared = (cell for cell in known if tree.shared_depth(*cell.key[:2]) == cell.shared_depth)
    keeps = None
    if not any(np.isnan(known[cell]) for cell in shared):
        keeps = promise(samples, asked).probability(tree)
    if confidence is not None:  # of the trees of tables themselves it is none
        told = {"tree_share": None, "skipped": 0, "trees": (), "pairs": (), "repeat": ()}
        return Certainty(samples=len(samples.ar), keeps=keeps, **told)
    stable = stability(asked, samples, costs)
    trees = dict(stable.trees)
    repeat = [(*cell.key, cell.seeds, cell.passes, cell.decides) for cell in stable.repeat]
    return Certainty(
        samples=stable.samples,
        tree_share=trees.get(synthesis.tree.notation(found.table.tasks), 0.0),
        skipped=stable.skipped,
        trees=tuple(TreeShare(notation=n, share=share) for n, share in trees.items()),
        pairs=tuple(
            PairShares(
                task_a=a,
                task_b=b,
                weight=weight,
                admissible={str(d): p for d, p in stable.admissible[a, b].items()},
                at_least={str(d): p for d, p in stable.at_least[a, b].items()},
            )
            for a, b, weight in synthesis.weights
        ),
        repeat=tuple(
            RepeatCell(task_a=a, task_b=b, shared_depth=d, seeds=n, passes=passes, decides=decides)
            for a, b, d, n, passes, decides in repeat
        ),
        keeps=keeps,
    )


def _belong(samples: TableSamples, table: ARTable) -> bool:
    """Whether the intervals of a table are those of the samples."""
    both = zip(samples.with_intervals(LEVEL).cells, table.cells, strict=True)
    return all(cell.ar_low is None or cell == sampled for sampled, cell in both)


def promise(samples: TableSamples, question: Question) -> Promise:
    """The probability of trees, from the samples of a table."""
    table = samples.table
    unknown = np.isnan(samples.ar[0])
    failed = {cell.key for cell, no in zip(table.cells, unknown, strict=True) if no}
    losses = PairLosses.of_cells(
        table.tasks, table.depths, np.nan_to_num(samples.ar), [1.0] * len(table.tasks), failed
    )
    return Promise(losses, question.max_ar)


def solved(found: PairTable, question: Question, costs: Costs) -> Synthesis:
    """The tree of a table, or with a ``confidence`` the smallest that is probable enough.

    Raises
    ------
    TableError
        If the table has no samples that tell how probable a tree is.
    """
    synthesis = solve(question, found.table, costs)
    if question.confidence is None:
        return synthesis
    if found.samples is None or not _belong(found.samples, found.table):
        raise TableError(
            f"{found.file}: expected the samples that `synergy pairwise` writes beside a table, "
            "found none that belong to it; leave --confidence out or run it again"
        )
    choice = choose(promise(found.samples, question), costs, question.confidence)
    tree, table = choice.chosen.tree, found.table
    sampled = dict(zip((c.key for c in table.cells), found.samples.ar.mean(axis=0), strict=True))
    shared = [(*pair, tree.shared_depth(*pair)) for pair in table.pairs()]
    used = [(table.cell(*key).ar_pct, sampled[key]) for key in shared if key[2]]
    notes = [
        f"It is the smallest tree found that keeps {question.max_ar:g} % with a probability of "
        f"{100 * question.confidence:g} %: its own is {100 * choice.chosen.probability:.0f} %."
    ]
    notes += [
        f"The smaller {other.tree.notation(table.tasks)} keeps it with one of "
        f"{100 * other.probability:.0f} %."
        for other in choice.smaller[:2]
    ]
    return replace(
        synthesis,
        tree=tree,
        encoder_cost=choice.chosen.cost,
        # of a cell without training, what follows from the others
        predicted_ar_pct=max((float(m) if ar is None else ar for ar, m in used), default=0.0),
        weights=tuple(shared),
        provably_optimal=False,
        notes=(*notes, *(note for note in synthesis.notes if note.startswith("The training of"))),
    )


def nothing_shared(table: ARTable, synthesis: Synthesis, question: Question) -> str:
    """A sentence when no pair passes the threshold at any depth, else nothing.

    With a confidence, when the tree shares nothing.
    """
    if question.confidence is not None:
        if any(blocks for _, _, blocks in synthesis.weights):
            return ""
        return (
            f"no tree that shares anything keeps {synthesis.max_ar:g} % with a probability of "
            f"{100 * question.confidence:g} %, so nothing is saved; raise --max-ar, lower "
            "--confidence, or train more with --sweep adaptive and a larger --budget"
        )
    if any(cell.passes(synthesis.max_ar) for cell in table.cells):
        return ""
    measured = [cell for cell in table.cells if cell.ar_pct is not None]
    if not measured:
        return "no cell of the AR table was measured, so nothing can be shared"
    best = min(measured, key=lambda cell: cell.ar_pct or 0.0)
    return (
        f"no pair keeps an AR of {synthesis.max_ar:g} % at any depth, so nothing is shared and "
        f"nothing saved: the lowest AR of the table is {best.ar_pct:.2f} % ({best.label}); raise "
        "--max-ar, or try --distill or more --seeds"
    )


def check_tasks(table: ARTable, known: Collection[str]) -> None:
    """Refuse a table that has tasks which are not ``known``, with a TableError."""
    if unknown := [task for task in table.tasks if task not in known]:
        raise TableError(
            f"the AR table has the tasks {short_list(unknown)}, which the configuration with the "
            f"tasks {short_list(known)} lacks; use the configuration that the table was made "
            "with, name it with --config, or find the tree only with `synergy search --table`"
        )


def _costs(
    found: PairTable, question: Question, config: RunConfig | None, workspace: Workspace | None
) -> Costs:
    specs: dict[str, TaskSpec] = {}
    if workspace is not None:
        store, named = workspace.trials, found.table.trials
        for digest in store.done():
            if digest in named or not named:  # tables of before name none
                specs |= {task.name: task.spec for task in store.trial(digest).tasks}
    return settings_costs(config, found.table.tasks, question.widths[0], specs)
