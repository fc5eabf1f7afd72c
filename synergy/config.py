"""One strict YAML file that composes the settings which live beside the code they set."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from synergy import limits
from synergy.audio.features import FeatureConfig
from synergy.datasets import DATASETS, CorpusConfig
from synergy.datasets.content import expand_home
from synergy.encoders import Cnn8, EncoderConfig
from synergy.errors import ConfigError, TreeError
from synergy.extensions import imports_allowed
from synergy.files import StrictModel, UnfitFileError, read_text, shortly
from synergy.names import CorpusName, TaskName
from synergy.settings import replaced
from synergy.strict_yaml import YamlError, read_yaml, yaml_text
from synergy.tasks import TaskKind, rules_of
from synergy.tasks.folds import EvaluationConfig
from synergy.tasks.task_source import TaskSource
from synergy.training.config import TrainingConfig
from synergy.training.distillation import DistillationConfig
from synergy.training.schedule import Schedule
from synergy.tree import SharingTree
from synergy.wording import did_you_mean, problem_message, quoted, short_list, shown

DEMO_CONFIG = Path(__file__).with_name("demo.yaml")

_FRESH = 1000  # far from the seeds that follow the first ones, which tables count


class TaskConfig(StrictModel):
    """One task: its kind, its classes and where its clips come from.

    Attributes
    ----------
    kind : str
        Key in ``TASK_KINDS``, such as ``clip_classification``, or ``package.module:Class``.
    classes : list of str, optional
        In the order of the logits; by default the sorted values found in the corpora.
    corpora : dict of corpus name to TaskSource
        The corpora that it takes clips from, and where each has its targets.
    """

    kind: str
    classes: tuple[str, ...] | None = None
    corpora: Annotated[dict[CorpusName, TaskSource], Field(min_length=1)]

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        try:
            rules_of(kind)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return kind

    @field_validator("classes")
    @classmethod
    def _possible(
        cls, classes: tuple[str, ...] | None, info: ValidationInfo
    ) -> tuple[str, ...] | None:
        kind = info.data.get("kind")
        if kind and classes is not None and (problem := rules_of(kind).classes_problem(classes)):
            raise ValueError(problem)
        return classes

    @field_validator("corpora")
    @classmethod
    def _of_this_kind(
        cls, corpora: dict[str, TaskSource], info: ValidationInfo
    ) -> dict[str, TaskSource]:
        kind = info.data.get("kind")
        for name, source in corpora.items():
            if kind and (problem := rules_of(kind).source_problem(source)):
                raise ValueError(f"{name}: {problem}")
        return corpora

    @property
    def rules(self) -> TaskKind:
        """What the kind of the task decides."""
        return rules_of(self.kind)


class RunConfig(StrictModel):
    """Everything that decides a result, apart from the content of the corpora.

    Attributes
    ----------
    corpora, tasks : dict
        By name. The order of the tasks is the order of tables and the last tie-break.
    features, encoder, training
        Settings of the log-mel features, the encoder and the training of every trial.
    distillation
        Settings of those trainings that learn from the single-task models as well.
    evaluation
        What models are validated on.
    schedule : {"fixed", "auto", "quick"}
        How long every training is, never longer than `training` says: so long; with epochs of as
        many steps as draw all clips of the largest task once, but at least 200 in all, so that
        few clips do not get thousands of steps; or, with --quick, for a first look only.
    depths : list of int
        Shared depths that the sweep of pairs trains.
    seed, seeds : int
        Every trial is trained with the seeds ``seed``, ``seed + 1``, ... (``seeds`` of them).
    max_ar : float
        Threshold of the synthesis, in percent.
    decide_by : {"score", "log_loss"}
        What signed losses are taken of, and with them intervals, probabilities and the adaptive
        sweep: the scores, or what the log-losses tell of them. AR is of scores in any case.
    """

    corpora: Annotated[
        dict[CorpusName, CorpusConfig], Field(min_length=1, max_length=limits.CORPORA)
    ]
    tasks: Annotated[dict[TaskName, TaskConfig], Field(min_length=1, max_length=limits.TASKS)]
    features: FeatureConfig = FeatureConfig()
    encoder: EncoderConfig = Cnn8()
    training: TrainingConfig = TrainingConfig()
    distillation: DistillationConfig = DistillationConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    schedule: Schedule = "fixed"
    depths: Annotated[tuple[int, ...], Field(min_length=1)] = (4, 5, 6, 7, 8)
    seed: Annotated[int, Field(ge=0, le=limits.SEED)] = 0
    seeds: Annotated[int, Field(ge=1, le=limits.SEEDS)] = 1
    max_ar: Annotated[float, Field(ge=0, le=100)] = 2.0
    decide_by: Literal["score", "log_loss"] = "score"

    @field_validator("depths")
    @classmethod
    def _distinct(cls, depths: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(depths)) != len(depths):
            raise ValueError(f"expected distinct depths, found {quoted(list(depths))}")
        return tuple(sorted(depths))

    @model_validator(mode="after")
    def _consistent(self) -> RunConfig:
        if (blocks := self.encoder.depth) > limits.BLOCKS:
            raise ValueError(f"encoder: expected at most {limits.BLOCKS} blocks, found {blocks}")
        if wrong := [depth for depth in self.depths if not 1 <= depth <= blocks]:
            raise ValueError(f"depths: expected 1..{blocks}, found {quoted(wrong)}")
        if self.seeds % (folds := self.evaluation.folds):
            raise ValueError(
                f"evaluation.folds: expected a divisor of seeds ({self.seeds}), so that as many "
                f"trainings are validated on every fold, found {folds}; change one of the two"
            )
        if folds > 1 and self.decide_by == "log_loss":
            raise ValueError(
                f"decide_by: expected score with evaluation.folds of {folds}, found log_loss, "
                "which is told from trainings on the same clips; change one of the two"
            )
        try:
            SharingTree.flat(tuple(self.tasks), blocks, blocks)
        except TreeError as error:
            raise ValueError(f"tasks: {error}") from error
        for name, task in self.tasks.items():
            for corpus in task.corpora:
                if corpus not in self.corpora:
                    raise ValueError(
                        f"tasks.{name}.corpora: expected one of {short_list(self.corpora)}, "
                        f"found {shown(corpus)}{did_you_mean(corpus, self.corpora)}"
                    )
        return self

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """The seeds of every trial."""
        return tuple(range(self.seed, self.seed + self.seeds))

    @property
    def fresh_seeds(self) -> tuple[int, ...]:
        """As many seeds that have no part in any table or choice; of the same folds."""
        return tuple(seed + _FRESH * self.seeds for seed in self.all_seeds)

    def fold_of(self, seed: int) -> int:
        """The fold, from 0, that trainings with a seed are validated on."""
        return (seed - self.seed) % self.evaluation.folds

    def only(self, tasks: Iterable[str]) -> tuple[str, ...]:
        """A choice of tasks in the order of the configuration.

        A ConfigError is raised if one is unknown or named twice.
        """
        chosen = list(tasks)
        problems = [
            f"expected tasks among {short_list(self.tasks)}, found {shown(task)}"
            f"{did_you_mean(task, self.tasks)}"
            for task in chosen
            if task not in self.tasks
        ]
        times = Counter(chosen)
        problems += [f"task {shown(task)} is named twice" for task in times if times[task] > 1]
        if problems:
            raise ConfigError(problem_message("tasks", problems))
        return tuple(task for task in self.tasks if task in times)

    def with_options(self, **options: Any) -> RunConfig:
        """This configuration with settings replaced; an option that is None changes nothing.

        A ConfigError names the options as the command line does.
        """
        given = {name: value for name, value in options.items() if value is not None}
        try:
            return RunConfig.model_validate({**self.model_dump(), **given})
        except ValidationError as error:
            problems = _sentences(error)
            for name in given:
                option = f"--{name.replace('_', '-')}"
                problems = [re.sub(rf"^{name}\b[.0-9]*", option, text) for text in problems]
            raise ConfigError("; ".join(problems)) from error

    def with_settings(self, settings: Mapping[str, Any]) -> RunConfig:
        """This configuration with other values at some dotted keys.

        A value takes the place of all that stood at its key. Relative corpus folders are taken from
        the working folder. A module that a value names may be imported.

        Raises
        ------
        ConfigError
            If a key or a value is wrong: all of them at once.
        """
        if not settings:
            return self
        data = replaced(self.model_dump(), settings)
        try:
            with imports_allowed():
                return anchored(RunConfig.model_validate(data), Path.cwd())
        except ValidationError as error:
            raise ConfigError(problem_message("--set", _sentences(error))) from error

    def differences(self, other: RunConfig) -> list[str]:
        """What makes ``other`` another experiment: each setting with its old and its new value.

        Depths, seeds and the threshold do not count: options change them on the way. Nor does by
        what is decided: nothing is trained otherwise. Nor a folder of recordings that is gone: they
        were moved, and trials know their content.
        """
        old, new = (_flat(c.model_dump(mode="json", exclude=_CHANGEABLE)) for c in (self, other))
        return [
            f"{shown(key)} was {shown(old.get(key, 'not set'))} and is now "
            f"{shown(new.get(key, 'not set'))}"
            for key in dict.fromkeys([*old, *new])
            if old.get(key) != new.get(key) and not _moved(key, old.get(key))
        ]

    def is_first_look_at(self, other: RunConfig) -> bool:
        """Whether ``other`` is the same experiment in full."""
        longer = self.model_copy(update={"schedule": other.schedule})
        return self.schedule == "quick" != other.schedule and not longer.differences(other)

    def to_yaml(self) -> str:
        """The resolved configuration, every default written out."""
        return yaml_text(self.model_dump(mode="json"))


def _moved(key: str, folder: Any) -> bool:
    """Whether recordings lie elsewhere now; what is in them, trials know."""
    first, _, last = key.rpartition(".")
    return first.startswith("corpora.") and last in _PLACES and not Path(str(folder)).exists()


_PLACES = ("folder", "root", "splits")
_CHANGEABLE = {"depths", "seed", "seeds", "max_ar", "decide_by"}


def _flat(data: Any, path: str = "") -> dict[str, Any]:
    """Values by their dotted keys."""
    if not isinstance(data, dict):
        return {path: data}
    inside = [_flat(value, f"{path}.{key}" if path else str(key)) for key, value in data.items()]
    return {key: value for part in inside for key, value in part.items()}


def load_config(path: Path | None, imports: bool = True) -> RunConfig:
    """Read a configuration; the embedded demonstration when ``path`` is None.

    Relative corpus folders are taken from the folder of the file. With ``imports``, a name such as
    ``package.module:Class`` may import its module: not for a file that nobody named, such as that
    of a workspace.

    Raises
    ------
    ConfigError
        If the file is missing, is no YAML, or has wrong keys or values: all of them at once.
    """
    file = path or DEMO_CONFIG
    try:
        data = read_yaml(read_text(file, limits.CONFIG_BYTES))
    except FileNotFoundError as error:
        raise ConfigError(f"{file}: expected a configuration file, found nothing") from error
    except YamlError as error:
        raise ConfigError(f"{file}, {error}") from error
    except (OSError, UnfitFileError) as error:
        raise ConfigError(f"{file}: cannot be read as text ({shortly(error)})") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{file}: expected a mapping of settings, found {type(data).__name__}")
    try:
        with imports_allowed() if imports else nullcontext():
            return anchored(RunConfig.model_validate(data), file.parent)
    except ValidationError as error:
        raise ConfigError(problem_message(str(file), _sentences(error))) from error


def anchored(config: RunConfig, base: Path) -> RunConfig:
    """Make relative paths of corpora absolute, so that the resolved file works anywhere."""
    corpora: dict[str, Any] = {}
    for name, corpus in config.corpora.items():
        places: dict[str, str] = {}
        for key in _PLACES:
            place = getattr(corpus, key, None)
            if place is not None and not place.startswith("$") and not Path(place).is_absolute():
                try:
                    places[key] = str((base / expand_home(place)).resolve())
                except (OSError, RuntimeError) as error:  # a link that leads to itself
                    raise ConfigError(f"corpora.{name}.{key}: {shortly(error)}") from error
        corpora[name] = corpus.model_copy(update=places) if places else corpus
    return config.model_copy(update={"corpora": corpora})


def _sentences(error: ValidationError) -> list[str]:
    """Each problem as ``key: what is wrong``."""
    sentences: list[str] = []
    for problem in error.errors(include_url=False):
        where = [shown(part) for part in problem["loc"] if part != "[key]"]
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = f"unknown key{did_you_mean(where[-1], _keys_beside(problem['loc']))}"
        elif problem["type"] == "missing":
            message = "this key is required"
        elif problem["type"] == "union_tag_invalid":
            message = f"expected one of {', '.join(DATASETS)}, found another format"
        elif problem["type"] != "value_error":
            message += f", found {quoted(problem['input'])}"
        if where[0:1] == ["corpora"]:
            del where[2:3]  # the tag of a discriminated union is no key of the file
        sentences.append(": ".join(filter(None, (".".join(where), message))))
    return sentences


def _keys_beside(where: Sequence[str | int]) -> Iterable[str]:
    """Keys of the model in which the unknown key ``where`` stands."""
    model: Any
    match where:
        case ["corpora", _, str(form), *rest] if form in DATASETS:
            model = DATASETS[form][0]
        case ["tasks", _, "corpora", _, *rest]:
            model = TaskSource
        case ["tasks", _, *rest]:
            model = TaskConfig
        case [*rest]:
            model = RunConfig
    for key in rest[:-1]:
        model = model.model_fields[key].annotation
    return model.model_fields
