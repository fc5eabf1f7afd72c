"""Every command with the options that it offers, and the help of the program."""

from __future__ import annotations

import typer

from synergy import __version__
from synergy.cli import (
    baseline,
    compare,
    data,
    evaluate,
    init,
    pairwise,
    plan,
    predict,
    report,
    run,
    search,
    show,
    synthesize,
    verify,
)
from synergy.cli.output import write
from synergy.cli.panels import PanelCommand, spelled_out

app = typer.Typer(
    name="synergy",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: the same in every terminal, and without importing rich
    context_settings={"help_option_names": ["-h", "--help"]},
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
      2    wrong use, bad input, or the machine lacks something: space, rights, memory
      70   an error in synergy itself; the details are in a file
      130  interrupted (143: terminated); what was finished is kept
      141  whoever read the output went away

    \b
    Example:
      synergy run --max-ar 2.0
      synergy show
    """


_PLACE = "config set workspace json wide"
_TRAINS = f"{_PLACE} quick replace workers executor device log ray_address gpus_per_trial"
_SEEDS = "seed seeds"
_SWEEP = "sweep confidence budget"
_FINAL = "rounds final_epochs"
_PAIRS = f"tasks depths max_ar solver strict distill {_SEEDS}"
_TREE = f"table max_ar max_params max_macs solver strict confidence frontier distill width {_PLACE}"
for _command, _tell, _options in (
    (run.run, None, f"{_PAIRS} {_SWEEP} {_FINAL} width {_TRAINS}"),
    (baseline.baseline, baseline.tell, f"tasks {_SEEDS} {_TRAINS}"),
    (pairwise.pairwise, pairwise.tell, f"{_PAIRS} {_SWEEP} with_test {_TRAINS}"),
    (search.search, search.tell, _TREE),
    (
        synthesize.synthesize,
        synthesize.tell,
        f"{_TREE} {_FINAL} no_train train_frontier {_SEEDS} {_TRAINS}",
    ),
    (compare.compare, compare.tell, f"max_ar methods {_TRAINS}"),
    (plan.plan, None, f"{_PAIRS} final_epochs width workers device quick {_PLACE}"),
    (show.show, None, "workspace json wide"),
    (verify.verify, None, "workspace json wide"),
    (report.report, report.tell, "config workspace output json"),
    (predict.predict, None, "json csv labels threshold window hop"),
    (init.init, None, "json"),
    (evaluate.evaluate, None, "set tasks device splits worst json wide"),
):
    app.command(_command.__name__, cls=PanelCommand)(spelled_out(_command, _options, _tell))
_data = typer.Typer(
    help="Look at the recordings: data check.", no_args_is_help=True, rich_markup_mode=None
)
_data.command("check", cls=PanelCommand)(spelled_out(data.check, f"workers full {_PLACE}"))
app.add_typer(_data, name="data")
