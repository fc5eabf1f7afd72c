"""Stage 3: AR table -> task graph -> sharing tree -> trained network, verified and repaired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from synergy.errors import WorkspaceError
from synergy.experiment import Experiment, Recipe
from synergy.stages.baseline import check_tasks
from synergy.stages.measure import Bench, Row, Variant, flat_of_size
from synergy.stages.repair import Lowered, Repair
from synergy.stages.search import Wanted, search
from synergy.stages.sweep import Session
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.search import Synthesis
from synergy.workspace import Workspace


@dataclass(frozen=True)
class Attempt:
    """A tree that was found, trained and measured.

    Attributes
    ----------
    synthesis : Synthesis
    row : Row
        The tree as it would be exported.
    keeps : bool
        Whether its AR on validation is within the threshold.
    lowered : Lowered, optional
        The pair that the next attempt may share less of, and how many blocks it may; None for
        the last attempt.
    """

    synthesis: Synthesis
    row: Row
    keeps: bool
    lowered: Lowered | None = None

    def to_json(self, order: Sequence[str]) -> dict[str, Any]:
        """The attempt as JSON values."""
        return {
            "notation": self.synthesis.tree.notation(order),
            "predicted_ar_pct": self.synthesis.predicted_ar_pct,
            "params": self.row.params,
            "ar_pct": dict(self.row.ar_pct),
            "mean_scores": self.row.to_json()["mean_scores"],
            "keeps": self.keeps,
            "lowered": list(self.lowered) if self.lowered else None,
        }


@dataclass(frozen=True)
class Final:
    """The trained tree beside what it is compared with.

    Attributes
    ----------
    rows : tuple of Row
        Independent models, a flat model of at least the tree's size, the tree; then the tree
        with teachers or with a longer training, where one was asked for.
    attempts : tuple of Attempt
        All trees that were tried, in order.
    synthesis : Synthesis
        Of the chosen attempt: the first that keeps the threshold, else the one that misses it
        by the least.
    trained : int
        Trainings that this command ran.
    """

    rows: tuple[Row, ...]
    attempts: tuple[Attempt, ...]
    synthesis: Synthesis
    trained: int

    @property
    def chosen(self) -> Row:
        """The row that is exported."""
        return self.rows[-1]

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        order = list(self.rows[0].outcome.scores["valid"])
        return {
            "rows": [row.to_json() for row in self.rows],
            "attempts": [attempt.to_json(order) for attempt in self.attempts],
            "trained": self.trained,
        }


def scaled(wanted: Wanted) -> str:
    """What the names of models say of their width: nothing, if it is the configured one."""
    return "" if wanted.width == 1.0 else f", width {wanted.width:g}"


def variants(experiment: Experiment, wanted: Wanted) -> list[Variant]:
    """The ways in which the found tree is trained; the last one is exported."""
    plain = Recipe(width=wanted.width)
    found = [Variant(f"tree{scaled(wanted)}", plain)]
    if wanted.distilled:
        name = f"{found[0].name}, distilled"
        found.append(Variant(name, replace(plain, distilled=True)))
    if wanted.final_epochs is not None:
        longer = experiment.config.training.model_copy(update={"epochs": wanted.final_epochs})
        name, recipe = found[-1].name, found[-1].recipe
        recipe = replace(recipe, training=longer)
        found.append(Variant(f"{name}, {wanted.final_epochs} epochs", recipe))
    return found


def read_table(workspace: Workspace | Path, distilled: bool = False) -> tuple[ARTable, Path]:
    """The AR table of a workspace, or of a folder that may become one, and its file.

    With ``distilled`` the table of distilled pairs if there is one, else the plain one.

    Raises
    ------
    WorkspaceError
        If there is none yet; names the command that makes it.
    """
    folder = workspace if isinstance(workspace, Path) else workspace.folder
    files = [folder / "ar_table_distilled.csv"] if distilled else []
    for file in [*files, folder / "ar_table.csv"]:
        if file.is_file():
            return ARTable.from_csv(file), file
    raise WorkspaceError(
        f"expected an AR table in {folder / 'ar_table.csv'}, found none; "
        f"run `synergy pairwise --workspace {folder}` first"
    )


def find_tree(
    experiment: Experiment,
    table: ARTable,
    wanted: Wanted,
    caps: Mapping[frozenset[str], int] | None = None,
) -> Synthesis:
    """The sharing tree of ``table`` under the experiment's encoder.

    Parameters
    ----------
    experiment : Experiment
    table : ARTable
    wanted : Wanted
    caps : mapping of pair to int, optional
        Largest depth of pairs, whatever the table says.

    Raises
    ------
    TableError
        If the table has tasks that the experiment does not have.
    ConfigError
        If a budget is too small, or no encoder has the width.
    """
    check_tasks(experiment, table)
    return search(experiment.costs_at(wanted.width), table, experiment.config.max_ar, wanted, caps)


def train_tree(session: Session, table: ARTable, wanted: Wanted, source: Path) -> Final:
    """Find the tree of a table, train and measure it, and repair it while it misses.

    A tree whose AR on validation exceeds the threshold is not what was asked for, whatever the
    pairs promised. Then the pair that binds its worst task may share one swept depth less, and
    the tree is solved and trained again, at most ``wanted.repair`` times. Chosen is the first
    tree that keeps the threshold, or the one that misses it by the least. With budgets there is
    no threshold and nothing to repair.

    Parameters
    ----------
    session : Session
    table : ARTable
    wanted : Wanted
    source : Path
        Where the table comes from, see `synergy.stages.repair.Repair`.

    Raises
    ------
    ConfigError
        If a budget is too small.
    ShortfallError
        If a model could not be trained with any seed.
    """
    experiment = session.experiment
    bench = Bench.of(session, table.tasks)
    ways = variants(experiment, wanted)
    repair = Repair(bench, table, source)
    attempts: list[Attempt] = []
    trained = bench.baselines.trained
    for round_number in range(wanted.repair + 1):
        synthesis = find_tree(experiment, repair.table, wanted, repair.caps)
        title = f"the tree, repair {round_number}" if round_number else "the tree"
        rows, ran = bench.measure(title, [(synthesis.tree, ways[-1])])
        trained += ran
        keeps = wanted.has_budget or rows[0].ar_pct["valid"] <= experiment.config.max_ar
        lowered = None
        if not keeps and round_number < wanted.repair:
            lowered = repair.lower(synthesis.tree, rows[0])
        attempts.append(Attempt(synthesis, rows[0], keeps, lowered))
        if lowered is None:
            break
        one, other, depth = lowered
        session.progress.note(
            f"{synthesis.tree.notation(table.tasks)} has an AR of {rows[0].ar_pct['valid']:.1f} % "
            f"on validation, more than {experiment.config.max_ar:g} %: {one} and {other} may now "
            f"share at most {depth} blocks"
        )
        repair.measure(lowered)
    best = min(attempts, key=lambda attempt: (not attempt.keeps, attempt.row.ar_pct["valid"]))
    tree = best.synthesis.tree
    flat = flat_of_size(experiment.costs_at(wanted.width), tree)
    planned = [
        (flat, Variant(f"flat{scaled(wanted)}", ways[0].recipe)),
        *((tree, way) for way in ways),
    ]
    rows, ran = bench.measure("the tree and the flat model", planned)
    trained += ran + repair.trained
    return Final((bench.independent(), *rows), tuple(attempts), best.synthesis, trained)
