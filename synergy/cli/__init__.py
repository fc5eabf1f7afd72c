"""The command line: a skin that parses, calls a stage and renders; one module per command.

Nothing here imports torch or pandas before a command runs, so that ``synergy --help`` answers at
once. Data goes to stdout, progress and notes go to stderr; `ending` has the exit codes.
"""

from __future__ import annotations

import sys

from synergy.cli.signals import Signals


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of this process, which is then expected to end: its streams are opened
        where they are closed, and signals stay ignored.
    """
    signals = Signals(sys._getframe())
    try:
        signals.begin()
        from synergy.cli.ending import run_to_exit_code  # everything else is imported in here

        code = run_to_exit_code(arguments)
        signals.end()
    except KeyboardInterrupt as interrupt:
        signals.end()
        from synergy.cli.ending import interrupted

        code = interrupted(interrupt)
    signals.leave(for_good=arguments is None)
    return code
