"""What the three stages need before they start: configuration, locked workspace, data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synergy.cli.ending import reported_in
from synergy.cli.options import check_name, resolved_config
from synergy.cli.output import say
from synergy.cli.progress import Reporter

if TYPE_CHECKING:
    from synergy.config import RunConfig
    from synergy.stages.sweep import Session
    from synergy.workspace import Workspace


@dataclass(frozen=True)
class Setup:
    """A checked request: nothing has been read of any corpus and nothing was written.

    Attributes
    ----------
    command : str
        For messages, such as ``synergy pairwise``.
    config : RunConfig
    workspace : Path
    executor : str
    workers : int
    """

    command: str
    config: RunConfig
    workspace: Path
    executor: str
    workers: int


def set_up(
    command: str,
    config: Path | None,
    workspace: Path,
    executor: str,
    workers: int | None,
    **options: Any,
) -> Setup:
    """Check the common options of a command that trains.

    Raises
    ------
    ConfigError
        If the configuration or an option is wrong.
    WorkspaceError
        If the workspace is something else.
    """
    from synergy.executors import EXECUTORS, core_count
    from synergy.workspace import Workspace

    check_name("--executor", executor, list(EXECUTORS))
    if workspace.exists():
        Workspace(workspace)
    resolved = resolved_config(config, workspace, **options)
    return Setup(command, resolved, workspace, executor, workers or core_count())


@contextmanager
def locked(setup: Setup) -> Iterator[Workspace]:
    """The workspace, made if it is not there, held by this command."""
    from synergy.workspace import Workspace

    workspace = Workspace(setup.workspace)
    with workspace.lock(setup.command), reported_in(workspace.folder):
        yield workspace


@contextmanager
def training(setup: Setup) -> Iterator[tuple[Session, Reporter]]:
    """A session of the stages, with data prepared and the configuration kept."""
    from synergy.experiment import prepare
    from synergy.stages.sweep import Session

    with locked(setup) as workspace, Reporter() as reporter:
        experiment = prepare(setup.config, setup.workers, reporter.preparing)
        reporter.end()
        for note in experiment.notes:
            reporter.note(note)
        workspace.save_config(setup.config.to_yaml())
        yield (
            Session(experiment, workspace, setup.executor, setup.workers, reporter),
            reporter,
        )
        if message := reporter.nothing_trained():
            say(message)
