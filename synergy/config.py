"""One strict YAML file that composes the settings which live beside the code they set."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, ClassVar

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from synergy.audio.features import FeatureConfig
from synergy.datasets import DATASETS, CorpusConfig
from synergy.datasets.content import expand_home
from synergy.encoders import Cnn8, EncoderConfig
from synergy.errors import ConfigError
from synergy.extensions import imports_allowed
from synergy.files import StrictModel
from synergy.tasks import TaskKind, rules_of
from synergy.tasks.task_source import TaskSource
from synergy.training.config import TrainingConfig
from synergy.training.distillation import DistillationConfig
from synergy.wording import did_you_mean

TaskName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]

DEMO_CONFIG = Path(__file__).with_name("demo.yaml")


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
    corpora: Annotated[dict[str, TaskSource], Field(min_length=1)]

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        try:
            rules_of(kind)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return kind

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
    depths : list of int
        Shared depths that the sweep of pairs trains.
    seed, seeds : int
        Every trial is trained with the seeds ``seed``, ``seed + 1``, ... (``seeds`` of them).
    max_ar : float
        Threshold of the synthesis, in percent.
    """

    corpora: Annotated[dict[str, CorpusConfig], Field(min_length=1)]
    tasks: Annotated[dict[TaskName, TaskConfig], Field(min_length=1)]
    features: FeatureConfig = FeatureConfig()
    encoder: EncoderConfig = Cnn8()
    training: TrainingConfig = TrainingConfig()
    distillation: DistillationConfig = DistillationConfig()
    depths: Annotated[tuple[int, ...], Field(min_length=1)] = (4, 5, 6, 7, 8)
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    seeds: Annotated[int, Field(ge=1, le=100)] = 1
    max_ar: Annotated[float, Field(ge=0, le=100)] = 2.0

    @field_validator("depths")
    @classmethod
    def _distinct(cls, depths: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(depths)) != len(depths):
            raise ValueError(f"expected distinct depths, found {list(depths)}")
        return tuple(sorted(depths))

    @model_validator(mode="after")
    def _consistent(self) -> RunConfig:
        if wrong := [d for d in self.depths if not 1 <= d <= self.encoder.depth]:
            raise ValueError(f"depths: expected 1..{self.encoder.depth}, found {wrong}")
        for name, task in self.tasks.items():
            for corpus in task.corpora:
                if corpus not in self.corpora:
                    raise ValueError(
                        f"tasks.{name}.corpora: expected one of {', '.join(self.corpora)}, "
                        f"found {corpus}{did_you_mean(corpus, self.corpora)}"
                    )
        return self

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """The seeds of every trial."""
        return tuple(range(self.seed, self.seed + self.seeds))

    def only(self, tasks: Iterable[str]) -> tuple[str, ...]:
        """A choice of tasks in the order of the configuration.

        A ConfigError is raised if one is unknown or named twice.
        """
        chosen = list(tasks)
        problems = [
            f"expected tasks among {', '.join(self.tasks)}, found {task}"
            f"{did_you_mean(task, self.tasks)}"
            for task in chosen
            if task not in self.tasks
        ]
        problems += [f"task {t} is named twice" for t in sorted(set(chosen)) if chosen.count(t) > 1]
        if problems:
            raise ConfigError("; ".join(problems))
        return tuple(task for task in self.tasks if task in chosen)

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

    def differences(self, other: RunConfig) -> list[str]:
        """What makes ``other`` another experiment: each setting with its old and its new value.

        Depths, seeds and the threshold do not count: options change them on the way. Nor does a
        folder of recordings that is gone: they were moved, and trials know their content.
        """
        old, new = (_flat(c.model_dump(mode="json", exclude=_CHANGEABLE)) for c in (self, other))
        return [
            f"{key} was {old.get(key, 'not set')!s:.60} and is now {new.get(key, 'not set')!s:.60}"
            for key in dict.fromkeys([*old, *new])
            if old.get(key) != new.get(key) and not _moved(key, old.get(key))
        ]

    def to_yaml(self) -> str:
        """The resolved configuration, every default written out."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _moved(key: str, folder: Any) -> bool:
    """Whether recordings lie elsewhere now; what is in them, trials know."""
    first, _, last = key.rpartition(".")
    return first.startswith("corpora.") and last == "folder" and not Path(str(folder)).exists()


_CHANGEABLE = {"depths", "seed", "seeds", "max_ar"}


def _flat(data: Any, path: str = "") -> dict[str, Any]:
    """Values by their dotted keys."""
    if not isinstance(data, dict):
        return {path: data}
    inside = [_flat(value, f"{path}.{key}" if path else str(key)) for key, value in data.items()]
    return {key: value for part in inside for key, value in part.items()}


class _StrictLoader(yaml.SafeLoader):
    """YAML 1.2 booleans (so that ``no`` and ``off`` stay words) and no repeated keys."""

    # A subclass, because PyYAML's own safe loader follows YAML 1.1, lets the last of two equal
    # keys win and has an option for neither.

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: list[Any] = []
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                problem = f"the key {key!r} stands here for the second time"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
            seen.append(key)
        return super().construct_mapping(node, deep)


_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf")
)


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
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{file}: expected a configuration file, found nothing") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read as text ({error})") from error
    try:
        data = _StrictLoader(text).get_single_data()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ConfigError(f"{file}, line {line}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}: expected YAML, found {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{file}: expected a mapping of settings, found {type(data).__name__}")
    try:
        with imports_allowed() if imports else nullcontext():
            return _anchored(RunConfig.model_validate(data), file.parent)
    except ValidationError as error:
        raise ConfigError(f"{file}: {'; '.join(_sentences(error))}") from error


def _anchored(config: RunConfig, base: Path) -> RunConfig:
    """Make relative corpus folders absolute, so that the resolved file works anywhere."""
    corpora: dict[str, Any] = {}
    for name, corpus in config.corpora.items():
        folder = getattr(corpus, "folder", None)
        if folder is not None and not folder.startswith("$") and not Path(folder).is_absolute():
            anchored = (base / expand_home(folder)).resolve()
            corpus = corpus.model_copy(update={"folder": str(anchored)})
        corpora[name] = corpus
    return config.model_copy(update={"corpora": corpora})


def _sentences(error: ValidationError) -> list[str]:
    """Each problem as ``key: what is wrong``."""
    sentences: list[str] = []
    for problem in error.errors():
        where = [str(part) for part in problem["loc"]]
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = f"unknown key{did_you_mean(where[-1], _keys_beside(problem['loc']))}"
        elif problem["type"] == "missing":
            message = "this key is required"
        elif problem["type"] != "value_error":
            message += f", found {problem['input']!r}"
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
