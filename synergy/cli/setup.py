"""What commands need before they start: configuration, question, locked workspace, data.

All raise ConfigError, WorkspaceError or TableError for what cannot be used.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from synergy.cli.ending import reported_in
from synergy.cli.options import Options, parse_numbers
from synergy.cli.output import say
from synergy.cli.reporter import Reporter
from synergy.errors import ConfigError, WorkspaceError

if TYPE_CHECKING:
    from synergy.config import RunConfig
    from synergy.executors import Executor
    from synergy.experiment import Experiment
    from synergy.running.session import Session
    from synergy.synthesis import Question
    from synergy.workspace import PairTable, Workspace


# Commands that make again what they put aside.
_FROM_NOTHING = ("run", "baseline", "pairwise")


def configured(options: Options) -> RunConfig:
    """The configuration that a command works with; says on stderr when nobody named one."""
    from synergy.config import RunConfig, anchored, load_config
    from synergy.settings import parse_settings
    from synergy.workspace import Workspace

    file, own = options.config, options.workspace / "config.yaml"
    if file is None and own.is_file():
        Workspace(options.workspace, create=False).check_config()
        file = own
        say(f"note: no --config: using {own}")
    elif file is None:
        say("note: no --config: using the embedded corpus of synthetic speech")
    replaced = {
        "depths": parse_numbers("--depths", options.depths, "depths"),
        "max_ar": options.max_ar,
        "seed": options.seed,
        "seeds": options.seeds,
        "schedule": "quick" if options.quick else None,
    }
    if isinstance(file, RunConfig):
        loaded = anchored(file, Path.cwd())
    else:
        loaded = load_config(file, imports=options.config is not None)
    settings = parse_settings(options.set or ())
    for key in settings:
        if replaced.get(key) is not None:
            option = "--quick" if key == "schedule" else f"--{key.replace('_', '-')}"
            raise ConfigError(
                f"--set {key}: expected a setting once, found {option} beside it; leave one of "
                "them out"
            )
    return loaded.with_settings(settings).with_options(**replaced)


def asked(config: RunConfig | None, options: Options) -> Question:
    """What is asked of the search for a tree; without a configuration by the options alone."""
    from synergy.encoders import encoder_at
    from synergy.losses.choice import CONFIDENCE
    from synergy.synthesis import Question

    if config is not None:
        # refused before anything is trained
        encoder_at(config.encoder, 1.0 if options.width == "auto" else options.width)
    unasked = Question.max_ar if config is None else config.max_ar
    confidence = options.confidence
    if confidence is None and options.sweep == "adaptive":
        confidence = CONFIDENCE
    return Question(
        max_ar=unasked if options.max_ar is None else options.max_ar,
        max_params=options.max_params,
        max_macs=options.max_macs,
        solver=options.solver,
        strict=options.strict,
        width=options.width,
        distill=options.distill,
        rounds=options.rounds,
        final_epochs=options.final_epochs,
        confidence=confidence,
    )


def asked_of_pairs(options: Options) -> tuple[RunConfig, tuple[str, ...], Question]:
    """Configuration, tasks and question of a command that trains pairs."""
    config = configured(options)
    tasks = options.tasks_of(config)
    from synergy.stages.pairwise import check_pairable
    from synergy.synthesis.exact import refuse_many

    check_pairable(tasks, config.depths)
    if options.solver == "exact":
        refuse_many(len(tasks))
    return config, tasks, asked(config, options)


def existing(folder: Path) -> Workspace | None:
    """The workspace in a folder; None where one can be made. Nothing is written."""
    from synergy.workspace import Workspace

    with suppress(OSError):  # what cannot be listed is no workspace, in the words of that
        if not folder.exists() or all(path.name.startswith(".") for path in folder.iterdir()):
            return None
    return Workspace(folder, create=False)


def table_of(options: Options) -> PairTable:
    """The AR table that a command rests on: of a file, or of the workspace."""
    from synergy.synthesis.ar_table import ARTable
    from synergy.workspace import PairTable

    if isinstance(options.table, ARTable):
        return PairTable(options.table, Path("the table that was given"))
    if options.table is not None:
        return _table_at(options.table, options.workspace)
    workspace = existing(options.workspace)
    if workspace is None:
        raise WorkspaceError(
            f"expected an AR table in {options.workspace / 'ar_table.csv'}, found none; "
            f"run `synergy pairwise --workspace {options.workspace}` first"
        )
    return workspace.table(options.distill == "yes")


def _table_at(file: Path, folder: Path) -> PairTable:
    """The table in a file, with what belongs to it where it is one of a workspace."""
    from synergy.synthesis.ar_table import ARTable
    from synergy.synthesis.question import TableKind
    from synergy.workspace import PairTable, TableFiles

    for kind in get_args(TableKind):
        files = TableFiles(file.parent, kind)
        if files.table.name == file.name:
            own = folder.exists() and file.exists() and folder.samefile(file.parent)
            return replace(files.read(), file=file, kind=kind if own else None)
    return PairTable(ARTable.from_csv(file), file)


def in_notebook() -> bool:
    """Whether this is a notebook with what bars need there."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    is_notebook = type(shell).__name__ == "ZMQInteractiveShell"
    return is_notebook and find_spec("ipywidgets") is not None


@contextmanager
def locked(command: str, folder: Path) -> Iterator[Workspace]:
    """The workspace, made if it is not there, held by ``command``."""
    from synergy.workspace import Workspace

    workspace = Workspace(folder)
    with workspace.lock(f"synergy {command}"), reported_in(folder):
        yield workspace


def device_asked(options: Options) -> str:
    """The name of the device that was asked for, empty for none; ConfigError if it is not there."""
    from synergy.training.device import check_device, device_of

    name = options.device
    if name is None:
        return ""
    check_device(name)
    if options.executor != "ray":
        return device_of(name)
    if (name == "cuda") != (options.gpus_per_trial > 0) or ":" in name:
        raise ConfigError(
            f"--device {name}: expected cuda beside --gpus-per-trial on Ray, which chooses the "
            "GPU, or cpu without it"
        )
    return name


@contextmanager
def executor_of(options: Options) -> Iterator[Executor]:
    """The executor that was asked for, closed at the end."""
    from synergy.executors import EXECUTORS, Resources

    resources = Resources(options.workers, options.ray_address or "", options.gpus_per_trial)
    with closing(EXECUTORS[options.executor](resources)) as executor:
        yield executor


def prepared(
    config: RunConfig, options: Options, executor: Executor, reporter: Reporter
) -> Experiment:
    """The experiment with its data."""
    from synergy.experiment import prepare

    experiment = prepare(config, executor, reporter.preparing, again=options.full)
    reporter.end()
    return experiment


@contextmanager
def session_of(command: str, config: RunConfig, options: Options) -> Iterator[Session]:
    """A session of the stages, with data prepared and the workspace claimed for ``config``."""
    from synergy.running.logs import log_of
    from synergy.running.session import Session

    # before anything is prepared
    device, logs = device_asked(options), [log_of(name) for name in options.log or ()]
    with (
        executor_of(options) as executor,
        locked(command, options.workspace) as workspace,
        Reporter(live=in_notebook() or None) as reporter,
    ):
        experiment = prepared(config, options, executor, reporter)
        for note in experiment.notes:
            reporter.note(note)
        replace = options.replace
        if command in _FROM_NOTHING and workspace.is_first_look_at(config):
            replace = True
        if aside := workspace.claim(config, replace):
            reporter.note(f"the results of another experiment were put aside, into {aside}")
        yield Session(experiment, workspace, executor, reporter, device, logs)
        if message := reporter.nothing_trained():
            say(message)
