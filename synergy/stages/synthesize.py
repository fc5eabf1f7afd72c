"""Stage 3: AR table -> task graph -> sharing tree -> trained network, verified and exported."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from synergy import __version__
from synergy.errors import ConfigError
from synergy.experiment import Experiment, Recipe
from synergy.measuring.bench import Bench, Planned
from synergy.records import Attempt, FrontierFile, SummaryFile
from synergy.running.session import Session
from synergy.stages.delivery import export_best
from synergy.stages.repair import Repair
from synergy.stages.search import (
    certainty,
    check_tasks,
    frontier_entries,
    nothing_shared,
    solved,
    tree_file,
)
from synergy.synthesis import Question, Synthesis
from synergy.workspace import PairTable


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

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        told, sure = self.summary.to_json(), self.summary.certainty
        kept = {key: told[key] for key in ("rows", "attempts", "certainty", "shortfall")}
        promise = sure and {"probability": sure.keeps, "max_ar": self.summary.synthesis.max_ar}
        own = {"promise": promise, "trained": self.trained, "model": str(self.model)}
        return {**told["synthesis"], **kept, **own}


def synthesize(session: Session, found: PairTable, question: Question) -> Delivery:
    """Find the tree of a table, train and measure it, repair it while it misses, and export it.

    A tree whose AR on validation exceeds the threshold is not what was asked for, whatever the
    pairs promised. Then the pair that binds its worst task may share one swept depth less, and
    the tree is solved and trained again, at most ``question.repair`` times. Chosen is the first
    tree that keeps the threshold, or the one that misses it by the least. With budgets there is
    no threshold and nothing to repair.

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
    costs = experiment.costs_at(question.width)
    # What the search refuses, it refuses before anything is trained.
    synthesis = solved(found, question, costs)
    bench = Bench(session, found.table.tasks)
    ways = recipes(experiment, question)
    repair = Repair(bench, found, question)
    tried: list[tuple[Synthesis, Attempt]] = []
    for number in range(question.repair + 1):
        if number:
            synthesis = solved(repair.found, repair.question, costs)
        title = f"the tree, repair {number}" if number else "the tree"
        plan = Planned(ways[-1][0], synthesis.tree, ways[-1][1])
        (row,) = bench.measure(title, [plan], test=False)  # it may be repaired
        keeps = question.has_budget or row.ar_pct["valid"] <= question.max_ar
        again = not keeps and number < question.repair
        lowered = repair.lower(synthesis.tree, row) if again else None
        attempt = Attempt(
            notation=synthesis.tree.notation(found.table.tasks),
            predicted_ar_pct=synthesis.predicted_ar_pct,
            params=row.params,
            ar_pct=row.ar_pct,
            mean_scores=row.mean_scores,
            keeps=keeps,
            lowered=lowered,
        )
        tried.append((synthesis, attempt))
        if lowered is None:
            break
        session.progress.note(
            f"{attempt.notation} has an AR of {row.ar_pct['valid']:.1f} % on validation, more "
            f"than {question.max_ar:g} %: {lowered[0]} and {lowered[1]} may now share at most "
            f"{lowered[2]} blocks"
        )
        repair.measure(lowered)
    synthesis, _ = min(tried, key=lambda each: (not each[1].keeps, each[1].ar_pct["valid"]))
    flat = costs.flat_of_size(synthesis.tree)
    planned = [
        Planned(f"flat{_scaled(question)}", flat, ways[0][1]),
        *(Planned(name, synthesis.tree, recipe) for name, recipe in ways),
    ]
    rows = bench.measure("the tree and the flat model", planned)
    tree = tree_file(repair.found, question, synthesis, costs)
    tree.write(workspace.tree)
    for note in synthesis.notes:
        session.progress.note(note)
    attempts = tuple(attempt for _, attempt in tried)
    missed = ""
    if not question.has_budget:
        missed = nothing_shared(repair.found.table, synthesis, question)
        missed = missed or _shortfall(attempts, question)
    summary = SummaryFile(
        synthesis=tree,
        tasks=bench.tasks,
        rows=(bench.independent(), *rows),
        attempts=attempts,
        certainty=certainty(repair.found, synthesis, costs, question.confidence),
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


def recipes(experiment: Experiment, question: Question) -> list[tuple[str, Recipe]]:
    """The ways in which the found tree is trained, by name; the last one is exported."""
    name, recipe = f"tree{_scaled(question)}", Recipe(width=question.width)
    found = [(name, recipe)]
    if question.distilled:
        name, recipe = f"{name}, distilled", replace(recipe, distilled=True)
        found.append((name, recipe))
    if question.final_epochs is not None:
        longer = experiment.config.training.model_copy(update={"epochs": question.final_epochs})
        found.append((f"{name}, {longer.epochs} epochs", replace(recipe, training=longer)))
    return found


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
    entries = frontier_entries(found.table, question, experiment.costs_at(question.width))
    unknown = [number for number in numbers if not 1 <= number <= len(entries)]
    if unknown:
        raise ConfigError(
            f"--train-frontier: expected numbers of 1 to {len(entries)}, found "
            f"{', '.join(map(str, unknown))}; see `synergy search --frontier`"
        )
    chosen = sorted(set(numbers))
    name, recipe = recipes(experiment, question)[-1]
    planned = [
        Planned(name.replace("tree", f"tree {n}", 1), entries[n - 1].tree, recipe) for n in chosen
    ]
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


def _shortfall(attempts: Sequence[Attempt], question: Question) -> str:
    """A sentence when the chosen model's AR on validation exceeds the threshold, else nothing."""
    measured = min(attempt.ar_pct["valid"] for attempt in attempts)
    if any(attempt.keeps for attempt in attempts):
        return ""
    tried = len(attempts)
    what = "the trained tree has" if tried == 1 else f"the best of {tried} trained trees has"
    ways = "" if question.distilled else "--distill, "
    return (
        f"{what} an AR of {measured:.1f} % on validation, more than the threshold of "
        f"{question.max_ar:g} %; everything was kept and written: try {ways}more --repair, more "
        "--seeds, a lower --max-ar for the pairs or --final-epochs"
    )


def _scaled(question: Question) -> str:
    """What the names of models say of their width: nothing, if it is the configured one."""
    return "" if question.width == 1.0 else f", width {question.width:g}"
