"""The commands as functions: the front door of the package in Python.

Options are the keyword arguments; `synergy.cli.options.Options` declares them for both. Progress
and notes go to stderr, in a notebook that has ipywidgets to a bar; what was trained is kept in the
workspace, so the same call goes on where the last one stopped.

Every function raises a `SynergyError`: `ConfigError` for an unknown option, a wrong value or
options that contradict each other, `WorkspaceError`, `DataError` and `TableError` for what lies on
disk, `ShortfallError` if a model could not be trained with any seed, `MachineError` if the machine
lacks something. A tree that misses the threshold is no error: its result has a `shortfall`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import typer
from typer.core import TyperCommand

from synergy.cli import baseline as baseline_command
from synergy.cli import compare as compare_command
from synergy.cli import pairwise as pairwise_command
from synergy.cli import report as report_command
from synergy.cli import search as search_command
from synergy.cli import synthesize as synthesize_command
from synergy.cli.commands import app
from synergy.cli.ending import reported_in
from synergy.cli.options import Options
from synergy.cli.run import all_stages
from synergy.errors import ConfigError
from synergy.notebooks import DRAWINGS
from synergy.synthesis import ARTable
from synergy.tree import SharingTree
from synergy.wording import did_you_mean, quoted, short_list, shown

if TYPE_CHECKING:
    import pandas

    from synergy.config import RunConfig
    from synergy.records import FrontierFile
    from synergy.report import Report
    from synergy.stages.baseline import Baselines
    from synergy.stages.compare import Compared
    from synergy.stages.pairwise import Pairs
    from synergy.stages.run import Run
    from synergy.stages.search import Found
    from synergy.stages.synthesize import Delivery

    Place = str | os.PathLike[str]
    Config = Place | RunConfig | None
    Table = Place | ARTable | pandas.DataFrame | None


def _draw(thing: ARTable | SharingTree) -> str:
    from synergy.report.drawings import draw_table, draw_tree  # takes a while to import

    return draw_table(thing) if isinstance(thing, ARTable) else draw_tree(thing)


DRAWINGS |= {ARTable: _draw, SharingTree: _draw}

WORKSPACE = str(Options.workspace)

# Options of a command that a function has not: what it prints, and what other functions are for.
_NOT_HERE = {"json", "frontier", "no_train", "train_frontier"}


def run(config: Config = None, workspace: Place = WORKSPACE, **options: Any) -> Run:
    """All three stages: baseline, pairwise and synthesize.

    Parameters
    ----------
    config : path or RunConfig, optional
        By default the one that the workspace has, else the embedded corpus of synthetic speech.
    workspace : path
        Folder that keeps trainings and results.
    **options
        Those of `synergy run`, such as ``max_ar=2.0, seeds=3, tasks=["gc", "ac"]``.

    Returns
    -------
    Run
        ``pairs`` as of `pairwise`, ``delivery`` as of `synthesize`.
    """
    with _asked("run", options, config=config, workspace=workspace) as asked:
        return all_stages(asked)


def baseline(config: Config = None, workspace: Place = WORKSPACE, **options: Any) -> Baselines:
    """Stage 1: train a model for each task alone.

    Parameters
    ----------
    config, workspace
        As for `run`.
    **options
        Those of `synergy baseline`.

    Returns
    -------
    Baselines
        ``rows``: the scores of each task.
    """
    with _asked("baseline", options, config=config, workspace=workspace) as asked:
        return baseline_command.baseline(asked)


def pairwise(config: Config = None, workspace: Place = WORKSPACE, **options: Any) -> Pairs:
    """Stage 2: train pairs of tasks with shared blocks, into the AR table.

    Parameters
    ----------
    config, workspace
        As for `run`.
    **options
        Those of `synergy pairwise`.

    Returns
    -------
    Pairs
        ``table``, an `ARTable`; ``losses``, signed and with intervals; ``baselines``; ``null``.
    """
    with _asked("pairwise", options, config=config, workspace=workspace) as asked:
        return pairwise_command.pairwise(asked)


def search(
    table: Table = None, *, config: Config = None, workspace: Place | None = None, **options: Any
) -> Found:
    """Find the sharing tree of an AR table: no training, no recordings.

    Parameters
    ----------
    table : ARTable, path or pandas.DataFrame, optional
        By default that of the workspace, where ``tree.json`` is then written. Otherwise sizes are
        those of the encoder of ``config``, or of the default one, and nothing is written.
    config
        As for `run`.
    workspace : path, optional
        Instead of a table.
    **options
        Those of `synergy search`, such as ``max_ar=2.0``.

    Returns
    -------
    Found
        ``tree``, a `TreeFile` with the `SharingTree` in ``tree.tree``; ``certainty``, where the
        table has samples; ``shortfall``, a sentence if no pair keeps the threshold.
    """
    with _asked("search", options, table=table, config=config, workspace=workspace) as asked:
        return cast("Found", search_command.search(asked))


def frontier(
    table: Table = None, *, config: Config = None, workspace: Place | None = None, **options: Any
) -> FrontierFile:
    """Find every tree that some threshold leads to; nothing is trained or written.

    Parameters
    ----------
    table, config, workspace
        As for `search`.
    **options
        Those of `synergy search` that go with ``--frontier``, such as ``solver="exact"``.

    Returns
    -------
    FrontierFile
        ``frontier``: a `FrontierEntry` for each tree.
    """
    given = {**options, "frontier": True}
    with _asked("search", given, table=table, config=config, workspace=workspace) as asked:
        return cast("FrontierFile", search_command.search(asked))


def synthesize(config: Config = None, workspace: Place = WORKSPACE, **options: Any) -> Delivery:
    """Stage 3: find the sharing tree of the AR table, train it, verify it and export it.

    Parameters
    ----------
    config, workspace
        As for `run`.
    **options
        Those of `synergy synthesize`; ``table`` as for `search`.

    Returns
    -------
    Delivery
        ``summary`` with rows of scores and the promise; ``model``, the exported folder;
        ``shortfall``, a sentence if the tree misses the threshold.
    """
    with _asked("synthesize", options, config=config, workspace=workspace) as asked:
        return cast("Delivery", synthesize_command.synthesize(asked))


def compare(config: Config = None, workspace: Place = WORKSPACE, **options: Any) -> Compared:
    """Train and measure what the paper and the field compare with; needs the AR table.

    Parameters
    ----------
    config, workspace
        As for `run`.
    **options
        Those of `synergy compare`, such as ``methods=["flat", "treemtl"]``.

    Returns
    -------
    Compared
        ``file``, a `ComparisonsFile` with a row for each line.
    """
    with _asked("compare", options, config=config, workspace=workspace) as asked:
        return compare_command.compare(asked)


def write_report(workspace: Place = WORKSPACE, output: Place | None = None) -> Report:
    """Write what lies in a workspace as one HTML page.

    Parameters
    ----------
    workspace : path
    output : path, optional
        By default ``report.html`` in the workspace.

    Returns
    -------
    Report
        ``file``, the page; ``numbers``, all that it shows.
    """
    with _asked("report", {}, workspace=workspace, output=output) as asked:
        return report_command.report(asked)


@contextmanager
def _asked(command: str, options: Mapping[str, Any], **given: Any) -> Iterator[Options]:
    """The options of a command; what is unexpected inside is told as the command would."""
    given = {**options, **{name: value for name, value in given.items() if value is not None}}
    with reported_in(None):
        yield _options(command, given)


def parser_of(command: str) -> TyperCommand:
    """What reads the options of a command."""
    return cast("Any", typer.main.get_command(app)).commands[command]


def names_of(command: str) -> list[str]:
    """The keyword arguments that are options of a command."""
    names = (str(param.name) for param in parser_of(command).params)
    return [name for name in names if name not in _NOT_HERE]


def _options(command: str, given: Mapping[str, Any]) -> Options:
    """Keyword arguments read as the command reads its options, by the same code."""
    from synergy.config import RunConfig

    parser, here = parser_of(command), sorted(names_of(command))
    params = {str(param.name): param for param in parser.params}
    kept: dict[str, Any] = {}
    words: list[str] = []
    for name, value in given.items():
        if name not in here and not (name == "frontier" and command == "search"):
            raise ConfigError(
                f"{command}: expected options among {short_list(here, 40)}, found "
                f"{shown(name)}{did_you_mean(name, here)}"
            )
        if name == "config" and isinstance(value, RunConfig):
            kept[name], value = value, "a RunConfig"
        elif name == "table" and not isinstance(value, str | os.PathLike):
            kept[name] = value if isinstance(value, ARTable) else ARTable.from_pandas(value)
            value = "a table"
        words += _words(params[name], name, value)
    with parser.make_context(command, words) as context:
        typed = {name: value for name, value in context.params.items() if value != ()}
        return Options(**{**typed, **kept})


def _words(param: Any, name: str, value: Any) -> list[str]:
    """An option as it would be typed; none for None and False."""
    option = param.opts[0]
    if param.is_flag:
        if not isinstance(value, bool | None):
            raise ConfigError(f"{name}: expected True or False, found {quoted(value)}")
        return [option] if value else []
    if value is None:
        return []
    if getattr(param, "multiple", False):
        if isinstance(value, Mapping):
            value = [f"{key}={json.dumps(each)}" for key, each in value.items()]
        return [f"{option}={each}" for each in ([value] if isinstance(value, str) else value)]
    if isinstance(value, bool) and name == "distill":
        value = "yes" if value else "no"
    if isinstance(value, list | tuple | range):
        value = ",".join(map(str, value))
    text = os.fspath(value) if isinstance(value, os.PathLike) else str(value)
    return [f"{option}={text}"]
