"""One table against the field: every comparison trained and measured on the same terms."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from synergy.comparisons import COMPARISONS, Contender
from synergy.errors import ConfigError, SynergyError
from synergy.experiment import Recipe
from synergy.files import write_json_atomically
from synergy.seeding import digest
from synergy.stages.baseline import Baselines, baseline
from synergy.stages.chance import chance
from synergy.stages.compared import (
    NOTHING,
    TAUGHT,
    TREE,
    Compared,
    ComparedRow,
    Difference,
    Measured,
)
from synergy.stages.field import SessionField
from synergy.stages.outcome import Outcome, outcome_of
from synergy.stages.resampling import Resampler
from synergy.stages.sweep import Session, Swept, sweep, trials_of
from synergy.synthesis.ar_table import ARTable, accuracy_reduction
from synergy.tree import SharingTree
from synergy.wording import REPORTED, did_you_mean


def check_methods(methods: Sequence[str]) -> tuple[str, ...]:
    """The chosen comparisons in the order of ``COMPARISONS``; all of them for no choice.

    Raises
    ------
    ConfigError
        If a name is unknown; names all of these.
    """
    unknown = [name for name in methods if name not in COMPARISONS]
    if unknown:
        found = "; ".join(f"found {n!r}{did_you_mean(n, COMPARISONS)}" for n in unknown)
        raise ConfigError(f"expected comparisons among {', '.join(COMPARISONS)}, {found}")
    return tuple(name for name in COMPARISONS if not methods or name in methods)


def compare(
    session: Session, table: ARTable, tree: SharingTree, methods: Sequence[str] = ()
) -> Compared:
    """Let every method name its contenders, train and measure them; writes comparisons.json.

    A training that several contenders have in common runs once. A method or a contender that
    fails becomes a row with its reason.

    Parameters
    ----------
    session : Session
    table : ARTable
        Of tasks that the experiment has.
    tree : SharingTree
        The synthesised tree, whose parameters are the budget.
    methods : sequence of str
        Keys in ``COMPARISONS``; all of them when empty.

    Raises
    ------
    ConfigError
        If a method is unknown.
    ShortfallError
        If a task has no single-task model.
    """
    chosen = check_methods(methods)
    experiment = session.experiment
    tasks = tuple(task for task in experiment.tasks if task in table.tasks)
    baselines = baseline(session, tasks)
    prepared = SessionField(session, baselines, table, tree)
    entered: list[tuple[str, Contender | SynergyError]] = []
    for name in chosen:
        try:
            found = COMPARISONS[name].contenders(prepared.field)
        except SynergyError as error:
            session.progress.note(f"{name}: {error}")
            entered.append((name, error))
        else:
            entered.extend((name, contender) for contender in found)
    trials = [
        trial
        for _, contender in entered
        if isinstance(contender, Contender)
        for of_seed in contender.trials
        for trial in of_seed
    ]
    swept = sweep(session, "comparisons", trials)
    judge = _Judge(session, baselines, swept, tasks, tree)
    compared = Compared(
        tasks=tasks,
        tree=tree,
        max_params=prepared.field.max_params,
        max_ar=experiment.config.max_ar,
        seeds=experiment.config.all_seeds,
        terms=_terms(session, table, tree),
        chance=chance(experiment, session.workspace.trials, tasks),
        rows=tuple(judge.row(method, entry) for method, entry in entered),
        trained=baselines.trained + prepared.trained + swept.trained,
    )
    write_json_atomically(session.workspace.comparisons, _with_earlier(session, compared, chosen))
    return compared


def _terms(session: Session, table: ARTable, tree: SharingTree) -> str:
    experiment = session.experiment
    # its teachers stand for the single-task models
    trial = experiment.trial(tree, experiment.config.seed, Recipe(distilled=True))
    return digest([trial.to_json(), [asdict(cell) for cell in table.cells]])


def _with_earlier(session: Session, compared: Compared, chosen: Sequence[str]) -> dict[str, Any]:
    """What comparisons.json holds now: also lines of other methods, from earlier commands.

    They stay only when they were measured on the same terms.
    """
    told = compared.to_json()
    try:
        earlier = json.loads(session.workspace.comparisons.read_text(encoding="utf-8"))
        terms = [key for key in told if key not in ("rows", "chance")]
        if any(earlier[key] != told[key] for key in terms):
            return told
        kept = [row for row in earlier["rows"] if row["method"] not in chosen]
    except (OSError, ValueError, KeyError, TypeError):
        return told  # there is none, or it is damaged and written anew
    order = {name: place for place, name in enumerate(COMPARISONS)}
    rows = [*told["rows"], *kept]
    return {**told, "rows": sorted(rows, key=lambda row: order.get(row["method"], len(order)))}


class _Judge:
    """Holds trained contenders against the single-task models."""

    def __init__(
        self,
        session: Session,
        baselines: Baselines,
        swept: Swept,
        tasks: tuple[str, ...],
        tree: SharingTree,
    ) -> None:
        self.session = session
        self.singles = baselines.outcomes
        self.swept = swept
        self.tasks = tasks
        self.resampler = Resampler(session.experiment, session.workspace.trials)
        self.references = self._references(tree)

    def row(self, method: str, entry: Contender | SynergyError) -> ComparedRow:
        """The line of a contender, or of a method that named none."""
        if isinstance(entry, SynergyError):
            return ComparedRow(method, method, None, error=str(entry))
        costs = self.session.experiment.costs
        depth = self.session.experiment.config.encoder.depth
        independent = costs.params(SharingTree.flat(self.tasks, 0, depth))
        trials = [trial for of_seed in entry.trials for trial in of_seed]
        errors = [self.swept.errors[t.digest] for t in trials if t.digest in self.swept.errors]
        digests = entry.search.union(trial.digest for trial in trials)
        return ComparedRow(
            method=method,
            name=entry.name,
            contender=entry,
            measured=NOTHING if errors else self._measured(entry),
            share_pct=100.0 * entry.params / independent,
            notation=trials[0].tree.notation(self.tasks) if len(entry.trials[0]) == 1 else "",
            trainings=len(digests),
            seconds=entry.search_seconds + sum(map(self._seconds, sorted(digests))),
            error="; ".join(dict.fromkeys(errors)),
        )

    def _measured(self, contender: Contender) -> Measured:
        """Means over the seeds against means over the seeds, as everywhere."""
        digests = {
            task: [
                next(trial.digest for trial in of_seed if task in trial.tree.tasks)
                for of_seed in contender.trials
            ]
            for task in self.tasks
        }
        scores: dict[str, dict[str, tuple[float, ...]]] = {
            split: {
                task: tuple(self.swept.results[d].scores[split][task] for d in of_task)
                for task, of_task in digests.items()
            }
            for split in REPORTED
        }
        singles = {task: self.singles[task].digests for task in self.tasks}
        seeds = [of_seed[0].seed for of_seed in contender.trials]
        ar_pct = {split: self._reduction(scores, seeds, split) for split in REPORTED}
        return Measured(
            scores=scores,
            ar_pct=ar_pct,
            ar_interval={s: self.resampler.interval(singles, digests, s) for s in REPORTED},
            above={
                name: {
                    split: Difference(
                        ar_pct[split] - self._reduction(theirs.scores, theirs.of_seeds, split),
                        *self.resampler.difference(
                            singles, digests, dict.fromkeys(self.tasks, theirs.digests), split
                        ),
                    )
                    for split in REPORTED
                }
                for name, theirs in self.references.items()
            },
        )

    def _reduction(
        self,
        scores: Mapping[str, Mapping[str, Sequence[float]]],
        seeds: Sequence[int],
        split: str,
    ) -> float:
        return accuracy_reduction(
            {task: self.singles[task].mean(split, task, seeds) for task in self.tasks},
            {task: fmean(scores[split][task]) for task in self.tasks},
        )

    def _references(self, tree: SharingTree) -> dict[str, Outcome]:
        """The synthesised tree, plain and distilled, where all its seeds are trained."""
        experiment, store = self.session.experiment, self.session.workspace.trials
        found: dict[str, Outcome] = {}
        for name, distilled in ((TREE, False), (TAUGHT, True)):
            digests = [t.digest for t in trials_of(experiment, [tree], Recipe(distilled=distilled))]
            done = {d: store.result(d) for d in digests if store.is_done(d)}
            if len(done) == len(digests):
                known = Swept(done, {}, 0)
                found[name] = outcome_of(experiment, known, tree, Recipe(distilled=distilled))
        return found

    def _seconds(self, digest: str) -> float:
        """Of a training; 0 for what is no trial, or of another workspace."""
        store = self.session.workspace.trials
        return store.result(digest).seconds if store.is_done(digest) else 0.0
