"""What commands need before they start: configuration, question, locked workspace, data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from synergy.cli.ending import reported_in
from synergy.cli.options import Data, Search, Training, parse_numbers
from synergy.cli.output import say
from synergy.cli.reporter import Reporter
from synergy.errors import WorkspaceError

if TYPE_CHECKING:
    from synergy.config import RunConfig
    from synergy.running.session import Session
    from synergy.synthesis import Question
    from synergy.workspace import PairTable, Workspace


def configured(
    data: Data, search: Search | None = None, training: Training | None = None
) -> RunConfig:
    """The configuration that a command works with; says on stderr when nobody named one.

    Raises
    ------
    ConfigError
        If the file or an option is wrong.
    WorkspaceError
        If the configuration lies in a folder that is no workspace.
    """
    from synergy.config import load_config
    from synergy.workspace import Workspace

    search, training = search or Search(), training or Training()
    file, own = data.config, data.workspace / "config.yaml"
    if file is None and own.is_file():
        Workspace(data.workspace, create=False)
        file = own
        say(f"note: no --config: using {own}")
    elif file is None:
        say("note: no --config: using the embedded corpus of synthetic speech")
    return load_config(file, imports=data.config is not None).with_options(
        depths=parse_numbers("--depths", search.depths, "depths"),
        max_ar=search.max_ar,
        seed=training.seed,
        seeds=training.seeds,
    )


def asked(config: RunConfig | None, search: Search, training: Training) -> Question:
    """What is asked of the search for a tree.

    Without a configuration the threshold is that of the option, or the default one.

    Raises
    ------
    ConfigError
        If a value is out of its range, or no encoder has the width.
    """
    from synergy.encoders import encoder_at
    from synergy.synthesis import Question

    if config is not None:
        encoder_at(config.encoder, training.width)  # refused before anything is trained
    threshold = search.max_ar if config is None else config.max_ar
    return Question(
        max_ar=Question.max_ar if threshold is None else threshold,
        max_params=search.max_params,
        max_macs=search.max_macs,
        solver=search.solver,
        strict=search.strict,
        width=training.width,
        distilled=training.distill,
        repair=training.repair,
        final_epochs=training.final_epochs,
    )


def pairable(data: Data, config: RunConfig) -> tuple[str, ...]:
    """The tasks of which pairs are trained.

    Raises
    ------
    ConfigError
        If they are unknown, or fewer than two.
    """
    tasks = data.tasks_of(config)
    from synergy.stages.pairwise import check_pairable

    check_pairable(tasks)
    return tasks


def existing(folder: Path) -> Workspace | None:
    """The workspace in a folder; None where one can be made. Nothing is written.

    Raises
    ------
    WorkspaceError
        If the folder holds something else.
    """
    from synergy.workspace import Workspace

    if not folder.exists():
        return None
    with suppress(OSError):  # what cannot be listed is no workspace, in the words of that
        if all(path.name.startswith(".") for path in folder.iterdir()):
            return None
    return Workspace(folder, create=False)


def table_of(data: Data, distilled: bool = False) -> PairTable:
    """The AR table that a command rests on: of a file, or of the workspace.

    Raises
    ------
    WorkspaceError
        If there is none; names the command that makes it.
    TableError
        If it is damaged.
    """
    from synergy.synthesis.ar_table import ARTable
    from synergy.workspace import PairTable

    if data.table is not None:
        return PairTable(ARTable.from_csv(data.table), data.table)
    workspace = existing(data.workspace)
    if workspace is None:
        raise WorkspaceError(
            f"expected an AR table in {data.workspace / 'ar_table.csv'}, found none; "
            f"run `synergy pairwise --workspace {data.workspace}` first"
        )
    return workspace.table(distilled)


@contextmanager
def locked(command: str, folder: Path) -> Iterator[Workspace]:
    """The workspace, made if it is not there, held by ``command``."""
    from synergy.workspace import Workspace

    workspace = Workspace(folder)
    with workspace.lock(f"synergy {command}"), reported_in(folder):
        yield workspace


@contextmanager
def session_of(
    command: str, config: RunConfig, data: Data, training: Training
) -> Iterator[Session]:
    """A session of the stages, with data prepared and the workspace claimed for ``config``."""
    from synergy.executors import core_count
    from synergy.experiment import prepare
    from synergy.running.session import Session

    workers = training.workers or core_count()
    with locked(command, data.workspace) as workspace, Reporter() as reporter:
        experiment = prepare(config, workers, reporter.preparing)
        reporter.end()
        for note in experiment.notes:
            reporter.note(note)
        workspace.claim(config, data.replace)
        yield Session(experiment, workspace, training.executor, workers, reporter)
        if message := reporter.nothing_trained():
            say(message)
