"""Whom a session tells of every finished training, beside the files of the workspace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from synergy.errors import ConfigError, MissingExtraError
from synergy.extensions import find, imports_allowed
from synergy.wording import cut, shown

# Characters of a tree's notation in the name of a folder.
_LONGEST = 80


@dataclass(frozen=True)
class LoggedTraining:
    """A training that has just been finished and kept.

    Attributes
    ----------
    label : str
        Tree and seed.
    digest : str
    folder : Path
        What is kept of it.
    workspace : Path
    trial : dict
        The JSON form of the `synergy.trials.trial.Trial`, with all settings.
    history : sequence of dict
        The rows of ``history.csv``: step, learning_rate, TASK_loss and TASK_score of each
        validation.
    """

    label: str
    digest: str
    folder: Path
    workspace: Path
    trial: Mapping[str, Any]
    history: Sequence[Mapping[str, float]]


Log = Callable[[LoggedTraining], object]


def log_of(name: str) -> Log:
    """What ``--log`` names: ``tensorboard`` or ``module:function``, which is imported.

    Raises
    ------
    ConfigError
        If there is none, or it cannot be called.
    MissingExtraError
        If its package is not installed.
    """
    with imports_allowed():  # a person named it
        found = find(name, LOGS, "synergy.logs")
    if not callable(found):
        raise ConfigError(f"--log {shown(name)}: expected a function, found another")
    if found is to_tensorboard and find_spec("tensorboard") is None:
        raise MissingExtraError(
            "--log tensorboard: expected the package tensorboard, which is not installed; run "
            "`pip install 'synergy[tensorboard]'`"
        )
    return found


def to_tensorboard(training: LoggedTraining) -> None:
    """Write the history as events into ``tensorboard/`` of the workspace, a run per training."""
    from torch.utils.tensorboard import SummaryWriter

    name = f"{cut(training.label, _LONGEST)} {training.digest}"
    with SummaryWriter(str(training.workspace / "tensorboard" / name)) as writer:
        for row in training.history:
            for key, value in row.items():
                if key != "step":
                    writer.add_scalar(key, value, int(row["step"]))


LOGS: dict[str, Log] = {"tensorboard": to_tensorboard}
