"""The command line: a skin that parses, calls a stage and renders; one module per command.

Nothing here imports torch or pandas before a command runs, so that ``synergy --help`` answers at
once. Data goes to stdout, progress and notes go to stderr; `ending` has the exit codes.
"""

from __future__ import annotations

import typer

from synergy import __version__
from synergy.cli import (
    baseline,
    compare,
    data,
    pairwise,
    plan,
    predict,
    report,
    run,
    show,
    synthesize,
)
from synergy.cli.ending import run_to_exit_code
from synergy.cli.output import write

__all__ = ["app", "main"]

app = typer.Typer(
    name="synergy",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: the same in every terminal, and without importing rich
)


def _version(wanted: bool) -> None:
    if wanted:
        write(f"synergy {__version__}")
        raise typer.Exit


@app.callback()
def _synergy(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Find which speech tasks can share the layers of one small network; train and export it.

    `run` does everything; without a configuration it takes an embedded corpus of synthetic
    speech. What a command finished is kept: the same command again goes on where it stopped.

    \b
    Exit codes:
      0    done
      1    done, but the result falls short of what was asked for
      2    wrong use or bad input
      70   an error in synergy itself; the details are in a file
      130  interrupted (143: terminated); what was finished is kept
      141  whoever read the output went away

    \b
    Example:
      synergy run --max-ar 2.0
      synergy show
    """


app.command("run")(run.run)
app.command("baseline")(baseline.baseline)
app.command("pairwise")(pairwise.pairwise)
app.command("synthesize")(synthesize.synthesize)
app.command("compare")(compare.compare)
app.command("plan")(plan.plan)
app.command("show")(show.show)
app.command("report")(report.report)
app.add_typer(data.app, name="data")
app.command("predict")(predict.predict)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        Without the name of the program; those of this process by default.

    Returns
    -------
    int
        The exit code.
    """
    return run_to_exit_code(app, arguments)
