"""Every error that a user can cause, as one small tree.

A message is one or two sentences: what was expected, what was found, where, and what to do.
The command line prints it and exits with ``exit_code``; no traceback.
"""

from __future__ import annotations

from synergy.wording import message


class SynergyError(Exception):
    """Base of all errors that `synergy` raises on purpose.

    The text is made safe to be shown, see `synergy.wording.message`.
    """

    exit_code = 2

    def __init__(self, text: str = "") -> None:
        super().__init__(message(text))


class ConfigError(SynergyError):
    """Raised when a configuration file or an option is wrong; lists all problems at once."""


class DataError(SynergyError):
    """Raised when a corpus, an audio file or a label cannot be used."""


class TreeError(SynergyError):
    """Raised when branches do not form a sharing tree."""


class TableError(SynergyError):
    """Raised when an AR table is incomplete or holds impossible values."""


class WorkspaceError(SynergyError):
    """Raised when a workspace is held by another command, half-written or lacks a stage."""


class TrainingError(SynergyError):
    """Raised when one trial cannot go on, for example on a non-finite loss."""


class ModelError(SynergyError):
    """Raised when an exported model cannot be read or used."""


class MissingExtraError(SynergyError):
    """Raised when a feature needs an optional package; names the install command."""


class ShortfallError(SynergyError):
    """Raised when everything ran but the result falls short of what was asked for."""

    exit_code = 1
