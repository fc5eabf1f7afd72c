"""Stage 3: AR table -> task graph -> sharing tree -> trained network, verified and exported."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from synergy import __version__
from synergy.costs import Costs
from synergy.errors import ConfigError, ShortfallError
from synergy.experiment import Recipe
from synergy.losses.outlook import Variant
from synergy.measuring.bench import Bench, Planned
from synergy.notebooks import below_each_other
from synergy.records import FrontierFile, SummaryFile
from synergy.rows import PromiseOfTree, frame_of
from synergy.running.session import Session
from synergy.stages.delivery import export_best
from synergy.stages.rounds import Round, Rounds, recipe_of
from synergy.stages.search import (
    certainty,
    check_tasks,
    frontier_entries,
    nothing_shared,
    solved,
    tree_file,
)
from synergy.synthesis import Question, Synthesis
from synergy.wording import scaled
from synergy.workspace import PairTable

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Delivery:
    """Everything that stage 3 leaves behind: ``model`` is the folder of the exported model.

    ``trained`` counts the trainings that this command ran.
    """

    summary: SummaryFile
    model: Path
    trained: int

    @property
    def shortfall(self) -> str:
        """What the measured tree lacks, one sentence; empty when it keeps the threshold."""
        return self.summary.shortfall or ""

    def to_pandas(self) -> pandas.DataFrame:
        """A line for each row and split, see `synergy.rows.frame_of`; the last row is exported."""
        return frame_of(self.summary.rows)

    def __repr__(self) -> str:
        return f"<Delivery: {self.summary.synthesis.told()}; model in {self.model}>"

    def _repr_html_(self) -> str:
        tree = self.summary.synthesis.tree
        return below_each_other(tree._repr_html_(), self.to_pandas().to_html(index=False))

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        told = self.summary.to_json()
        own = {"trained": self.trained, "model": str(self.model)}
        kept = {key: told[key] for key in ("rows", "attempts", "certainty", "promise", "shortfall")}
        return {**told["synthesis"], **kept, **own}


def synthesize(session: Session, found: PairTable, question: Question) -> Delivery:
    """Find the tree of a table, train it and those that promise more, and export the best.

    A tree whose AR on validation exceeds the threshold is not what was asked for, whatever the
    pairs promised, and a smaller one may keep it all the same: see `synergy.stages.rounds`.

    Raises
    ------
    TableError
        If the table has tasks that the experiment does not have.
    ConfigError
        If a budget is too small, or no encoder has the width.
    ShortfallError
        If a model could not be trained with any seed.
    """
    experiment, workspace, before = session.experiment, session.workspace, session.trained
    check_tasks(found.table, experiment.tasks)
    # What the search refuses, it refuses before anything is trained.
    synthesis, width = _first(session, found, question)
    bench = Bench(session, found.table.tasks)
    rounds = Rounds(bench, found, question)
    best = rounds.run(Variant(synthesis.tree, width, question.ways[0]))
    variant, width = best.variant, best.variant.width
    costs = experiment.costs_at(width)
    if variant != rounds.tried[0].variant:
        synthesis = _later(synthesis, best, costs)
    rows = bench.measure("the tree and the flat model", _reported(rounds, best))
    tree = tree_file(found, question, synthesis, costs, width)
    if variant != rounds.tried[0].variant:  # no solver's tree
        tree = tree.model_copy(update={"recursive_params": None, "exact_params": None})
    tree.write(workspace.tree)
    for note in synthesis.notes:
        session.progress.note(note)
    missed = ""
    if not question.has_budget:
        if best is rounds.tried[0]:
            missed = nothing_shared(found.table, synthesis, question)
        missed = missed or _shortfall(rounds, question)
    summary = SummaryFile(
        synthesis=tree,
        tasks=bench.tasks,
        rows=(bench.independent(), *rows),
        attempts=rounds.attempts(),
        certainty=certainty(found, synthesis, costs, question.confidence),
        promise=_promise(rounds, best, question),
        seeds=experiment.config.all_seeds,
        notes=experiment.notes,
        shortfall=missed or None,
        versions={
            "synergy": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    )
    summary.write(workspace.summary)
    model = export_best(session, summary, bench.singles)
    return Delivery(summary, model, session.trained - before)


def _first(session: Session, found: PairTable, question: Question) -> tuple[Synthesis, float]:
    """The table's tree and its width; within a budget, the widest that fits."""
    *rest, last = question.widths if question.has_budget else question.widths[:1]
    for width in rest:
        with suppress(ConfigError, ShortfallError):
            return solved(found, question, session.experiment.costs_at(width)), width
    return solved(found, question, session.experiment.costs_at(last)), last


