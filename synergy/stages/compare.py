"""One table against the field: every comparison trained and measured on the same terms."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from synergy.comparisons import COMPARISONS, Comparison, Contender, Field
from synergy.comparisons.judging import Judge
from synergy.errors import ConfigError, SynergyError, WorkspaceError
from synergy.experiment import Recipe
from synergy.extensions import find, imports_allowed
from synergy.measuring.bench import Bench
from synergy.measuring.chance import chance
from synergy.records import ComparedRow, ComparisonsFile
from synergy.running.session import Session
from synergy.seeding import digest
from synergy.stages.search import check_tasks
from synergy.synthesis import Question, search
from synergy.workspace import PairTable


class Compared(NamedTuple):
    """The lines of the chosen methods; ``trained`` counts what this command ran."""

    file: ComparisonsFile
    trained: int

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {**self.file.to_json(), "trained": self.trained}

    def __repr__(self) -> str:
        return f"<Compared: {self.file!r}>"


OURS = "recursive"
"""The comparison that every choice of methods holds: our own tree."""


def check_methods(methods: Sequence[str]) -> dict[str, Comparison]:
    """The chosen comparisons and ours, in the order of ``COMPARISONS``; all for no choice.

    A method may also be named as ``package.module:function``; whoever names it has it imported.

    Raises
    ------
    ConfigError
        If a name is unknown; names all of these.
    """
    found: dict[str, Comparison] = {}
    problems: list[str] = []
    for name in methods or COMPARISONS:
        try:
            with imports_allowed():
                found[name] = find(name, COMPARISONS, "synergy.comparisons", ("__call__",))
            if isinstance(found[name], type):
                problems.append(f"{name}: expected a function that takes the field, found a class")
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("; ".join(problems))
    found.setdefault(OURS, COMPARISONS[OURS])
    return {name: found[name] for name in dict.fromkeys([*COMPARISONS, *found]) if name in found}


def compare(session: Session, found: PairTable, methods: Sequence[str] = ()) -> Compared:
    """Let every method name its contenders, train and measure them; writes comparisons.json.

    A training that several contenders have in common runs once. A method or a contender that
    fails becomes a row with its reason. The budget is the tree of the recursion at the configured
    threshold.

    Parameters
    ----------
    session : Session
    found : PairTable
        The plain one.
    methods : sequence of str
        As in `check_methods`.

    Returns
    -------
    Compared
        The lines of these methods, and how many trainings ran. The written file holds also lines
        of other methods, from earlier commands on the same terms.

    Raises
    ------
    ConfigError, TableError, ShortfallError
        As `check_methods`, `check_tasks` and `train_singles`.
    """
    chosen, before = check_methods(methods), session.trained
    experiment, table = session.experiment, found.table
    check_tasks(table, experiment.tasks)
    question = Question(max_ar=experiment.config.max_ar)
    tree = search(question, table, experiment.costs).tree
    field = Field(session, table, tree, Bench(session, table.tasks))
    entered: list[tuple[str, Contender | SynergyError]] = []
    for name in chosen:
        try:
            entered += [(name, entry) for entry in chosen[name](field)]
        except SynergyError as error:
            session.progress.note(f"{name}: {error}")
            entered.append((name, error))
    contenders = [entry for _, entry in entered if isinstance(entry, Contender)]
    trials = [trial for each in contenders for of_seed in each.trials for trial in of_seed]
    judge = Judge(field, session.train("comparisons", trials, test=True))
    # its teachers stand for the single-task models
    trial = experiment.trial(tree, experiment.config.seed, Recipe(distilled=True))
    cells = [{k: v for k, v in asdict(c).items() if k != "trials"} for c in table.cells]
    rows = tuple(judge.row(method, entry) for method, entry in entered)
    compared = ComparisonsFile(
        tasks=field.tasks,
        tree=tree.notation(field.tasks),
        max_params=field.max_params,
        max_ar=question.max_ar,
        seeds=experiment.config.all_seeds,
        terms=digest([trial.to_json(), cells]),
        rows=rows,
    )
    every = _with_earlier(session, compared, chosen)
    # of each model once: several methods may come to one tree
    plain = {row.digests: row.scores for row in every if row.notation and not row.distilled}
    singles, folds = field.bench.singles.scores, experiment.config.evaluation.folds
    by_chance = chance(singles, plain.values(), len(compared.seeds), folds)
    compared = compared.model_copy(update={"chance": by_chance})
    compared.model_copy(update={"rows": every}).write(session.workspace.comparisons)
    return Compared(compared, session.trained - before)


def _with_earlier(
    session: Session, compared: ComparisonsFile, chosen: Collection[str]
) -> tuple[ComparedRow, ...]:
    """The lines that comparisons.json holds now: also those of other methods, of before.

    They stay only when they were measured on the same terms.
    """
    try:
        earlier = ComparisonsFile.read(session.workspace.comparisons)
    except WorkspaceError:  # damaged: it is written anew
        return compared.rows
    measured = {"rows", "chance"}
    terms = compared.model_dump(exclude=measured)
    if earlier is None or earlier.model_dump(exclude=measured) != terms:
        return compared.rows
    kept = [row for row in earlier.rows if row.method not in chosen]
    order = [*COMPARISONS, *(row.method for row in (*compared.rows, *kept))]
    return tuple(sorted((*compared.rows, *kept), key=lambda row: order.index(row.method)))
