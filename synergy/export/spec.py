"""``spec.json``: everything about an exported model but its numbers, for programs.

The JSON Schema beside it is made from the same classes that read it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, ValidationError, model_validator

from synergy import limits
from synergy.audio.features import FeatureConfig
from synergy.audio.reading import SAMPLE_RATE_HZ
from synergy.costs import Costs
from synergy.encoders import Encoder, read_encoder
from synergy.errors import ConfigError, ModelError, TableError, TreeError
from synergy.export.folder import read_part
from synergy.files import StrictModel, parse_json, shortly, unsealed
from synergy.names import Label, TaskName
from synergy.network import TreeNetwork, costs
from synergy.seeding import digest
from synergy.tasks import TaskSpec, rules_of
from synergy.tree import SharingTree
from synergy.wording import short_list, shown

SPEC_FILE = "spec.json"
WEIGHTS_FILE = "weights.safetensors"
# Key in the metadata of the weights: what they must not be used without.
INTERFACE_KEY = "synergy_interface"

_LONGEST_SPEC = 4_000_000  # bytes; real ones have some ten thousand
_SHOWN = 8  # problems spelled out in one message

Count = Annotated[int, Field(ge=0)]
Percent = Annotated[float, Field(ge=0)]
Score = Annotated[float, Field(ge=0, le=1)]
# scores[split][task]: one score per seed that finished, in [0, 1]
ScoresPerSeed = Mapping[str, Mapping[str, Sequence[float]]]


class BranchEntry(StrictModel):
    """A branch of the tree; a leaf has one task and no children."""

    blocks: tuple[int, int] | None
    tasks: tuple[str, ...]
    children: tuple[BranchEntry, ...]


class TreeEntry(StrictModel):
    """The sharing tree; blocks are counted from 1."""

    depth: Annotated[int, Field(ge=1, le=1000)]
    root: BranchEntry


class TaskEntry(StrictModel):
    """A task: classes in the order of the logits, and where its data came from.

    ``threshold`` is the probability from which a frame is active, null for clip tasks.
    """

    name: TaskName
    kind: str
    classes: Annotated[tuple[Label, ...], Field(min_length=1, max_length=limits.CLASSES)]
    threshold: Annotated[float, Field(gt=0, lt=1)] | None
    corpora: tuple[str, ...]


class CorpusEntry(StrictModel):
    """A corpus that the network was trained on."""

    fingerprint: str
    licences: tuple[str, ...]
    synthetic: bool


class CostEntry(StrictModel):
    """Parameters, and multiply-accumulates for one second of audio."""

    params: Count
    macs_per_s: Count


class CostsEntry(StrictModel):
    """Costs of the whole, of each branch by its name and of each decoder by its task."""

    total: CostEntry
    branches: dict[str, CostEntry]
    heads: dict[str, CostEntry]


class TaskResult(StrictModel):
    """Scores of one task on one split.

    ``score`` is the mean of ``seeds``; ``weights`` belongs to the exported weights; ``single``
    is the mean of the single-task models.
    """

    metric: str
    score: Score
    seeds: Annotated[tuple[Score, ...], Field(min_length=1)]
    weights: Score
    single: Score | None


class SplitResult(StrictModel):
    """Scores on one split, and the accuracy reduction of the tree in percent."""

    ar_pct: Percent | None
    tasks: dict[str, TaskResult]


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class WeightsEntry(StrictModel):
    """The weights: digest of their file, and the training that they come from."""

    sha256: Sha256
    seed: int
    trial: str


class Spec(StrictModel):
    """An exported model.

    Version 2 has ``files``, the digests of the files beside it that are no weights, and a
    ``checksum`` of everything else in here (XXH3 of the JSON with sorted keys and no spaces).
    """

    spec_version: Literal[1, 2]
    sample_rate_hz: Literal[16000]
    tasks: Annotated[tuple[TaskEntry, ...], Field(min_length=1)]
    features: FeatureConfig
    encoder: dict[str, JsonValue]
    tree: TreeEntry
    notation: str
    costs: CostsEntry
    predicted_ar_pct: Percent | None
    max_ar: Percent | None
    results: dict[str, SplitResult]
    weights: WeightsEntry
    seeds: tuple[int, ...]
    training: dict[str, JsonValue]
    corpora: dict[str, CorpusEntry]
    versions: dict[str, str]
    notes: tuple[str, ...]
    files: dict[str, Sha256] = Field(default={})
    checksum: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Spec:
        names = [task.name for task in self.tasks]
        if len(set(names)) != len(names):
            raise ValueError(f"tasks: expected every task once, found {short_list(names, 8)}")
        for task in self.tasks:
            if problem := self._task_problem(task):
                raise ValueError(f"tasks.{task.name}.{problem}")
        try:
            tree = self.sharing_tree()
        except TreeError as error:
            raise ValueError(str(error)) from error
        if set(tree.tasks) != set(names):
            found = f"{short_list(names, 8)}, found {short_list(tree.tasks, 8)}"
            raise ValueError(f"tree: expected tasks {found}")
        try:
            encoder = read_encoder(self.encoder)
        except ConfigError as error:
            raise ValueError(f"encoder.name: {error}") from error
        if encoder.depth != tree.depth:
            raise ValueError(
                f"tree.depth: expected {encoder.depth} for {encoder.name}, found {tree.depth}"
            )
        return self

    def _task_problem(self, task: TaskEntry) -> str:
        try:
            rules = rules_of(task.kind)
        except ConfigError as error:
            return f"kind: {error}"
        if problem := rules.classes_problem(task.classes):
            return f"classes: {problem}"
        detects = rules.threshold is not None
        if detects != (task.threshold is not None):
            expected = "a number" if detects else "null"
            return f"threshold: expected {expected} for {shown(task.kind)}"
        unknown = sorted(set(task.corpora) - set(self.corpora))
        return f"corpora: {short_list(unknown)} not in corpora" if unknown else ""

    @property
    def thresholds(self) -> dict[str, float]:
        """Probability from which a frame is active, for the tasks that detect activity."""
        return {t.name: t.threshold for t in self.tasks if t.threshold is not None}

    def sharing_tree(self) -> SharingTree:
        """The tree that the network is built along."""
        return SharingTree.from_json(self.tree.model_dump(mode="json"))

    def task_specs(self) -> tuple[TaskSpec, ...]:
        """The tasks as networks know them, in their order."""
        return tuple(TaskSpec(task.name, task.kind, task.classes) for task in self.tasks)

    def interface(self) -> str:
        """Digest of what gives the weights their meaning: tasks, features, encoder, tree."""
        tasks = [task.to_json() for task in self.task_specs()]
        features = self.features.model_dump(mode="json")
        return digest([tasks, features, self.encoder, self.sharing_tree().to_json()])


@dataclass(frozen=True)
class About:
    """What only the caller of an exporter knows: origin and quality of a network.

    What is called like a key of `Spec` is handed over as it stands there.

    Attributes
    ----------
    tasks : dict of task to names
        In the order of tables and outputs, each with the ``corpora`` that it was trained on.
    scores, single_scores : dict
        ``scores[split][task]``: scores of this tree and of the single-task models, one per seed
        that finished, in [0, 1]; AR is taken of their means. ``single_scores`` may be empty.
    weights_scores : dict
        ``weights_scores[split][task]``: scores of the very weights that are exported.
    weights_seed, weights_trial : int, str
        Seed of those weights, and digest of the trial that they come from.
    predicted_ar_pct, max_ar : float, optional
        None for a tree that was not synthesised.
    thresholds : dict of task to float
        The usual ones of their kinds for the tasks that are not named.
    """

    tasks: Mapping[str, Collection[str]]
    corpora: Mapping[str, CorpusEntry]
    scores: ScoresPerSeed
    single_scores: ScoresPerSeed
    weights_scores: Mapping[str, Mapping[str, float]]
    weights_seed: int
    weights_trial: str
    seeds: tuple[int, ...]
    training: Mapping[str, Any]
    versions: Mapping[str, str]
    predicted_ar_pct: float | None = None
    max_ar: float | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def check_describable(tasks: Sequence[TaskSpec], corpora: Sequence[CorpusEntry]) -> None:
    """Raise ModelError if a specification of these would be too long to be read; before training.

    ``corpora`` are those that the tasks may have been trained on.
    """
    told = [[task.to_json() for task in tasks], [each.model_dump(mode="json") for each in corpora]]
    size = len(json.dumps(told, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if size > _LONGEST_SPEC // 2:
        raise ModelError(
            "the names of all classes and licences: expected at most "
            f"{_LONGEST_SPEC // 2:,} bytes in an exported model, found {size:,}; use fewer classes "
            "or shorter names"
        )


def build_spec(
    network: TreeNetwork, encoder: Encoder, features: FeatureConfig, about: About
) -> Spec:
    """Put together what a model folder tells about a network; the digest of the weights is zero.

    A ModelError has everything in ``about`` that does not fit the network.
    """
    assert isinstance(encoder, StrictModel)  # see check_exportable
    names = ", ".join(network.tree.tasks)
    if set(about.tasks) != set(network.tree.tasks):
        raise ModelError(f"expected facts on the tasks {names}, found {', '.join(about.tasks)}")
    strange = sorted(set(about.thresholds) - set(about.tasks))
    if strange:
        raise ModelError(f"expected thresholds of the tasks {names}, found {', '.join(strange)}")
    specs = [network.specs[task] for task in about.tasks]
    second = round(1 / features.hop_s)
    try:
        return Spec.model_validate(
            {
                **{key: value for key, value in vars(about).items() if key in Spec.model_fields},
                "spec_version": 2,
                "sample_rate_hz": SAMPLE_RATE_HZ,
                "tasks": [
                    {
                        **spec.to_json(),
                        "threshold": about.thresholds.get(spec.name, spec.rules.threshold),
                        "corpora": tuple(about.tasks[spec.name]),
                    }
                    for spec in specs
                ],
                "features": features,
                "encoder": encoder.model_dump(mode="json"),
                "tree": network.tree.to_json(),
                "notation": network.tree.notation(tuple(about.tasks)),
                "costs": _costs(network, costs(encoder, specs, features.mels, second)),
                "results": {split: _results(split, specs, about) for split in about.scores},
                "weights": {
                    "sha256": "0" * 64,
                    "seed": about.weights_seed,
                    "trial": about.weights_trial,
                },
            }
        )
    except ValidationError as error:
        raise ModelError(f"the model cannot be described: {_problems(error)}") from error
    except KeyError as error:
        raise ModelError(f"expected facts on {names}, found none for {error}") from error
    except (TableError, ValueError) as error:
        raise ModelError(f"the scores cannot be used: {error}") from error


def _results(split: str, specs: Sequence[TaskSpec], about: About) -> dict[str, Any]:
    from synergy.synthesis.ar_table import accuracy_reduction  # to read a model needs no networkx

    scores = {spec.name: fmean(about.scores[split][spec.name]) for spec in specs}
    alone = about.single_scores.get(split)
    single = {spec.name: fmean(alone[spec.name]) for spec in specs} if alone is not None else None
    return {
        "ar_pct": single and accuracy_reduction(single, scores),
        "tasks": {
            spec.name: {
                "metric": spec.rules.metric,
                "score": scores[spec.name],
                "seeds": tuple(about.scores[split][spec.name]),
                "weights": about.weights_scores[split][spec.name],
                "single": single and single[spec.name],
            }
            for spec in specs
        },
    }


def _costs(network: TreeNetwork, found: Costs) -> dict[str, Any]:
    def entry(params: int, macs: int) -> dict[str, int]:
        return {"params": params, "macs_per_s": macs}

    def of_blocks(numbers: range) -> dict[str, int]:
        params, macs = found.block_params, found.block_macs
        return entry(sum(params[n - 1] for n in numbers), sum(macs[n - 1] for n in numbers))

    tree, heads = network.tree, found.head_params
    return {
        "total": entry(found.params(tree), found.macs(tree)),
        "branches": {name: of_blocks(b.block_numbers) for b, name in network.names.items()},
        "heads": {task: entry(heads[task], found.head_macs[task]) for task in heads},
    }


def read_spec(file: Path) -> Spec:
    """Read and check ``spec.json``; a ModelError lists all wrong keys."""
    try:
        data = parse_json(read_part(file, "specification", _LONGEST_SPEC))
        # not needed: who sets a threshold by hand takes it out
        rest = unsealed(data, needed=False)
        return Spec.model_validate_json(json.dumps(rest), strict=True)
    except ValidationError as error:
        raise ModelError(f"{file}: {_problems(error)}") from error
    except ValueError as error:
        raise ModelError(
            f"{file} is damaged ({shortly(error)}); export the model again, or take out the line "
            "`checksum` where you changed a threshold by hand"
        ) from error


def _problems(error: ValidationError) -> str:
    found: list[str] = []
    for problem in error.errors(include_url=False):
        where = ".".join(map(shown, problem["loc"]))
        what = problem["msg"].removeprefix("Value error, ")
        found.append(f"{where}: {what}" if where else what)
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(found[:_SHOWN]) + more
