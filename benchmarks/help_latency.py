"""Wall time of ``synergy --help``, and the proof that it imports no torch.

python benchmarks/help_latency.py
"""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

HEAVY = ("torch", "torchaudio", "pandas", "networkx", "torchmetrics", "pydantic")
SHOW_HELP = "import sys; sys.argv = ['synergy', '--help']; from synergy.cli import main; main()"
LIST_IMPORTS = (
    "import contextlib, io, sys\n"
    "sys.argv = ['synergy', '--help']\n"
    "from synergy.cli import main\n"
    "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
    "    main()\n"
    "print(' '.join(name for name in sys.modules if '.' not in name))\n"
)


def main() -> None:
    """Time it beside an empty interpreter and name the heavy modules that it loads."""
    loaded = subprocess.run(
        [sys.executable, "-c", LIST_IMPORTS], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = [name for name in HEAVY if name in loaded]
    times: dict[str, list[float]] = {SHOW_HELP: [], "pass": []}
    for _ in range(11):
        for code, spent in times.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
            spent.append(time.perf_counter() - started)
    shown, empty = (median(spent) for spent in times.values())
    print(f"synergy --help  {shown:.3f} s   (an empty interpreter: {empty:.3f} s)")
    print(f"heavy modules imported: {', '.join(heavy) or 'none'}")
    sys.exit(1 if heavy else 0)


if __name__ == "__main__":
    main()