def _later(synthesis: Synthesis, best: Round, costs: Costs) -> Synthesis:
    """The answer when a tree of a later round is delivered; the weights stay those of the table."""
    tree = best.variant.tree
    return replace(
        synthesis,
        tree=tree,
        encoder_cost=tree.cost(costs.block_params),
        predicted_ar_pct=max(0.0, *(each.loss_pct for each in best.predicted.values())),
        provably_optimal=False,
        notes=(
            f"It is not the tree of the table ({synthesis.tree.notation()}) but one that was "
            f"trained after it: {best.why}.",
        ),
    )


def _reported(rounds: Rounds, best: Round) -> list[Planned]:
    """What the tables show beside the independent models; the last one is exported.

    A distilled tree has single-task students beside it that see all corpora as well.
    """
    experiment, variant = rounds.experiment, best.variant
    tree, width = variant.tree, scaled(variant.width)
    flat = experiment.costs_at(variant.width).flat_of_size(tree)
    plain = Recipe(width=variant.width)
    name, recipe = f"tree{width}", plain
    planned = [Planned(f"flat{width}", flat, plain), Planned(name, tree, plain)]
    if variant.distilled:
        nothing_shared = experiment.flat(tree.tasks, 0)
        control = Planned("null control, distilled", nothing_shared, Recipe(distilled=True))
        planned.insert(0, control)
        name, recipe = f"{name}, distilled", replace(plain, distilled=True)
        planned.append(Planned(name, tree, recipe))
    longer = rounds.recipe(variant)
    if best.fresh is not None:
        epochs = "" if longer.training is None else f", {longer.training.epochs} epochs"
        fresh = f"{name}{epochs}, fresh seeds"
        planned.insert(-1, Planned(fresh, tree, longer, experiment.config.fresh_seeds))
    if longer.training is not None:
        planned.append(Planned(f"{name}, {longer.training.epochs} epochs", tree, longer))
    return planned


def train_frontier(
    session: Session, found: PairTable, question: Question, numbers: Sequence[int]
) -> FrontierFile:
    """Train the numbered trees of the frontier and write ``frontier.json``.

    Raises
    ------
    ConfigError
        If the frontier has no tree of a number.
    TableError, ShortfallError
        As `synthesize`.
    """
    experiment, before = session.experiment, session.trained
    check_tasks(found.table, experiment.tasks)
    width, distilled = question.widths[0], question.ways[0]
    entries = frontier_entries(found.table, question, experiment.costs_at(width))
    unknown = [number for number in numbers if not 1 <= number <= len(entries)]
    if unknown:
        raise ConfigError(
            f"--train-frontier: expected numbers of 1 to {len(entries)}, found "
            f"{', '.join(map(str, unknown))}; see `synergy search --frontier`"
        )
    chosen = sorted(set(numbers))
    recipe = recipe_of(experiment, question, width, distilled)
    name = f"{scaled(width)}{', distilled' if distilled else ''}"
    name += f", {question.final_epochs} epochs" if question.final_epochs is not None else ""
    planned = [Planned(f"tree {n}{name}", entries[n - 1].tree, recipe) for n in chosen]
    rows = Bench(session, found.table.tasks).measure("trees of the frontier", planned)
    measured = dict(zip(chosen, rows, strict=True))
    told = FrontierFile(
        frontier=tuple(
            entry.model_copy(update={"measured": measured.get(entry.number)}) for entry in entries
        ),
        trained=session.trained - before,
    )
    told.write(session.workspace.frontier)
    return told


def _promise(rounds: Rounds, best: Round, question: Question) -> PromiseOfTree | None:
    if question.has_budget:
        return None
    told = PromiseOfTree(probability=rounds.probability(best.variant), max_ar=question.max_ar)
    fresh = best.fresh
    if fresh is None:
        return told
    numbers = {key: getattr(fresh, key).get("valid") for key in ("ar_pct", "ar_low", "ar_high")}
    keeps = fresh.ar_pct["valid"] <= question.max_ar
    return told.model_copy(update={"confirmed": keeps, **numbers})


def _shortfall(rounds: Rounds, question: Question) -> str:
    """A sentence when no tree keeps the threshold, else nothing."""
    tried = rounds.tried
    if any(map(rounds.keeps, tried)):
        return ""
    measured = min(each.ar_pct for each in tried)
    what = "the trained tree has"
    if len(tried) > 1:
        what = f"the best of {len(tried)} trained trees has"
    ways = "" if question.distill == "yes" else "--distill, "
    asked = f"more than the threshold of {question.max_ar:g} %"
    if question.confidence is not None:
        chance = max(rounds.probability(each.variant) for each in tried)
        asked = (
            f"and none keeps {question.max_ar:g} % with a probability of "
            f"{100 * question.confidence:g} %: {100 * chance:.0f} % is the most"
        )
    return (
        f"{what} an AR of {measured:.1f} % on validation, {asked}; everything was kept and "
        f"written: try {ways}more --rounds, more --seeds, a lower --max-ar for the pairs or "
        "--final-epochs"
    )
