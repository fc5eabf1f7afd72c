"""Options that commands have in common, and what their values mean."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synergy.cli.output import say
from synergy.errors import ConfigError

if TYPE_CHECKING:
    from synergy.config import RunConfig

DEFAULT_WORKSPACE = Path("runs/default")
DEFAULT_REPAIR = 3

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Configuration (YAML). Without it: the one that the workspace has, else the embedded "
        "corpus of synthetic speech.",
    ),
]
WorkspaceFolder = Annotated[
    Path,
    typer.Option("--workspace", metavar="DIR", help="Folder that keeps trainings and results."),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        help="First seed, instead of the configuration's; kept in config.yaml.",
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option(
        "--seeds",
        metavar="K",
        help="Train everything with K seeds, counted up from the first one, instead of the "
        "configuration's number; scores are averaged; kept in config.yaml.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        help="Processes at the same time; by default one for each core of this process.",
    ),
]
ExecutorName = Annotated[
    str,
    typer.Option(
        "--executor",
        metavar="NAME",
        help="process: worker processes with one thread each; serial: one training after the "
        "other in this process.",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout instead of tables.")
]
Tasks = Annotated[
    str | None,
    typer.Option(
        "--tasks",
        metavar="A,B,...",
        help="Only these tasks of the configuration; all of them by default.",
    ),
]
Depths = Annotated[
    str | None,
    typer.Option(
        "--depths",
        metavar="DEPTHS",
        help="Shared depths to sweep, such as 4-8 or 4,6,8, instead of the configuration's; kept "
        "in config.yaml.",
    ),
]
MaxAr = Annotated[
    float | None,
    typer.Option(
        "--max-ar",
        metavar="PCT",
        help="Largest accuracy reduction in percent: of pairs that may share, and of the trained "
        "tree. A command that trains keeps it in the workspace's config.yaml.",
    ),
]
FinalEpochs = Annotated[
    int | None,
    typer.Option(
        "--final-epochs",
        metavar="N",
        min=1,
        help="Train the tree once more for N epochs, as a row of its own beside the one with the "
        "sweep's budget; this one is exported then.",
    ),
]
Width = Annotated[
    float,
    typer.Option(
        "--width",
        metavar="F",
        help="Multiply the channels of the tree's blocks by F, such as 0.75: a smaller network of "
        "the same shape. The single-task models and the pairs keep theirs.",
    ),
]
SweepName = Annotated[
    str | None,
    typer.Option(
        "--sweep",
        metavar="NAME",
        help="full, the default: every pair at every depth; scan: each pair from the deepest depth "
        "up to the first that passes --max-ar; lazy: only what the smallest tree rests on, "
        "assuming that AR grows with depth, for --solver exact. --strict, --frontier and TreeMTL "
        "need what the last two skip.",
    ),
]
Distill = Annotated[
    bool,
    typer.Option(
        "--distill",
        help="Let the single-task models label every clip for every task, as teachers.",
    ),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Share only at depths at which the pair passed itself."),
]
Repair = Annotated[
    int,
    typer.Option(
        "--repair",
        metavar="N",
        min=0,
        help="While the trained tree misses --max-ar, let the pair that binds its worst task share "
        "less, and train again; at most N times.",
    ),
]
MaxParams = Annotated[
    int | None,
    typer.Option(
        "--max-params",
        metavar="N",
        min=1,
        help="Instead of --max-ar: the lowest predicted AR with at most N parameters in all; "
        "--solver, --strict and --repair then have no say.",
    ),
]
MaxMacs = Annotated[
    int | None,
    typer.Option(
        "--max-macs",
        metavar="N",
        min=1,
        help="Instead of --max-ar: the lowest predicted AR with at most N multiply-accumulates "
        "for a second of audio; the same holds.",
    ),
]
SolverName = Annotated[
    str,
    typer.Option(
        "--solver",
        metavar="NAME",
        help="recursive: the paper's splits; exact: the smallest tree, up to 14 tasks. Both "
        "sizes are printed.",
    ),
]


def parse_tasks(text: str | None) -> list[str] | None:
    """Names between commas; None for no choice.

    Raises
    ------
    ConfigError
        If a name is empty.
    """
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if "" in names:
        raise ConfigError(f"--tasks: expected names such as gc,ac, found {text!r}")
    return names


def parse_depths(text: str | None) -> list[int] | None:
    """Shared depths such as ``4-8`` or ``4,6,8``, as `parse_numbers`."""
    return parse_numbers("--depths", text, "depths ")


def parse_numbers(option: str, text: str | None, what: str = "") -> list[int] | None:
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
            raise ConfigError(
                f"{option}: expected {what or 'numbers '}such as 4-8 or 4,6,8, found {text!r}"
            )
        numbers.extend(range(first, last + 1))
    return numbers


def check_name(option: str, name: str, known: list[str]) -> None:
    """Refuse a name that an option does not have.

    Raises
    ------
    ConfigError
    """
    if name not in known:
        from synergy.wording import did_you_mean

        raise ConfigError(
            f"{option}: expected {' or '.join(known)}, found {name!r}{did_you_mean(name, known)}"
        )


def resolved_config(file: Path | None, workspace: Path | None, **options: Any) -> RunConfig:
    """The configuration that a command works with; says on stderr when nobody named one.

    Parameters
    ----------
    file : Path, optional
        What ``--config`` names.
    workspace : Path, optional
        Where a configuration is looked for when there is no ``file``.
    **options
        Settings that options of the command line replace; None leaves one as it is.

    Raises
    ------
    ConfigError
        If the file or an option is wrong.
    WorkspaceError
        If the configuration lies in a folder that is no workspace.
    """
    from synergy.config import load_config
    from synergy.workspace import Workspace

    own = None if workspace is None else workspace / "config.yaml"
    if file is not None:
        config = load_config(file)
    elif own is not None and own.is_file():
        Workspace(own.parent, create=False)
        say(f"note: no --config: using {own}")
        config = load_config(own)
    else:
        say("note: no --config: using the embedded corpus of synthetic speech")
        config = load_config(None)
    return config.with_options(**options)
