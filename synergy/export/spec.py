"""``spec.json``: everything about an exported model but its numbers, for programs.

The JSON Schema beside it is made from the same classes that read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, ValidationError, model_validator

from synergy.audio.features import FeatureConfig
from synergy.costs import Costs
from synergy.encoders import ENCODERS, Encoder
from synergy.errors import ModelError, TableError, TreeError
from synergy.export.facts import ModelFacts
from synergy.files import StrictModel
from synergy.network import TreeNetwork, costs
from synergy.seeding import digest
from synergy.synthesis.ar_table import accuracy_reduction
from synergy.tasks import TASK_KINDS, TaskSpec
from synergy.tree import SharingTree

SPEC_VERSION = 1
SPEC_FILE = "spec.json"
SCHEMA_FILE = "spec.schema.json"
WEIGHTS_FILE = "weights.safetensors"
SOURCE_FILE = "model.py"
CARD_FILE = "README.md"
# Key in the metadata of the weights: what they must not be used without.
INTERFACE_KEY = "synergy_interface"

_LONGEST_SPEC = 4_000_000  # bytes; real ones have some ten thousand
_SHOWN = 8  # problems spelled out in one message

Count = Annotated[int, Field(ge=0)]
Score = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ClassName = Annotated[str, Field(min_length=1)]


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

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]
    kind: str
    classes: Annotated[tuple[ClassName, ...], Field(min_length=1)]
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

    ar_pct: Annotated[float, Field(ge=0)] | None
    tasks: dict[str, TaskResult]


class WeightsEntry(StrictModel):
    """The weights: digest of their file, and the training that they come from."""

    sha256: Sha256
    seed: int
    trial: str


class Spec(StrictModel):
    """An exported model."""

    spec_version: Literal[1]
    sample_rate_hz: Literal[16000]
    tasks: Annotated[tuple[TaskEntry, ...], Field(min_length=1)]
    features: FeatureConfig
    encoder: dict[str, JsonValue]
    tree: TreeEntry
    notation: str
    costs: CostsEntry
    predicted_ar_pct: Annotated[float, Field(ge=0)] | None
    max_ar: Annotated[float, Field(ge=0)] | None
    results: dict[str, SplitResult]
    weights: WeightsEntry
    seeds: tuple[int, ...]
    training: dict[str, JsonValue]
    corpora: dict[str, CorpusEntry]
    versions: dict[str, str]
    notes: tuple[str, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Spec:
        names = [task.name for task in self.tasks]
        if len(set(names)) != len(names):
            raise ValueError(f"tasks: expected every task once, found {', '.join(names)}")
        for task in self.tasks:
            self._check_task(task)
        try:
            tree = self.sharing_tree()
        except TreeError as error:
            raise ValueError(str(error)) from error
        if set(tree.tasks) != set(names):
            raise ValueError(f"tree: expected tasks {', '.join(names)}, found {tree.tasks}")
        kind = self.encoder.get("name")
        if not isinstance(kind, str) or kind not in ENCODERS:
            raise ValueError(f"encoder.name: expected one of {', '.join(ENCODERS)}, found {kind!r}")
        depth = self.build_encoder().depth
        if depth != tree.depth:
            raise ValueError(f"tree.depth: expected {depth} for {kind}, found {tree.depth}")
        return self

    def _check_task(self, task: TaskEntry) -> None:
        if task.kind not in TASK_KINDS:
            raise ValueError(
                f"tasks.{task.name}.kind: expected one of {', '.join(TASK_KINDS)}, "
                f"found {task.kind!r}"
            )
        if len(set(task.classes)) != len(task.classes):
            raise ValueError(f"tasks.{task.name}.classes: expected every name once")
        detects = TASK_KINDS[task.kind].threshold is not None
        if detects and len(task.classes) != 1:
            raise ValueError(f"tasks.{task.name}.classes: expected one name for {task.kind}")
        if detects != (task.threshold is not None):
            raise ValueError(
                f"tasks.{task.name}.threshold: expected {'a number' if detects else 'null'} "
                f"for {task.kind}"
            )
        unknown = sorted(set(task.corpora) - set(self.corpora))
        if unknown:
            raise ValueError(f"tasks.{task.name}.corpora: {', '.join(unknown)} not in corpora")

    def sharing_tree(self) -> SharingTree:
        """The tree that the network is built along."""
        return SharingTree.from_json(self.tree.model_dump(mode="json"))

    def build_encoder(self) -> Encoder:
        """The encoder with its settings."""
        return ENCODERS[str(self.encoder["name"])].model_validate(self.encoder)

    def task_specs(self) -> tuple[TaskSpec, ...]:
        """The tasks as networks know them, in their order."""
        return tuple(TaskSpec(task.name, task.kind, task.classes) for task in self.tasks)

    def interface(self) -> str:
        """Digest of what gives the weights their meaning: tasks, features, encoder, tree."""
        return digest(
            [
                [task.to_json() for task in self.task_specs()],
                self.features.model_dump(mode="json"),
                self.encoder,
                self.sharing_tree().to_json(),
            ]
        )


def build_spec(
    network: TreeNetwork, features: FeatureConfig, encoder: Encoder, about: ModelFacts
) -> Spec:
    """Put together what a model folder tells about a network; the digest of the weights is zero.

    Raises
    ------
    ModelError
        With everything in ``about`` that does not fit the network.
    """
    if not isinstance(encoder, StrictModel):
        raise ModelError(f"encoder {encoder.name} cannot be exported: it is no configuration")
    names = ", ".join(network.tree.tasks)
    if sorted(about.tasks) != sorted(network.tree.tasks):
        raise ModelError(f"expected facts on the tasks {names}, found {', '.join(about.tasks)}")
    strange = sorted(set(about.thresholds) - set(about.tasks))
    if strange:
        raise ModelError(f"expected thresholds of the tasks {names}, found {', '.join(strange)}")
    specs = [network.specs[task] for task in about.tasks]
    second = round(1 / features.hop_s)
    tree = network.tree.to_json()
    try:
        data = {
            "spec_version": SPEC_VERSION,
            "sample_rate_hz": 16000,
            "tasks": [_task(spec, about) for spec in specs],
            "features": features.model_dump(mode="json"),
            "encoder": encoder.model_dump(mode="json"),
            "tree": tree,
            "notation": network.tree.notation(about.tasks),
            "costs": _costs(network, costs(encoder, specs, features.mels, second)),
            "predicted_ar_pct": about.predicted_ar_pct,
            "max_ar": about.max_ar,
            "results": {split: _results(split, specs, about) for split in about.scores},
            "weights": {
                "sha256": "0" * 64,
                "seed": about.weights_seed,
                "trial": about.weights_trial,
            },
            "seeds": about.seeds,
            "training": dict(about.training),
            "corpora": {
                name: {
                    "fingerprint": corpus.fingerprint,
                    "licences": corpus.licences,
                    "synthetic": corpus.synthetic,
                }
                for name, corpus in about.corpora.items()
            },
            "versions": dict(about.versions),
            "notes": about.notes,
        }
        return Spec.model_validate(data)
    except ValidationError as error:
        raise ModelError(f"the model cannot be described: {_problems(error)}") from error
    except KeyError as error:
        raise ModelError(f"expected facts on {names}, found none for {error}") from error
    except (TableError, ValueError) as error:
        raise ModelError(f"the scores cannot be used: {error}") from error


def _task(spec: TaskSpec, about: ModelFacts) -> dict[str, Any]:
    threshold = spec.rules.threshold
    if threshold is not None:
        threshold = about.thresholds.get(spec.name, threshold)
    return {
        **spec.to_json(),
        "threshold": threshold,
        "corpora": tuple(about.task_corpora[spec.name]),
    }


def _results(split: str, specs: Sequence[TaskSpec], about: ModelFacts) -> dict[str, Any]:
    scores = {spec.name: fmean(about.scores[split][spec.name]) for spec in specs}
    alone = about.single_scores.get(split)
    single = None if alone is None else {spec.name: fmean(alone[spec.name]) for spec in specs}
    return {
        "ar_pct": None if single is None else accuracy_reduction(single, scores),
        "tasks": {
            spec.name: {
                "metric": spec.rules.metric,
                "score": scores[spec.name],
                "seeds": tuple(about.scores[split][spec.name]),
                "weights": about.weights_scores[split][spec.name],
                "single": None if single is None else single[spec.name],
            }
            for spec in specs
        },
    }


def _costs(network: TreeNetwork, found: Costs) -> dict[str, Any]:
    branches: dict[str, Any] = {}
    for branch in network.tree.branches():
        if branch.blocks is not None:
            blocks = [number - 1 for number in branch.block_numbers]
            branches[network.names[branch]] = {
                "params": sum(found.block_params[block] for block in blocks),
                "macs_per_s": sum(found.block_macs[block] for block in blocks),
            }
    return {
        "total": {
            "params": found.params(network.tree),
            "macs_per_s": found.macs(network.tree),
        },
        "branches": branches,
        "heads": {
            task: {"params": found.head_params[task], "macs_per_s": found.head_macs[task]}
            for task in found.head_params
        },
    }


def read_spec(file: Path) -> Spec:
    """Read and check ``spec.json``.

    Raises
    ------
    ModelError
        If it is missing or wrong; lists all wrong keys.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{file}: expected the specification of an exported model, cannot be read "
            f"({error.strerror})"
        ) from error
    if len(data) > _LONGEST_SPEC:
        raise ModelError(f"{file}: expected at most {_LONGEST_SPEC} bytes, found {len(data)}")
    try:
        return Spec.model_validate_json(data, strict=True)
    except ValidationError as error:
        raise ModelError(f"{file}: {_problems(error)}") from error
    except RecursionError as error:
        raise ModelError(f"{file}: expected a specification, found JSON nested too deep") from error


def json_schema() -> dict[str, Any]:
    """JSON Schema of ``spec.json``."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Spec.model_json_schema()


def _problems(error: ValidationError) -> str:
    found = [
        ": ".join(
            part
            for part in (
                ".".join(map(str, problem["loc"])),
                problem["msg"].removeprefix("Value error, "),
            )
            if part
        )
        for problem in error.errors(include_url=False)
    ]
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(found[:_SHOWN]) + more
