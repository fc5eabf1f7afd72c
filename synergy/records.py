"""Every JSON file of a workspace beside its trials, as one model each with a version.

``tree.json`` (`TreeFile`), ``summary.json`` (`SummaryFile`), ``frontier.json`` (`FrontierFile`),
``comparisons.json`` (`ComparisonsFile`), ``probes/*.json`` (`ProbeFile`) and
``.synergy.holder.json`` (`HolderFile`); ``null.json`` is in `synergy.null_file`. Of the exported
model `ModelFile` reads the little that `synergy show` needs. What is written is what is read; a key
that an earlier version did not write has a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import (
    AliasPath,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    model_serializer,
    model_validator,
)
from pydantic import SerializerFunctionWrapHandler as Written

from synergy import limits
from synergy.certainty import Certainty
from synergy.errors import TreeError
from synergy.files import Artefact, StrictModel
from synergy.names import TaskName
from synergy.quantities import (
    Blocks,
    Count,
    Percent,
    Points,
    Seconds,
    Share,
    Text,
    Width,
)
from synergy.rows import Attempt, PromiseOfTree, Reported, Row, frame_of
from synergy.synthesis.question import Solver, TableKind
from synergy.tree import SharingTree
from synergy.wording import SPLIT_NAMES, counted, scaled

if TYPE_CHECKING:
    import pandas

Tasks = Annotated[tuple[TaskName, ...], Field(max_length=limits.TASKS)]


def _tree(data: Any) -> SharingTree:
    if isinstance(data, SharingTree):
        return data
    try:
        return SharingTree.from_json(data)
    except TreeError as error:
        raise ValueError(str(error)) from error


Tree = Annotated[SharingTree, PlainValidator(_tree), PlainSerializer(lambda tree: tree.to_json())]
"""A sharing tree that is JSON in a file."""


class _Sized(StrictModel):
    """A tree with its sizes, of which those that are not known are left out."""

    @model_serializer(mode="wrap")
    def _known(self, written: Written) -> dict[str, Any]:
        sizes = ("params", "macs", "encoder_params", "encoder_macs")
        return {k: v for k, v in written(self).items() if v is not None or k not in sizes}


class PairBlocks(StrictModel):
    """A pair and how many blocks it may share."""

    task_a: TaskName
    task_b: TaskName
    blocks: Blocks


class TreeFile(_Sized, Artefact):
    """``tree.json``: what the search found.

    Attributes
    ----------
    table : str
        File of the AR table.
    table_kind : {"plain", "distilled"}, or None
        Which table of the workspace that is; None for a table from elsewhere.
    params : int, or None
        Of the whole network, decoders included, where they are known.
    recursive_params, exact_params : int, or None
        Encoder parameters of both solvers' trees.
    confidence : float, or None
        Probability that it was chosen for, instead of being the tree of the table itself.
    weights : tuple of PairBlocks
        The task graph.
    """

    MADE_BY: ClassVar[str] = "synergy synthesize"

    tree: Tree
    notation: Text
    encoder_params: Count
    predicted_ar_pct: Percent
    max_ar: Percent
    params: Count | None = None
    solver: Solver = "recursive"
    strict: bool = False
    confidence: Share | None = None
    recursive_params: Count | None = None
    exact_params: Count | None = None
    provably_optimal: bool = False
    weights: tuple[PairBlocks, ...] = ()
    notes: tuple[Text, ...] = ()
    table: Text = ""
    table_kind: TableKind | None = None
    width: Width = 1.0

    @model_validator(mode="before")
    @classmethod
    def _of_before(cls, data: Any) -> Any:
        """Earlier versions named the file of the table only, and had caps of repaired trees."""
        if isinstance(data, Mapping):
            data = {key: value for key, value in data.items() if key != "caps"}
        if isinstance(data, Mapping) and data.get("table") and "table_kind" not in data:
            kinds = {"ar_table.csv": "plain", "ar_table_distilled.csv": "distilled"}
            return {**data, "table_kind": kinds.get(PurePath(str(data["table"])).name)}
        return data

    def told(self) -> str:
        """The tree and what it comes to, on one line."""
        return (
            f"{self.notation}{scaled(self.width)}, {self.encoder_params:,} encoder parameters, "
            f"predicted AR {self.predicted_ar_pct:.1f} %"
        )

    def __repr__(self) -> str:
        return f"<TreeFile: {self.told()}>"

    __str__ = __repr__

    def is_of(self, other: TreeFile) -> bool:
        """Whether both are of one tree and width."""
        return (self.tree, self.width) == (other.tree, other.width)


class ModelFile(Artefact):
    """``model/spec.json`` as far as a look at a workspace needs it: without torch."""

    MADE_BY: ClassVar[str] = "synergy synthesize"
    VERSION_KEY: ClassVar[str] = "spec_version"
    model_config = ConfigDict(extra="ignore")

    version: int = Field(default=1, validation_alias="spec_version")
    tree: Tree
    params: Count = Field(validation_alias=AliasPath("costs", "total", "params"))


class SummaryFile(Artefact):
    """``summary.json``: the numbers of stage 3.

    Attributes
    ----------
    synthesis : TreeFile
        The tree that the rows are of.
    rows : tuple of Row
        Independent models, a flat one, the tree; the last one is exported.
    promise : PromiseOfTree, or None
        None with budgets, which have no threshold.
    shortfall : str, or None
        What the tree lacks.
    """

    MADE_BY: ClassVar[str] = "synergy synthesize"

    synthesis: TreeFile
    rows: Annotated[tuple[Row, ...], Field(min_length=1, max_length=1000)]
    tasks: Tasks = ()
    attempts: Annotated[tuple[Attempt, ...], Field(max_length=1000)] = ()
    certainty: Certainty | None = None
    promise: PromiseOfTree | None = None
    seeds: tuple[Count, ...] = ()
    notes: tuple[Text, ...] = ()
    shortfall: Text | None = None
    versions: dict[Text, Text] = Field(default={})


class FrontierEntry(_Sized):
    """A tree of the frontier, with what was measured of it."""

    number: Count
    max_ar_from: Percent
    max_ar_to: Percent | None
    tree: Tree
    notation: Text
    params: Count | None = None
    macs: Count | None = None
    encoder_params: Count | None = None
    encoder_macs: Count | None = None
    predicted_ar_pct: Percent
    provably_optimal: bool = False
    measured: Row | None = None


class FrontierFile(Artefact):
    """``frontier.json``: the trees of all thresholds, some of them trained.

    ``left_out`` is the number of thresholds that were not searched: of many tasks.
    """

    MADE_BY: ClassVar[str] = "synergy synthesize --train-frontier"

    frontier: tuple[FrontierEntry, ...]
    trained: Count = 0
    left_out: Count = 0

    def to_pandas(self) -> pandas.DataFrame:
        """A line for each tree, without what was measured."""
        import pandas

        return pandas.DataFrame([dict(entry) for entry in self.frontier]).drop(columns="measured")

    def __repr__(self) -> str:
        return f"<FrontierFile: {counted(len(self.frontier), 'tree')}>"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return self.to_pandas().drop(columns="tree").to_html(index=False)


class Chance(StrictModel):
    """AR that a tree without any loss has, by how trainings scatter over seeds, in percent.

    An AR below ``high``, the 95 % quantile, is not told from chance.
    """

    median: Percent
    high: Percent

    def told(self, split: str) -> str:
        """What it means, one sentence."""
        return (
            f"Chance, {SPLIT_NAMES[split]}: as plain trainings scatter over seeds, a tree that "
            f"loses nothing has an AR of {self.median:.1f} % at the median and of at most "
            f"{self.high:.1f} % in 95 % of cases; a lower one is within chance."
        )


class Difference(StrictModel):
    """AR of a model minus that of another one, in percent, with its bootstrap interval if any."""

    ar_pct: Points
    ar_low: Points | None = None
    ar_high: Points | None = None


class ComparedRow(Row):
    """One line of the comparison.

    Attributes
    ----------
    method : str
        Key in ``COMPARISONS``.
    stored_params : int, or None
        Parameters with what masks take to store.
    share_pct : float, or None
        Parameters in percent of those of the independent models.
    trainings : int, or None
        Different trainings, of all seeds, that it takes to come to this line from nothing.
    seconds : float, or None
        How long these took, one after the other, and what was measured on top.
    above : dict of name to dict of split to Difference
        How far the AR lies above that of the synthesised tree, plain and distilled.
    note : str
    error : str, or None
        Why there is no result.
    """

    method: Text
    stored_params: Count | None = None
    share_pct: Percent | None = None
    trainings: Count | None = None
    seconds: Seconds | None = None
    above: dict[Text, dict[Reported, Difference]] = Field(default={})
    note: Text = ""
    error: Text | None = None


class ComparisonsFile(Artefact):
    """``comparisons.json``: the synthesised tree against the field.

    Attributes
    ----------
    tree : str
        Notation of the tree whose parameters, ``max_params``, are the budget of the others.
    max_ar : float
        Threshold of the synthesised trees, in percent.
    terms : str
        Digest of the settings, the data and the table; lines with another one do not compare.
    chance : dict of split to Chance, or None
        Without a split in which nothing is known, as with one seed; None in a file of before.
    """

    MADE_BY: ClassVar[str] = "synergy compare"

    tasks: Tasks
    tree: Text
    max_params: Count
    max_ar: Percent
    seeds: tuple[Count, ...]
    terms: Text
    chance: dict[Reported, Chance] | None = None
    rows: Annotated[tuple[ComparedRow, ...], Field(max_length=1000)]

    def to_pandas(self) -> pandas.DataFrame:
        """A line for each row and split, see `synergy.rows.frame_of`."""
        return frame_of(self.rows, ("method", "share_pct", "trainings", "seconds", "error"))

    def __repr__(self) -> str:
        return f"<ComparisonsFile: {counted(len(self.rows), 'row')} beside {self.tree}>"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return self.to_pandas().to_html(index=False)


class HolderFile(Artefact):
    """``.synergy.holder.json``: the command that works in the workspace, since a local time."""

    command: Text
    host: Text
    pid: Count
    since: datetime


class ProbeFile(Artefact):
    """``probes/NAME-DIGEST.json``: what a probe gave, and the seconds that it took."""

    MADE_BY: ClassVar[str] = "synergy compare"

    probe: Text
    settings: dict[Text, float]
    trials: tuple[Text, ...]
    result: dict[str, Any]
    seconds: Seconds
