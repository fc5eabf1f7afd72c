"""The numbers of a report: what a page shows is all in here."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, PlainSerializer

from synergy.files import StrictModel
from synergy.records import Chance, ComparedRow, Tree
from synergy.report.trainings import Curves
from synergy.report.trees import StabilityNumbers, Trees
from synergy.rows import Attempt, BySplit, PromiseOfTree, Row
from synergy.synthesis.question import TableKind


def _shown(row: Row) -> dict[str, Any]:
    """A row as far as the page shows it, every key there."""
    note, above = "", {}
    if isinstance(row, ComparedRow):
        note = " ".join(text for text in (row.error, row.note) if text)
        above = row.above.get("tree", {})
    named = ("method", "name", "notation", "params", "stored_params", "macs", "share_pct")
    scores = ("mean_scores", "ar_pct", "ar_low", "ar_high")
    effort = ("trainings", "seconds", "epochs", "distilled", "seeds")
    values = {name: getattr(row, name, None) for name in (*named, *scores, *effort)}
    return {**values, "above": above, "note": note}


ShownRow = Annotated[Row, PlainSerializer(_shown)]
"""A measured model."""


class CellNumbers(StrictModel):
    """A cell of an AR table, with validation scores by task: alone and together.

    It passes the threshold of the run, is the weight of its pair, or is what the tree of the run
    shares between the two. ``curves`` are empty where no training is known, and None where they
    are left out because there are very many cells.
    """

    task_a: str
    task_b: str
    shared_depth: int
    ar_pct: float | None
    ar_low: float | None
    ar_high: float | None
    test_ar_pct: float | None
    status: str
    reason: str
    seeds: int
    single: dict[str, float | None]
    multi: dict[str, float | None]
    passes: bool
    is_weight: bool
    in_tree: bool
    curves: Curves | None = Field(exclude=True)


class TableNumbers(StrictModel):
    """An AR table; ``cells`` pair by pair, then by depth, of the first ``shown`` pairs.

    ``notes`` tell of its null control.
    """

    kind: TableKind
    tasks: tuple[str, ...]
    depths: tuple[int, ...]
    pairs: tuple[tuple[str, str], ...]
    shown: int
    seeds: tuple[int, ...]
    cells: tuple[CellNumbers, ...]
    notes: tuple[str, ...]


class Sizes(StrictModel):
    """Parameters of the blocks, of the decoders if all are known, and of independent models.

    They are assumed to be those of the default encoder where there is no configuration.
    """

    blocks: tuple[int, ...]
    heads: dict[str, int]
    assumed: bool
    whole: int


class FinalTree(StrictModel):
    """The tree of the run: what it costs and, in ``row`` once it is trained, what it keeps."""

    tree: Tree
    notation: str
    tasks: tuple[str, ...]
    params: int
    macs: int
    share_pct: float
    independent_params: int
    predicted_ar_pct: float
    solver: str
    strict: bool
    provably_optimal: bool
    weights: tuple[int, ...]
    notes: tuple[str, ...]
    table: TableKind | None
    is_trained: bool
    row: ShownRow | None
    shortfall: str


class Baseline(StrictModel):
    """A task alone: mean and standard deviation over its seeds."""

    task: str
    seeds: tuple[int, ...]
    mean: BySplit
    spread: BySplit


class CorpusOrigin(StrictModel):
    """A corpus and its tasks; fingerprint and licences where an export tells them."""

    name: str
    fingerprint: str | None = None
    licences: tuple[str, ...] = ()
    synthetic: bool | None = None
    tasks: tuple[str, ...]


class Provenance(StrictModel):
    """Everything that a reader needs to trust or repeat the run."""

    versions: dict[str, str]
    reported_with: str
    seeds: tuple[int, ...]
    corpora: tuple[CorpusOrigin, ...]
    notes: tuple[str, ...]
    trainings: dict[str, int]
    training_s: float
    damaged: tuple[str, ...]
    config: str


class MissingPart(StrictModel):
    """What is not in the workspace yet, and the command that makes it."""

    what: str
    command: str


class Numbers(StrictModel):
    """Everything that a report says about a workspace; a part that is not there is None or empty.

    Attributes
    ----------
    tasks : tuple of str
        In the order of the configuration as far as it has them.
    max_ar : float, or None
        Threshold of the run, in percent.
    caveat : str
        Why no figure is final; empty where they are.
    tables : tuple of TableNumbers
        The one that the tree came from first.
    trees : Trees, or None
        Those of all thresholds; ``no_trees`` says why there are none.
    rows, frontier : tuple of Row
        The final table, whose last one is the exported model; trained trees of the frontier.
    promise : float, or None
        Probability that every pair of the final tree keeps the threshold at the depth it shares.
    curves : dict of task to tuple of Curve
        Those of the final tree beside those of each task alone.
    """

    tasks: tuple[str, ...]
    max_ar: float | None
    caveat: str
    final: FinalTree | None
    tables: tuple[TableNumbers, ...]
    sizes: Sizes
    trees: Trees | None
    no_trees: str
    stability: StabilityNumbers | None
    promise: PromiseOfTree | None
    baselines: tuple[Baseline, ...]
    rows: tuple[ShownRow, ...]
    attempts: tuple[Attempt, ...]
    frontier: tuple[ShownRow, ...]
    comparisons: tuple[Annotated[ComparedRow, PlainSerializer(_shown)], ...]
    chance: dict[str, Chance]
    curves: Curves = Field(exclude=True)
    provenance: Provenance
    missing: tuple[MissingPart, ...]

    def to_json(self) -> dict[str, Any]:
        """The numbers as JSON values, without the curves."""
        return self.model_dump(mode="json", exclude={"attempts": {"__all__": {"mean_scores"}}})
