"""The options that commands have in common: one group for each panel of the help.

A command takes groups; `synergy.cli.panels` spells them out for typer. A group that is made here
without arguments has the defaults.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from synergy.errors import ConfigError

if TYPE_CHECKING:
    from synergy.config import RunConfig


def _option(panel: str, spelling: str, text: str, least: int | None = None) -> Any:
    """An option such as ``--seed N`` of a panel, with its help and its least value."""
    name, _, metavar = spelling.partition(" ")
    return typer.Option(name, metavar=metavar or None, help=text, min=least, rich_help_panel=panel)


data_option = partial(_option, "Data")
search_option = partial(_option, "Search")
training_option = partial(_option, "Training")
output_option = partial(_option, "Output")


@dataclass(frozen=True)
class Data:
    """What a command works on."""

    config: Annotated[
        Path | None,
        data_option(
            "--config FILE",
            "Configuration (YAML). Without it: the one that the workspace has, else the "
            "embedded corpus of synthetic speech.",
        ),
    ] = None
    workspace: Annotated[
        Path,
        data_option("--workspace DIR", "Folder that keeps trainings and results."),
    ] = Path("runs/default")
    replace: Annotated[
        bool, data_option("--replace", "Put the results of another experiment aside.")
    ] = False
    tasks: Annotated[
        str | None,
        data_option(
            "--tasks A,B,...", "Only these tasks of the configuration; all of them by default."
        ),
    ] = None
    table: Annotated[
        Path | None,
        data_option(
            "--table FILE",
            "AR table to use instead of the workspace's: long (task_a, task_b, shared_depth, "
            "ar_pct) or wide (task_a, task_b, ar_4_pct, ...).",
        ),
    ] = None

    def tasks_of(self, config: RunConfig) -> tuple[str, ...]:
        """The chosen tasks in the order of the configuration.

        Raises
        ------
        ConfigError
            If a name is empty, unknown or there twice.
        """
        names = [*config.tasks] if self.tasks is None else self.tasks.split(",")
        if not all(map(str.strip, names)):
            raise ConfigError(f"--tasks: expected names such as gc,ac, found {self.tasks!r}")
        return config.only(map(str.strip, names))


@dataclass(frozen=True)
class Search:
    """Which pairs are looked at, and how the tree follows from them."""

    depths: Annotated[
        str | None,
        search_option(
            "--depths DEPTHS",
            "Shared depths to sweep, such as 4-8 or 4,6,8, instead of the configuration's; "
            "kept in config.yaml.",
        ),
    ] = None
    sweep: Annotated[
        Literal["full", "scan", "lazy"] | None,
        search_option(
            "--sweep NAME",
            "full, the default: every pair at every depth; scan: each pair from the deepest "
            "depth up to the first that passes --max-ar; lazy: only what the smallest tree rests "
            "on, assuming that AR grows with depth, for --solver exact. --strict, --frontier and "
            "TreeMTL need what the last two skip.",
        ),
    ] = None
    max_ar: Annotated[
        float | None,
        search_option(
            "--max-ar PCT",
            "Largest accuracy reduction in percent: of pairs that may share, and of the "
            "trained tree. A command that trains keeps it in the workspace's config.yaml.",
        ),
    ] = None
    solver: Annotated[
        Literal["recursive", "exact"],
        search_option(
            "--solver NAME",
            "recursive: the paper's splits; exact: the smallest tree, up to 14 tasks. Both "
            "sizes are printed.",
        ),
    ] = "recursive"
    strict: Annotated[
        bool,
        search_option("--strict", "Share only at depths at which the pair passed itself."),
    ] = False
    max_params: Annotated[
        int | None,
        search_option(
            "--max-params N",
            "Instead of --max-ar: the lowest predicted AR with at most N parameters in all; "
            "not with --solver, --strict or --repair.",
            least=1,
        ),
    ] = None
    max_macs: Annotated[
        int | None,
        search_option(
            "--max-macs N",
            "Instead of --max-ar: the lowest predicted AR with at most N multiply-accumulates "
            "for a second of audio; the same holds.",
            least=1,
        ),
    ] = None
    frontier: Annotated[
        bool,
        search_option(
            "--frontier",
            "Show every tree that some threshold leads to, with its size; train nothing.",
        ),
    ] = False


@dataclass(frozen=True)
class Training:
    """How models are trained, and by whom."""

    distill: Annotated[
        bool,
        training_option(
            "--distill", "Let the single-task models label every clip for every task, as teachers."
        ),
    ] = False
    width: Annotated[
        float,
        training_option(
            "--width F",
            "Multiply the channels of the tree's blocks by F, such as 0.75: a smaller network "
            "of the same shape. The single-task models and the pairs keep theirs.",
        ),
    ] = 1.0
    repair: Annotated[
        int,
        training_option(
            "--repair N",
            "While the trained tree misses --max-ar, let the pair that binds its worst task "
            "share less, and train again; at most N times.",
            least=0,
        ),
    ] = 3
    final_epochs: Annotated[
        int | None,
        training_option(
            "--final-epochs N",
            "Train the tree once more for N epochs, as a row of its own beside the one with "
            "the sweep's budget; this one is exported then.",
            least=1,
        ),
    ] = None
    seed: Annotated[
        int | None,
        training_option(
            "--seed N", "First seed, instead of the configuration's; kept in config.yaml."
        ),
    ] = None
    seeds: Annotated[
        int | None,
        training_option(
            "--seeds K",
            "Train everything with K seeds, counted up from the first one, instead of the "
            "configuration's number; scores are averaged; kept in config.yaml.",
        ),
    ] = None
    workers: Annotated[
        int | None,
        training_option(
            "--workers N",
            "Processes at the same time; by default one for each core of this process.",
            least=1,
        ),
    ] = None
    executor: Annotated[
        Literal["process", "serial"],
        training_option(
            "--executor NAME",
            "process: worker processes with one thread each; serial: one training after the "
            "other in this process.",
        ),
    ] = "process"


@dataclass(frozen=True)
class Output:
    """In which form results are printed."""

    as_json: Annotated[
        bool, output_option("--json", "Print one JSON document on stdout instead of tables.")
    ] = False


def parse_numbers(option: str, text: str | None, what: str = "numbers") -> list[int] | None:
    """Numbers and ranges between commas; None for no choice.

    Raises
    ------
    ConfigError
        If the text is something else.
    """
    if text is None:
        return None
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,4})\s*(?:-\s*(\d{1,4})\s*)?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first:
            raise ConfigError(f"{option}: expected {what} such as 4-8 or 4,6,8, found {text!r}")
        numbers.extend(range(first, last + 1))
    return numbers
